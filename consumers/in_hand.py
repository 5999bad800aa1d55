"""Which record a process has in hand, noted where it outlives the process: one that kills is found and parked.

    start 1, 2   records come in batches ─► the process dies: nobody knows of which record
    start 3      same checkpoint again: one record at a time, each noted before it is processed ─► it dies
    start 4      the note names the record: it has had its three attempts, and is parked

A note is written once a start and shard, and for each record only in a third start at the same checkpoint.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from consumers.runner import ATTEMPTS
from pipeline.log import Record

__all__ = ["InHand", "Killed", "Note", "Notes"]


class Killed(Exception):
    """A record with which the process ended, without a word, each time."""


@dataclass(frozen=True, slots=True)
class Note:
    """How often a process began at this checkpoint, and the record that it has in hand if it looks closely."""

    checkpoint: int | None = None
    starts: int = 0
    record: int | None = None


class Notes(Protocol):
    """A note for each consumer and shard; the latest one counts."""

    def read(self, consumer: str, shard: str) -> Note | None: ...

    def write(self, consumer: str, shard: str, note: Note) -> None: ...


class InHand:
    """The notes of one consumer about one shard, from a start at this checkpoint. Raises Unavailable."""

    def __init__(self, notes: Notes, consumer: str, shard: str, checkpoint: int | None) -> None:
        self._notes, self._consumer, self._shard = notes, consumer, shard
        known = notes.read(consumer, shard)
        again = known if known and known.checkpoint == checkpoint else Note(checkpoint)
        self._note = replace(again, starts=again.starts + 1)
        self._written = False

    @property
    def suspicious(self) -> bool:
        """Whether it is time to look at each record alone."""
        return self._note.starts >= ATTEMPTS

    def begin(self) -> None:
        """Before the first records are processed."""
        if not self._written:
            self._write(self._note)

    def has_killed(self, record: Record) -> bool:
        """Whether an earlier process ended with this record in hand, and others before it at this place."""
        return self._note.record == record.sequence

    def take(self, record: Record) -> None:
        self._write(replace(self._note, record=record.sequence))

    def lay_down(self) -> None:
        """Nothing is in hand any more: what happens next is nobody's fault."""
        if self._written:
            self._write(Note())

    def _write(self, note: Note) -> None:
        self._notes.write(self._consumer, self._shard, note)
        self._note, self._written = note, True
