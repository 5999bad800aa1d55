"""Ends Python code that takes longer than its time, in whatever thread it runs.

CPython can raise an exception in another thread between two bytecodes. Whoever takes a thread's deadline
out of the table first has won, so nothing is raised in code that finished in time:

    worker:    action() ───────────────► pop(deadline) ─► got it: done in time
    watchdog:        … late? ─► pop(deadline) ─► got it: raise Overtime there; the worker waits for it

A single call into C is not interrupted; `consumers.sandbox` bounds those.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Overtime", "Watchdog"]

LOOKS_A_SECOND = 20

Result = TypeVar("Result")


class Overtime(BaseException):
    """Not an Exception: nothing that is being watched may catch it and carry on."""


class Watchdog:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def call(self, action: Callable[[], Result]) -> Result:
        """The action's result. Raises TimeoutError when it takes too long."""
        self._watch()
        me, arrived = threading.get_ident(), False
        try:
            self._deadlines[me] = time.monotonic() + self._seconds
            try:
                return action()
            except Overtime:
                arrived = True
                raise
            finally:
                late = self._deadlines.pop(me, None) is None
                while late and not arrived:
                    time.sleep(0.001)
        except Overtime as overtime:
            raise TimeoutError(f"took longer than {self._seconds:g} s") from overtime

    def _watch(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(1 / LOOKS_A_SECOND)
            now = time.monotonic()
            for thread, deadline in list(self._deadlines.items()):
                if now > deadline and self._deadlines.pop(thread, None) is not None:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread), ctypes.py_object(Overtime)
                    )
