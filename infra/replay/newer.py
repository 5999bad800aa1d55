"""What has come into the log since a job's bounds: a row that differs may simply know more."""

import time
from collections.abc import Callable, Sequence

from consumers.names import ConsumerName
from consumers.projector import readable
from infra.replay.bounds import Bounds, bounds_of
from pipeline.codec import Event
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.events import RecordParked
from pipeline.kinesis import KinesisLog
from pipeline.log import Reader, Record

__all__ = ["Newer"]

LONGEST_WAIT = 60.0
POLL_SECONDS = 0.5


class Newer:
    def __init__(
        self, engine: Engine, log: KinesisLog, bounds: Bounds, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._engine, self._log, self._bounds, self._pause = engine, log, bounds, pause
        self._readers: dict[str, Reader] = {}
        self._records: list[Record] = []

    def events(self) -> Sequence[Event]:
        """All that lies behind the bounds now, once the projector has processed it. Raises UserError if it doesn't."""
        for shard in self._log.shards():
            if shard.id not in self._readers:
                after = self._bounds.get(shard.id)
                self._readers[shard.id] = self._log.reader(shard.id, after)
            self._read_on(self._readers[shard.id])
        self._wait()
        events = readable(self._records)
        parked = {fact.place for event in events if (fact := _parked(event))}
        return readable([record for record in self._records if record.place not in parked])

    def _read_on(self, reader: Reader) -> None:
        while True:
            batch = reader.read()
            self._records += batch.records
            if batch.closed or not (batch.records or batch.behind_ms):
                return

    def _wait(self) -> None:
        reached = {record.shard: record.sequence for record in self._records}
        deadline = time.monotonic() + LONGEST_WAIT
        while True:
            bounds = bounds_of(self._engine)
            behind = [shard for shard, sequence in reached.items() if bounds.get(shard, 0) < sequence]
            if not behind:
                return
            if time.monotonic() > deadline:
                raise UserError(
                    f"the projector has not come on in {', '.join(behind)} for {LONGEST_WAIT:g} s: rows that "
                    "differ can't be judged before it has; see that it runs"
                )
            self._pause(POLL_SECONDS)


def _parked(event: Event) -> RecordParked | None:
    """By the projector."""
    body = event.body
    return body if isinstance(body, RecordParked) and body.consumer == ConsumerName.PROJECTOR else None
