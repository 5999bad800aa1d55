"""Which record a process has in hand, noted where it outlives the process: one that kills is found and parked.

    start 1, 2   records come in batches ─► the process dies: nobody knows of which record
    start 3      same checkpoint again: one record at a time, each noted before it is processed ─► it dies
    start 4, 5   … with the same record in hand
    start 6      three processes died with it: it has had its attempts, and is parked

A note is written once a start and shard, and for each record only where a process died several times. Leases move
also while their owner lives: it touches its note, so that only a note which stays as it is tells of a death.
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from consumers.runner import ATTEMPTS
from pipeline.log import Record

__all__ = ["TOUCH_SECONDS", "InHand", "Killed", "Note", "Notes"]

TOUCH_SECONDS = 3.0
STILL_SECONDS = 15.0  # the touches of a living process may be slow


class Killed(Exception):
    """A record with which the process ended, without a word, each time."""


@dataclass(frozen=True, slots=True)
class Note:
    """How often a process began at this checkpoint; the record it has in hand, and with how many attempts.

    `beat` changes as long as the process lives.
    """

    checkpoint: int | None = None
    starts: int = 0
    record: int | None = None
    attempts: int = 0
    beat: int = 0


class Notes(Protocol):
    """A note for each consumer and shard; the latest one counts."""

    def read(self, consumer: str, shard: str) -> Note | None: ...

    def write(self, consumer: str, shard: str, note: Note, owner: str) -> None: ...

    def change(self, consumer: str, shard: str, note: Note, owner: str) -> bool:
        """False where another owner has written since."""
        ...


class InHand:
    """The notes of one consumer about one shard, from a start at this checkpoint. Raises Unavailable."""

    def __init__(
        self,
        notes: Notes,
        consumer: str,
        shard: str,
        checkpoint: int | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notes, self._place, self._checkpoint = notes, (consumer, shard), checkpoint
        self._monotonic, self._owner = monotonic, uuid.uuid4().hex
        self._lock = threading.Lock()
        self._note, self._written = Note(), False
        self._learn(notes.read(consumer, shard) or Note())

    @property
    def suspicious(self) -> bool:
        """Whether it is time to look at each record alone."""
        return self._note.starts >= ATTEMPTS or self._known.record is not None

    def is_clear(self) -> bool:
        """Whether the process before this one is dead, or has nothing in hand any more; ask again until it is."""
        if self._known.record is None or self._written:
            return True
        now = self._notes.read(*self._place) or Note()
        if now != self._known:
            self._learn(now)
        return now.record is None or self._monotonic() - self._since >= STILL_SECONDS

    def begin(self) -> None:
        """Before the first records are processed."""
        if not self._written:
            self._write(self._note)

    def has_killed(self, record: Record) -> bool:
        """Whether that many processes ended with this record in hand."""
        return self._known.record == record.sequence and self._known.attempts >= ATTEMPTS

    def take(self, record: Record) -> None:
        attempts = self._known.attempts + 1 if self._known.record == record.sequence else 1
        self._write(replace(self._note, record=record.sequence, attempts=attempts))

    def touch(self) -> None:
        """Say that the process lives that has a record in hand."""
        with self._lock:
            if self._note.record is not None:
                self._note = replace(self._note, beat=self._note.beat + 1)
                self._notes.change(*self._place, self._note, self._owner)

    def lay_down(self) -> None:
        """Nothing is in hand any more: what happens next is nobody's fault."""
        with self._lock:
            if self._written:
                self._note = Note()
                self._notes.change(*self._place, self._note, self._owner)

    def _learn(self, known: Note) -> None:
        starts = known.starts if known.checkpoint == self._checkpoint else 0
        self._known, self._since = known, self._monotonic()
        self._note = Note(self._checkpoint, starts + 1)

    def _write(self, note: Note) -> None:
        with self._lock:
            self._notes.write(*self._place, note, self._owner)
            self._note, self._written = note, True
