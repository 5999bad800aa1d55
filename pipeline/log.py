"""The log as a port: append, and read shard by shard. Backends: `pipeline.memory`, `pipeline.kinesis`.

Delivery is at-least-once and unordered across shards; inside a shard sequence numbers increase.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from pipeline.appending import Entry
from pipeline.envelope import Envelope

__all__ = ["Batch", "Log", "Place", "RawLog", "Reader", "Record", "Shard", "TimedLog", "sequence_text"]

SEQUENCE_DIGITS = 60  # Kinesis uses about 56; a DynamoDB Number would hold 38


def sequence_text(sequence: int) -> str:
    """A sequence number as text whose order is the order of numbers."""
    return f"{sequence:0{SEQUENCE_DIGITS}d}"


class Place(BaseModel):
    """Where a record lies in the log."""

    model_config = ConfigDict(frozen=True)

    shard: str
    sequence: str = Field(pattern=r"^[0-9]{1,100}$")


@dataclass(frozen=True, slots=True)
class Record:
    data: bytes
    partition_key: str
    shard: str
    sequence: int
    arrival: datetime

    @property
    def place(self) -> Place:
        return Place(shard=self.shard, sequence=sequence_text(self.sequence))


@dataclass(frozen=True, slots=True)
class Shard:
    id: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read gave; `closed` says that a split or merge has ended the shard after these."""

    records: Sequence[Record]
    behind_ms: int = 0
    closed: bool = False


class Reader(Protocol):
    """Reads one shard forward."""

    def read(self, limit: int = 1000) -> Batch: ...


class Log(Protocol):
    def append(self, envelopes: Sequence[Envelope]) -> None:
        """Return once every envelope is stored; each at least once, in no particular order.

        Raises:
            Unavailable: nothing is known of the envelopes that were not confirmed; append them again.
        """
        ...

    def shards(self) -> Sequence[Shard]: ...

    def reader(self, shard: str, after: int | None) -> Reader:
        """Read behind a sequence number, or from the oldest record (None)."""
        ...

    def fetch(self, place: Place) -> Record | None:
        """One record by its place; None once it has left the retention."""
        ...


class TimedLog(Log, Protocol):
    """A log that can be entered at a time as well: for those who look into it, not for those who process it."""

    def reader_since(self, shard: str, moment: datetime) -> Reader:
        """Read from the first record that arrived at that moment or later."""
        ...


class RawLog(Log, Protocol):
    """A log that takes records of any bytes: for those who bring what was meant for it, or lay in it before."""

    def append_entries(self, entries: Sequence[Entry]) -> None:
        """Bytes and partition keys stay as they are; otherwise as `append`."""
        ...
