"""The log in memory, with the faults a real one has: for tests, and for reading this code.

Delivery guarantee: as the faults say. Without faults each record once, in order.
"""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import TypeVar

from pipeline.appending import Entry, append_all, put_all
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable
from pipeline.log import Batch, Place, Record, Shard
from pipeline.times import Clock

__all__ = ["Crash", "Faults", "MemoryLog"]

Given = TypeVar("Given")


class Crash(BaseException):
    """The process dies here. Not an Exception: nothing may catch it and carry on."""


@dataclass
class Faults:
    """Shares between 0 and 1, decided by a seeded generator, so that a run repeats."""

    duplicate: float = 0.0
    reorder: float = 0.0
    partial_failure: float = 0.0
    unavailable: float = 0.0
    crash_after_append: float = 0.0
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  faults are no secrets

    def happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def arranged(self, given: Sequence[Given]) -> list[Given]:
        arranged = [each for each in given for _ in range(2 if self.happens(self.duplicate) else 1)]
        if self.happens(self.reorder):
            self._random.shuffle(arranged)
        return arranged


class MemoryLog:
    """`now` tells when a record arrives; without it, times grow with the sequence numbers."""

    def __init__(self, shards: int = 1, faults: Faults | None = None, now: Clock | None = None) -> None:
        self._faults, self.now = faults or Faults(), now
        self._records: dict[str, list[Record]] = {f"shardId-{n:012d}": [] for n in range(shards)}
        self._closed: dict[str, tuple[str, ...]] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._sequence = 0
        self._lock = threading.RLock()

    def append(self, envelopes: Sequence[Envelope]) -> None:
        append_all(self._put, self._faults.arranged(envelopes), pause=lambda _: None)
        self._may_crash()

    def append_entries(self, entries: Sequence[Entry]) -> None:
        put_all(self._put, self._faults.arranged(entries), pause=lambda _: None)
        self._may_crash()

    def _may_crash(self) -> None:
        if self._faults.happens(self._faults.crash_after_append):
            raise Crash

    def _put(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        if self._faults.happens(self._faults.unavailable):
            raise Unavailable("the log refuses at the moment")
        refused = []
        for entry in entries:
            if self._faults.happens(self._faults.partial_failure):
                refused.append(entry)
            else:
                self.append_bytes(entry.data, entry.partition_key)
        return refused

    def append_bytes(self, data: bytes, partition_key: str) -> Record:
        with self._lock:
            open_shards = [shard for shard in self._records if shard not in self._closed]
            shard = open_shards[int(md5(partition_key.encode()).hexdigest(), 16) % len(open_shards)]  # noqa: S324  as Kinesis does
            self._sequence += 1 + self._sequence % 7  # sparse, as real ones are
            counted = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self._sequence)
            arrival = self.now() if self.now else counted
            record = Record(data, partition_key, shard, self._sequence, arrival)
            self._records[shard].append(record)
            return record

    def split(self, shard: str) -> None:
        with self._lock:
            children = tuple(f"shardId-{len(self._records) + n:012d}" for n in range(2))
            self._closed[shard] = children
            for child in children:
                self._records[child], self._parents[child] = [], (shard,)

    def shards(self) -> Sequence[Shard]:
        with self._lock:
            return [Shard(shard, self._parents.get(shard, ())) for shard in self._records]

    def reader(self, shard: str, after: int | None) -> "_MemoryReader":
        return _MemoryReader(self, shard, after or 0)

    def reader_since(self, shard: str, moment: datetime) -> "_MemoryReader":
        with self._lock:
            earlier = [record.sequence for record in self._records[shard] if record.arrival < moment]
        return _MemoryReader(self, shard, max(earlier, default=0))

    def fetch(self, place: Place) -> Record | None:
        wanted = int(place.sequence)
        return next((r for r in self._records.get(place.shard, ()) if r.sequence == wanted), None)

    def read(self, shard: str, after: int, limit: int) -> Batch:
        with self._lock:
            waiting = [record for record in self._records[shard] if record.sequence > after]
            done = shard in self._closed and len(waiting) <= limit
            return Batch(waiting[:limit], behind_ms=max(0, len(waiting) - limit), closed=done)


class _MemoryReader:
    def __init__(self, log: MemoryLog, shard: str, after: int) -> None:
        self._log, self._shard, self._after = log, shard, after

    def read(self, limit: int = 1000) -> Batch:
        batch = self._log.read(self._shard, self._after, limit)
        if batch.records:
            self._after = batch.records[-1].sequence
        return batch
