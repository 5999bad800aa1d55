"""Whether the archive is complete: the chain of each shard's files, and what the stream still holds of it.

shard   0 ◄─ shard_0 (1…10) ◄─ shard_10 (11…20) ◄─ shard_20 (21…25)     each file names whom it follows
a file that is missing leaves one behind that follows nobody; one that was cut short says so itself
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

from consumers.archiver import shard_of
from pipeline.log import Record

__all__ = ["Archived", "Broken", "Comparison", "Fault", "chains", "faults"]

Key = str


@dataclass(frozen=True, slots=True)
class Archived:
    """A file as it says of itself: `count` records of a shard, from `first` to `last`, behind `after`."""

    key: Key
    shard: str
    after: int
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that can't be read, and why."""

    key: Key
    why: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the archive of a shard, for a person; `key` is the file, if it is about one."""

    shard: str
    what: str
    key: Key | None = None


def chains(files: Iterable[Archived]) -> dict[str, list[Archived]]:
    """The files of each shard in the order of its records."""
    ordered = sorted(files, key=lambda file: (file.shard, file.after, file.first))
    return {shard: list(group) for shard, group in groupby(ordered, key=lambda file: file.shard)}


def faults(files: Sequence[Archived | Broken]) -> Iterator[Fault]:
    """What the files alone tell."""
    for file in files:
        if isinstance(file, Broken):
            yield Fault(shard_of(file.key), file.why, file.key)
    broken = {_after_of(file.key) for file in files if isinstance(file, Broken)}
    for shard, chain in chains(file for file in files if isinstance(file, Archived)).items():
        if chain[0].after and (shard, 0) not in broken:
            yield Fault(shard, "the files before it are missing", chain[0].key)
        for one, other in pairwise(chain):
            if other.after > one.last and (shard, one.last) not in broken:
                yield Fault(shard, f"the files between it and {one.key} are missing", other.key)
            elif other.after < one.last:
                yield Fault(shard, f"it overlaps {one.key}", other.key)


class Comparison:
    """A shard's files against what the stream still holds of it; only files whose first record it holds count.

    What arrived before `late` should have been archived.
    """

    def __init__(self, shard: str, chain: Sequence[Archived], late: datetime) -> None:
        self._shard, self._chain, self._late = shard, sorted(chain, key=lambda file: file.first), late
        self._held: Counter[Key] = Counter()
        self._firsts = [file.first for file in self._chain]
        self._oldest: int | None = None
        self._missing = 0

    def take(self, records: Sequence[Record]) -> None:
        """The next records of the shard, from the oldest one on."""
        end = self._chain[-1].last if self._chain else 0
        for record in records:
            if self._oldest is None:
                self._oldest = record.sequence
            file = self._file_of(record.sequence)
            if file:
                self._held[file.key] += 1
            elif record.sequence < end or record.arrival < self._late:
                self._missing += 1

    def faults(self) -> Iterator[Fault]:
        for file in self._chain:
            there = self._held[file.key]
            if self._oldest is not None and self._oldest <= file.first and there != file.count:
                what = f"it holds {file.count:,} records, the stream {there:,} of the same range"
                yield Fault(self._shard, what, file.key)
        if self._missing:
            yield Fault(self._shard, f"{self._missing:,} records that the stream still holds are in no file")

    def _file_of(self, sequence: int) -> Archived | None:
        place = bisect_right(self._firsts, sequence)
        return self._chain[place - 1] if place and sequence <= self._chain[place - 1].last else None


def _after_of(key: Key) -> tuple[str, int]:
    after = key.rpartition("_")[2].removesuffix(".parquet")
    return shard_of(key), int(after) if after.isdigit() else -1
