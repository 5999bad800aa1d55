"""The pace of sending: so many mails a second over all processes, granted in blocks of a second.

    block 17 (14 mails):  A takes 5 ─► B takes 9 ─► C finds none left, and waits for block 18

Bulk leaves a little of each block to transactional mail, and takes what is left of it near the block's end.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pipeline.errors import Unavailable

__all__ = ["Block", "Grants", "MemoryGrants", "Pace", "SendRate"]

RESERVE = 0.1  # of a block, for transactional mail
AHEAD = (
    0.05  # of a block, taken by a process beyond what waits: fewer calls, and nobody else goes short for long
)
RATE_SECONDS = 60.0
LATE = 0.75  # of a block: what is reserved until now is free for all


class Block(NamedTuple):
    """Of which block how many mails were granted."""

    number: int
    granted: int


class Grants(Protocol):
    def take(self, number: int, wanted: int, most: int) -> Block:
        """Take up to `wanted` of a block in which at most `most` may be granted in all.

        A later block than `number` may be the current one already: then it is of that one.
        """
        ...


class MemoryGrants:
    """For one process."""

    def __init__(self) -> None:
        self._number, self._granted = 0, 0
        self._lock = threading.Lock()

    def take(self, number: int, wanted: int, most: int) -> Block:
        with self._lock:
            if number > self._number:
                self._number, self._granted = number, 0
            granted = max(0, min(wanted, most - self._granted))
            self._granted += granted
            return Block(self._number, granted)


class SendRate:
    """min(the account's rate, the engine's own), looked up again every minute; the last one known while SES is down."""

    def __init__(
        self, of_account: Callable[[], float], own: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._of_account, self._own, self._monotonic = of_account, own, monotonic
        self._known: float | None = None
        self._until = 0.0

    def current(self) -> float:
        """Raises Unavailable as long as nothing is known."""
        now = self._monotonic()
        if now >= self._until:
            self._until = now + RATE_SECONDS
            self._look_up()
        if self._known is None:
            self._look_up()
        return min(self._known or self._own, self._own)

    def _look_up(self) -> None:
        try:
            self._known = self._of_account()
        except Unavailable:
            if self._known is None:
                raise


class Pace:
    """`now` in seconds since the epoch; a rate below one a second makes blocks longer than a second."""

    def __init__(
        self, grants: Grants, per_second: Callable[[], float], now: Callable[[], float], *, bulk: bool = False
    ) -> None:
        self._grants, self._per_second, self._now, self._bulk = grants, per_second, now, bulk
        self._block = Block(0, 0)
        self._waiting = 0
        self._lock = threading.Lock()

    def take(self) -> float:
        """0 with the right to send one mail now, else the seconds to wait before asking again."""
        self._waiting += 1
        try:
            with self._lock:
                return self._taken()
        finally:
            self._waiting -= 1

    def _taken(self) -> float:
        rate = self._per_second()
        length = max(1.0, 1 / rate)
        position = self._now() / length
        if self._block.number < int(position) or not self._block.granted:
            size = rate * length
            wanted = max(1, self._waiting) + int(size * AHEAD)
            self._block = self._grants.take(int(position), wanted, self._most(size, position))
        if not self._block.granted:
            return self._until(position) * length
        self._block = self._block._replace(granted=self._block.granted - 1)
        return 0.0

    def _most(self, size: float, position: float) -> int:
        reserved = max(1.0, size * RESERVE) if self._bulk and position % 1 < LATE else 0.0
        return max(0, int(size + 1e-9) - int(reserved))

    def _until(self, position: float) -> float:
        """The part of a block until something may be free again."""
        passed = position % 1
        return (LATE if self._bulk and passed < LATE else 1.0) - passed + 0.001
