"""Which record a process has in hand, noted where it outlives the process: one that kills is found and parked.

    start 1, 2   records come in batches ─► the process dies: nobody knows of which record
    start 3      same checkpoint again: one record at a time, each noted before it is processed ─► it dies
    start 4      the note names the record: it has had its three attempts, and is parked

A note is written once a start and shard, and for each record only where a process died several times.
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
    """How often a process began at this checkpoint; the record it has in hand, and with how many attempts."""

    checkpoint: int | None = None
    starts: int = 0
    record: int | None = None
    attempts: int = 0


class Notes(Protocol):
    """A note for each consumer and shard; the latest one counts."""

    def read(self, consumer: str, shard: str) -> Note | None: ...

    def write(self, consumer: str, shard: str, note: Note) -> None: ...


class InHand:
    """The notes of one consumer about one shard, from a start at this checkpoint. Raises Unavailable."""

    def __init__(self, notes: Notes, consumer: str, shard: str, checkpoint: int | None) -> None:
        self._notes, self._consumer, self._shard = notes, consumer, shard
        self._known = notes.read(consumer, shard) or Note()
        starts = self._known.starts if self._known.checkpoint == checkpoint else 0
        self._note = Note(checkpoint, starts + 1)
        self._written = False

    @property
    def suspicious(self) -> bool:
        """Whether it is time to look at each record alone."""
        return self._note.starts >= ATTEMPTS or self._known.record is not None

    def begin(self) -> None:
        """Before the first records are processed."""
        if not self._written:
            self._write(self._note)

    def has_killed(self, record: Record) -> bool:
        """Whether that many processes ended with this record in hand, as far as anybody knows."""
        return self._known.record == record.sequence and self._known.attempts >= ATTEMPTS

    def take(self, record: Record) -> None:
        """Where no record is known to have killed, each start at this checkpoint may have ended with this one."""
        if self._known.record == record.sequence:
            attempts = self._known.attempts + 1
        else:
            attempts = self._note.starts if self._known.record is None else 1
        self._write(replace(self._note, record=record.sequence, attempts=attempts))

    def lay_down(self) -> None:
        """Nothing is in hand any more: what happens next is nobody's fault."""
        if self._written:
            self._write(Note())

    def _write(self, note: Note) -> None:
        self._notes.write(self._consumer, self._shard, note)
        self._note, self._written = note, True
