"""What a consumer is to the host that runs it: one handler for one shard.

The host checkpoints `durable()` and nothing else, so a crash repeats records and never skips one.
"""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from pipeline.log import Record

__all__ = ["Handler", "Watermark"]


class Handler(Protocol):
    def process(self, records: Sequence[Record]) -> None:
        """Accept records in the order of the shard; called at least every second, also with none.

        Raises:
            Unavailable: a service is down; the same records are given again later.
            Anything else: one of the records is at fault.
        """
        ...

    def durable(self) -> int | None:
        """The sequence number up to which all accepted work is finished; None before the first."""
        ...

    def settle(self, deadline: float) -> None:  # noqa: ARG002
        """Finish what was accepted until the deadline (monotonic seconds); more may be accepted afterwards."""
        return  # not abstract: a handler that finishes inside `process` has nothing to settle

    def drain(self, deadline: float) -> None:
        """Start nothing new and finish what is in flight until the deadline (monotonic seconds)."""
        ...


class Watermark:
    """Which of the accepted records are finished, in whatever order they finish. Thread-safe."""

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._finished: set[int] = set()
        self._durable: int | None = None
        self._accepted: int = -1
        self._changed = threading.Condition()

    def accept(self, sequence: int) -> bool:
        """False for a record that was accepted before and is still the business of this handler."""
        with self._changed:
            if sequence <= self._accepted:
                return False
            self._accepted = sequence
            self._open.append(sequence)
            return True

    def finish(self, sequence: int) -> None:
        with self._changed:
            self._finished.add(sequence)
            while self._open and self._open[0] in self._finished:
                self._durable = self._open.popleft()
                self._finished.discard(self._durable)
            self._changed.notify_all()

    @property
    def durable(self) -> int | None:
        with self._changed:
            return self._durable

    def wait(self, timeout: float) -> bool:
        """True once nothing that was accepted is unfinished."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, max(0.0, timeout))
