"""Signs of life: a thread that hangs at work ends the process; one that waits for a service or its turn does not.

    with pulse.working(): ──sign──┬─ Patience.pause: rests until then ─ sign ─┬──────── no sign ────────► exit 70
                                  └───────────────────────────────────────────┘   for longer than allowed

Python can't end a thread, so the process ends hard, and its records come again from the checkpoint.
"""

import faulthandler
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["HUNG", "rest", "sign", "watch", "working"]

HUNG = 70  # the exit code
LOOK_SECONDS = 1.0

INNERMOST_FRAMES = 8

_log = logging.getLogger(__name__)
_signs: dict[int, float] = {}  # of the threads that are at work: the time until which they need give no sign


@contextmanager
def working() -> Iterator[None]:
    """This thread is at work: from now on it has to give signs."""
    me = threading.get_ident()
    _signs[me] = time.monotonic()
    try:
        yield
    finally:
        _signs.pop(me, None)


def rest(seconds: float) -> None:
    """This thread waits on purpose, so long at most."""
    me = threading.get_ident()
    if me in _signs:
        _signs[me] = time.monotonic() + seconds


def sign() -> None:
    rest(0.0)


def watch(seconds: float, alive: Callable[[], object] = lambda: None) -> None:
    """End this process once a thread at work has given no sign for so long; `alive` is called while all is well.

    A thread that holds the interpreter itself (in C code) keeps the watching thread from looking: then
    faulthandler, which needs no interpreter, ends the process with exit code 1. Both write where it stood.
    """

    def look() -> None:
        while True:
            faulthandler.dump_traceback_later(seconds, exit=True)
            thread, since = min(tuple(_signs.items()), key=lambda each: each[1], default=(0, None))
            if since is not None and time.monotonic() - since > seconds:
                _log.critical(
                    "no sign of life for %.0f s, at %s: this process ends", seconds, _stands(thread)
                )
                os._exit(HUNG)
            if since is not None:
                with suppress(OSError):  # a full disk is the probe's business
                    alive()
            time.sleep(LOOK_SECONDS)

    threading.Thread(target=look, name="pulse", daemon=True).start()


def _stands(thread: int) -> str:
    frame = sys._current_frames().get(thread)  # noqa: SLF001  documented, for this purpose
    frames = traceback.extract_stack(frame)[-INNERMOST_FRAMES:] if frame else []
    return ", ".join(f"{each.filename.rpartition('/')[2]}:{each.lineno} in {each.name}" for each in frames)
