"""How far feedback has been heard, over all shards: an open claim may be taken over only once that is far enough.

    shard 1:  Send Due(A) is read, the grace of A's claim is over ─► is everything heard that came until then?
    shard 2:  … feedback of A lies here, and its reader has died ─► no ─► the request comes back a little later

Whoever hears feedback notes up to which record of its shard he has heard all. How far that reaches in time the log
knows: to the arrival of the first record behind it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from consumers.witness import Heard, Witness
from pipeline import times
from pipeline.errors import Unavailable
from pipeline.log import Log
from pipeline.times import Clock

__all__ = ["Ear", "Hearing", "Marks", "MemoryMarks"]

NOTE_SECONDS = 3.0
KEEP_SECONDS = 2.0  # of the five reads a second that a shard takes, few belong to us

_log = logging.getLogger(__name__)


class Marks(Protocol):
    """Of each shard the sequence number up to which all feedback has closed its claim. A lower one is no harm."""

    def write(self, shard: str, sequence: int) -> None: ...

    def read(self) -> Mapping[str, int]: ...


class MemoryMarks:
    def __init__(self) -> None:
        self._marks: dict[str, int] = {}

    def write(self, shard: str, sequence: int) -> None:
        self._marks[shard] = sequence

    def read(self) -> Mapping[str, int]:
        return dict(self._marks)


class Hearing:
    """Asks how far all shards are heard. Thread-safe."""

    def __init__(
        self, marks: Marks, log: Log, now: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._marks, self._log, self._now, self._monotonic = marks, log, now, monotonic
        self._until, self._good_until = times.parse("1970-01-01"), 0.0
        self._lock = threading.Lock()

    def is_heard(self, moment: datetime) -> bool:
        """Whether all feedback that arrived before this moment is heard. Raises Unavailable."""
        with self._lock:
            if moment > self._until and self._monotonic() >= self._good_until:
                self._until = self._heard_until()
                self._good_until = self._monotonic() + KEEP_SECONDS
            return moment <= self._until

    def _heard_until(self) -> datetime:
        now, marks = self._now(), self._marks.read()
        return min(
            (self._first_unheard(shard.id, marks.get(shard.id), now) for shard in self._log.shards()),
            default=now,
        )

    def _first_unheard(self, shard: str, mark: int | None, now: datetime) -> datetime:
        """When the first record behind the mark arrived; now where there is none."""
        reader = self._log.reader(shard, mark)
        while True:
            batch = reader.read(1)
            if batch.records:
                return min(batch.records[0].arrival, now)
            if batch.closed or not batch.behind_ms:
                return now


class Ear:
    """Notes how far one shard is heard. `after`: up to there all was finished before this one began."""

    def __init__(
        self,
        witness: Witness,
        marks: Marks,
        shard: str,
        after: int | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._witness, self._marks, self._shard, self._monotonic = witness, marks, shard, monotonic
        self._reached, self._noted = after, -1
        self._listening: tuple[int, frozenset[Heard]] | None = None
        self._next = 0.0

    def reached(self, sequence: int | None) -> None:
        """All feedback up to there was put before the witness; called about every second, also with None."""
        self._reached = sequence if sequence is not None else self._reached
        if self._listening is None and self._is_time() and self._is_news():
            assert self._reached is not None
            self._listening = self._reached, self._witness.unheard
        if self._listening and self._listening[1].isdisjoint(self._witness.unheard):
            self._note(self._listening[0])
            self._listening = None

    def finished(self) -> None:
        """All that was put is heard. Raises Unavailable."""
        if self._is_news():
            assert self._reached is not None
            self._marks.write(self._shard, self._reached)
            self._noted = self._reached

    def _is_time(self) -> bool:
        return self._monotonic() >= self._next

    def _is_news(self) -> bool:
        return self._reached is not None and self._reached > self._noted

    def _note(self, sequence: int) -> None:
        self._next = self._monotonic() + NOTE_SECONDS
        try:
            self._marks.write(self._shard, sequence)
        except Unavailable as error:
            _log.warning("how far %s is heard could not be noted: %s", self._shard, error)
        else:
            self._noted = sequence
