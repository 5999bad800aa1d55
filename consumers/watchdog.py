"""Ends Python code that takes longer than its time, in whatever thread it runs.

CPython can raise an exception in another thread between two bytecodes. The worker leaves the table in one
step; the watchdog marks, then looks whether the worker is still there, then raises. So a worker that has left
unmarked is never raised in, and one that was marked waits for the watchdog's round to end and takes back
what has not arrived:

    worker:    enter ─► action() ────────────────────► leave; marked? ─► wait for the round, take back
    watchdog:             … late? ─► mark ─► still there? ─► raise Overtime … again, after ten rounds

Again, since the first may have been lost: what is raised while an object is being destroyed is ignored.
Time is the thread's own processor time where the system tells it: a busy machine ends nobody's work.
A single call into C is not interrupted; `consumers.sandbox` bounds those.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Overtime", "Watchdog"]

ROUNDS_A_SECOND = 20
ROUNDS_BETWEEN = 10

Result = TypeVar("Result")


class Overtime(BaseException):
    """Not an Exception: nothing that is being watched may catch it and carry on."""


class _Watched:
    """A thread's work: the clock that measures it, its deadline by that clock, and the rounds it was late."""

    __slots__ = ("clock", "deadline", "late")

    def __init__(self, thread: int, seconds: float) -> None:
        self.clock = _clock(thread)
        self.deadline = time.clock_gettime(self.clock) + seconds
        self.late = 0

    def is_late(self) -> bool:
        try:
            return self.late > 0 or time.clock_gettime(self.clock) > self.deadline
        except OSError:  # the thread has ended meanwhile
            return False


def _clock(thread: int) -> int:
    processor_time = getattr(time, "pthread_getcpuclockid", None)  # not on every system
    return processor_time(thread) if processor_time else time.CLOCK_MONOTONIC


class Watchdog:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: dict[int, _Watched] = {}
        self._round = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, action: Callable[[], Result]) -> Result:
        """The action's result. Raises TimeoutError when it takes too long."""
        self._watch()
        try:
            return self._call(action)
        except Overtime as overtime:
            try:
                self._take_back()
            except Overtime:  # of the round in which the worker left, after that of an earlier one
                self._take_back()
            raise TimeoutError(f"it takes longer than {self._seconds:g} s") from overtime

    def _call(self, action: Callable[[], Result]) -> Result:
        me, watched = threading.get_ident(), None
        try:
            self._watched[me] = watched = _Watched(me, self._seconds)
            return action()
        finally:
            self._watched.pop(me, None)  # the first call here: Overtime can't come between
            if watched and watched.late:
                self._take_back()

    def _take_back(self) -> None:
        with self._round:
            pass
        _raise_in(threading.get_ident(), None)

    def _watch(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(1 / ROUNDS_A_SECOND)
            with self._round:
                for thread, watched in self._watched.copy().items():
                    if watched.is_late():
                        watched.late += 1
                        if watched.late % ROUNDS_BETWEEN == 1 and self._watched.get(thread) is watched:
                            _raise_in(thread, Overtime)


def _raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """None takes back what was raised there and has not arrived."""
    raised = ctypes.py_object(exception) if exception else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
