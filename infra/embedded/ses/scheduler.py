"""One thread that does things when they are due."""

import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from typing import Generic, TypeVar

__all__ = ["Scheduler"]

Item = TypeVar("Item")


class Scheduler(Generic[Item]):
    """Hands each item to `act` after its delay, in the order in which they are due.

    `act` must not raise. Items still waiting at `close` are dropped.
    """

    def __init__(self, act: Callable[[Item], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._act = act
        self._clock = clock
        self._heap: list[tuple[float, int, Item]] = []
        self._order = count()
        self._acting = 0
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="ses-feedback", daemon=True)
        self._thread.start()

    def schedule(self, delay: float, item: Item) -> None:
        with self._changed:
            heappush(self._heap, (self._clock() + delay, next(self._order), item))
            self._changed.notify_all()

    def pending(self) -> int:
        """Items that are waiting or being acted upon."""
        with self._changed:
            return self._pending()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is pending; False when the time ran out first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not self._pending(), timeout)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify_all()
        self._thread.join()

    def _pending(self) -> int:
        return len(self._heap) + self._acting

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._act(item[0])
            with self._changed:
                self._acting = 0
                self._changed.notify_all()

    def _next(self) -> tuple[Item] | None:
        """The next item once it is due; None at the end."""
        with self._changed:
            while not self._closed:
                wait = self._heap[0][0] - self._clock() if self._heap else None
                if wait is not None and wait <= 0:
                    # Counted as acting before it leaves the heap's count: `pending` never dips to 0 between.
                    self._acting = 1
                    return (heappop(self._heap)[2],)
                self._changed.wait(wait)
            return None
