"""The archiver: the log in Parquet files, each record exactly once, without a coordinator.

A file holds one contiguous range of one shard. Its name says which sequence number it follows and it lies
under the arrival hour of its first record, so every worker that goes on after the same record aims at
the same name; it is created only if absent:

    worker A:  rows 11…20 ─► create events/…/shard_10  ─► created ─► crash, no checkpoint
    worker B:  rows 11…25 ─► create events/…/shard_10  ─► exists, its last is 20 ─► goes on with 21…25

A worker begins after the shard's last archived record, whatever became of its checkpoint. A file spans at
most an hour of arrivals, so a reader who looks for a time knows how far before it a file may lie.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from consumers.handler import Handler
from consumers.parquet import encoded_records
from pipeline.archive import SCHEMA_VERSION
from pipeline.log import Record, sequence_text

__all__ = ["ArchiveFiles", "Archiver", "FileFacts", "file_key", "shard_of"]

FLUSH_BYTES = 64 * 1024 * 1024
LONGEST_SPAN = timedelta(hours=1)

FileFacts = Mapping[str, str]  # shard, after, first, last (sequence texts), count, schema


class ArchiveFiles(Protocol):
    def create(self, key: str, body: bytes, facts: FileFacts) -> FileFacts | None:
        """Create the file if there is none under this key; returns the facts of the one that there is."""
        ...

    def last_of(self, shard: str, since: datetime) -> FileFacts | None:
        """The last file of a shard's chain, looked for first among those that begin from a day before `since`."""
        ...


def file_key(shard: str, after: int, first_arrival: datetime) -> str:
    arrival = first_arrival.astimezone(UTC)
    return f"events/dt={arrival:%Y-%m-%d}/hh={arrival:%H}/{shard}_{sequence_text(after)}.parquet"


def shard_of(key: str) -> str:
    return key.rpartition("/")[2].rpartition("_")[0]


class Archiver(Handler):
    """`after`: the checkpoint from which the host reads on, None for the oldest record of the shard.

    Where the archive has more than the checkpoint says, the archive is right.
    """

    def __init__(
        self,
        files: ArchiveFiles,
        shard: str,
        after: int | None,
        flush_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._shard = files, shard
        self._flush_seconds, self._monotonic = flush_seconds, monotonic
        self._after = after
        self._archived: int | None = None
        self._waiting: list[Record] = []
        self._bytes = 0
        self._since = 0.0

    def process(self, records: Sequence[Record]) -> None:
        if self._archived is None and records:
            self._archived = self._found(records[0].arrival)
        for record in records:
            while self._is_new(record) and self._is_far(record):
                self._flush()
            if self._is_new(record):
                self._accept(record)
        if self._waiting and self._is_time():
            self._flush()

    def durable(self) -> int | None:
        return self._archived or None

    def settle(self, deadline: float) -> None:
        """Write what is waiting, however little."""
        while self._waiting and self._monotonic() < deadline:
            self._flush()

    def drain(self, deadline: float) -> None:
        self.settle(deadline)

    def _found(self, since: datetime) -> int:
        known = self._files.last_of(self._shard, since)
        return max(int(known["last"]) if known else 0, self._after or 0)

    def _is_new(self, record: Record) -> bool:
        last = self._waiting[-1].sequence if self._waiting else self._archived or 0
        return record.sequence > last

    def _is_far(self, record: Record) -> bool:
        """Too far in time from the first of those that wait to lie in one file with it."""
        return bool(self._waiting) and abs(record.arrival - self._waiting[0].arrival) >= LONGEST_SPAN

    def _accept(self, record: Record) -> None:
        if not self._waiting:
            self._since = self._monotonic()
        self._waiting.append(record)
        self._bytes += len(record.data)

    def _is_time(self) -> bool:
        return self._bytes >= FLUSH_BYTES or self._monotonic() - self._since >= self._flush_seconds

    def _flush(self) -> None:
        """Write one file, or take the one that is there as written; what it leaves over keeps waiting."""
        after, first = self._archived or 0, self._waiting[0]
        facts = self._facts(after)
        body = encoded_records(self._waiting, facts)
        there = self._files.create(file_key(self._shard, after, first.arrival), body, facts)
        self._archived = int((there or facts)["last"])
        self._waiting = [record for record in self._waiting if record.sequence > self._archived]
        self._bytes = sum(len(record.data) for record in self._waiting)

    def _facts(self, after: int) -> FileFacts:
        return {
            "shard": self._shard,
            "after": sequence_text(after),
            "first": sequence_text(self._waiting[0].sequence),
            "last": sequence_text(self._waiting[-1].sequence),
            "count": str(len(self._waiting)),
            "schema": str(SCHEMA_VERSION),
        }
