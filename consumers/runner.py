"""One runner serves every host: it waits for services that are down, and isolates records at fault.

A record is tried `ATTEMPTS` times, the last ones alone; then it is parked and the shard goes on. A service
that is down is waited for without limit: nothing is parked, nothing is skipped.
"""

import logging
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
        try:
            self._accepted(records)
        except Stopped:
            raise
        except Exception:  # noqa: BLE001  whatever a record causes is that record's business
            _log.warning("%s: a batch failed; each of its records is tried alone", self._name)
            for record in records:
                self._alone(record)
        if records:
            self._given = records[-1].sequence
            self._metrics.count("Records", len(records))
            lag = datetime.now(UTC) - records[-1].arrival
            self._metrics.duration("Lag", max(0.0, lag.total_seconds()))

    def durable(self) -> int | None:
        """What the handler has finished, and the parked records that follow it directly."""
        known = [known for known in (self._durable, self._handler.durable()) if known is not None]
        self._durable = max(known, default=None)
        while self._parked and self._reached(self._parked[0][0]):
            self._durable = max(self._durable or 0, self._parked.popleft()[1])
        return self._durable

    def _reached(self, sequence: int | None) -> bool:
        return sequence is None or (self._durable is not None and self._durable >= sequence)

    def _alone(self, record: Record) -> None:
        for attempt in range(2, ATTEMPTS + 1):
            error = self._tried(record)
            if error is None:
                break
            if attempt == ATTEMPTS:
                self._park(record, error)
        self._given = record.sequence

    def _tried(self, record: Record) -> Exception | None:
        try:
            self._accepted([record])
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  it is parked with the record
            return error
        return None

    def _park(self, record: Record, error: Exception) -> None:
        _log.error("%s: parked %s: %s", self._name, record.place, type(error).__name__, exc_info=error)
        self._patience.call(lambda: self._parking.park(record, error, ATTEMPTS))
        self._parked.append((self._given, record.sequence))
        self._metrics.count("Parked")

    def _accepted(self, records: Sequence[Record]) -> None:
        self._patience.call(lambda: self._handler.process(records))
