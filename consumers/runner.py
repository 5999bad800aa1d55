"""One runner serves every host: it waits for services that are down, and isolates records at fault.

A record is tried `ATTEMPTS` times, the last ones alone; then it is parked and the shard goes on. A service
that is down is waited for without limit: nothing is parked, nothing is skipped.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from consumers.handler import Handler
from consumers.metrics import Metrics, silent
from consumers.parking import Parks
from consumers.patience import Patience, Stopped
from pipeline.log import Record

__all__ = ["ATTEMPTS", "Runner"]

ATTEMPTS = 3
SETTLE_SECONDS, SETTLE_PAUSE = 5.0, 0.1

_log = logging.getLogger(__name__)


class Runner:
    def __init__(
        self, name: str, handler: Handler, parking: Parks, patience: Patience, metrics: Metrics | None = None
    ) -> None:
        self._name, self._handler, self._parking, self._patience = name, handler, parking, patience
        self._metrics = metrics or silent()
        self._given: int | None = None
        self._parked: deque[tuple[int | None, int]] = deque()  # (the record before it, the parked one)
        self._durable: int | None = None

    def process(self, records: Sequence[Record]) -> None:
        """Return once the handler has accepted each record or it has been parked.

        Raises:
            Stopped: while waiting for a service.
        """
        if not records:
            return self._all(records)
        with self._metrics.timed("BatchTime"):
            self._all(records)
        self._given = records[-1].sequence
        self._metrics.count("Records", len(records))
        lag = datetime.now(UTC) - records[-1].arrival
        self._metrics.duration("Lag", max(0.0, lag.total_seconds()))
        return None

    def settle(self, seconds: float = SETTLE_SECONDS) -> bool:
        """Give the handler so much time to finish; True once everything that was given is durable."""
        self._patience.call(lambda: self._handler.settle(time.monotonic() + seconds))
        return self._given is None or (self.durable() or -1) >= self._given

    def finish(self) -> None:
        """The shard has ended: return once everything in it is durable.

        Raises:
            Stopped: before that.
        """
        while not self.settle():
            self.process([])
            self._patience.pause(SETTLE_PAUSE)

    def drain(self, deadline: float) -> None:
        """What can't be finished until the deadline (monotonic seconds) comes again."""
        try:
            self._handler.drain(deadline)
        except Exception:  # noqa: BLE001  what is not durable comes again
            _log.warning("%s left work unfinished", self._name, exc_info=True)

    def park(self, record: Record, error: Exception) -> None:
        """Don't give it to the handler: it has had its attempts."""
        _log.error("%s: parked %s: %s", self._name, record.place, type(error).__name__, exc_info=error)
        self._patience.call(lambda: self._parking.park(record, error, ATTEMPTS))
        self._parked.append((self._given, record.sequence))
        self._given = record.sequence
        self._metrics.count("Parked")

    @property
    def given(self) -> int | None:
        """The last record that the handler accepted, or that was parked."""
        return self._given

    def durable(self) -> int | None:
        """What the handler has finished, and the parked records that follow it directly."""
        known = [known for known in (self._durable, self._handler.durable()) if known is not None]
        self._durable = max(known, default=None)
        while self._parked and self._reached(self._parked[0][0]):
            self._durable = max(self._durable or 0, self._parked.popleft()[1])
        return self._durable

    def _reached(self, sequence: int | None) -> bool:
        return sequence is None or (self._durable is not None and self._durable >= sequence)

    def _all(self, records: Sequence[Record]) -> None:
        try:
            self._accepted(records)
        except Stopped:
            raise
        except Exception:  # noqa: BLE001  whatever a record causes is that record's business
            _log.warning("%s: a batch failed; each of its records is tried alone", self._name)
            for record in records:
                self._alone(record)

    def _alone(self, record: Record) -> None:
        for attempt in range(2, ATTEMPTS + 1):
            error = self._tried(record)
            if error is None:
                self._given = record.sequence
                return
            self._metrics.count("FailedAttempts")
            if attempt == ATTEMPTS:
                self.park(record, error)

    def _tried(self, record: Record) -> Exception | None:
        try:
            self._accepted([record])
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  it is parked with the record
            return error
        return None

    def _accepted(self, records: Sequence[Record]) -> None:
        self._patience.call(lambda: self._handler.process(records))
