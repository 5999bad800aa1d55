"""Work that comes piece by piece and is carried out in groups, in a thread of its own."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from consumers.patience import Stopped

__all__ = ["InGroups"]

Piece = TypeVar("Piece")

_log = logging.getLogger(__name__)


class InGroups(Generic[Piece]):
    """A piece at fault must not take the others with it: it is tried alone, and handed to `fault` then.

    `gather`: seconds for which the first of a group waits for others.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Piece]], None],
        fault: Callable[[Piece, Exception], None],
        size: int = 100,
        gather: float = 0.0,
    ) -> None:
        self._work, self._fault, self._size, self._gather = work, fault, size, gather
        self._pieces: queue.Queue[Piece | None] = queue.Queue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._pieces.qsize()

    def put(self, piece: Piece) -> None:
        self._pieces.put(piece)

    def stop(self, timeout: float) -> None:
        """Work off what has been put, until the timeout."""
        self._ending.set()
        self._pieces.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while group := self._next():
                self._tried(group)
        except Stopped:
            return

    def _next(self) -> Sequence[Piece]:
        """Empty once there is nothing more to come."""
        first = self._pieces.get()
        group = [] if first is None else [first]
        if group and self._gather:
            self._ending.wait(self._gather)
        while group and len(group) < self._size and not self._pieces.empty():
            another = self._pieces.get()
            if another is None:
                self._pieces.put(None)
                break
            group.append(another)
        return group

    def _tried(self, group: Sequence[Piece]) -> None:
        try:
            self._work(group)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  the piece at fault is found by trying each alone
            if len(group) == 1:
                self._hand_over(group[0], error)
                return
            for piece in group:
                self._tried([piece])

    def _hand_over(self, piece: Piece, error: Exception) -> None:
        try:
            self._fault(piece, error)
        except Stopped:
            raise
        except Exception:  # noqa: BLE001  the thread's last line of defence: others still wait for it
            _log.exception("a fault could not be handled either; its record stays unfinished")
