"""The pace of sending: so many mails a second, evenly spaced, over the threads of this process."""

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    def __init__(
        self, per_second: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._monotonic = per_second, monotonic
        self._next = 0.0
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take the next place in the row; returns the seconds to wait until it comes."""
        with self._lock:
            now = self._monotonic()
            place = max(now, self._next)
            self._next = place + 1 / self._per_second()
            return place - now
