"""A thread that hangs at work ends the process; one that waits on purpose, or has nothing to do, doesn't."""

import subprocess
import sys
from pathlib import Path

import pytest

from consumers import pulse
from consumers.pulse import HUNG

ROOT = Path(__file__).parents[2]
PRELUDE = """
import re, threading, time
from consumers import pulse
from consumers.patience import Patience

pulse.LOOK_SECONDS = 0.05
allowed, longer = 1.0, 1.5
patience = Patience("test", threading.Event())
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which the pulse may end."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


HANGS = """
def this_hangs():
    time.sleep(60)

"""


def test_a_thread_that_hangs_at_work_ends_the_process_and_says_where() -> None:
    ended = run(HANGS + "pulse.watch(allowed)\nwith pulse.working():\n    this_hangs()")
    assert ended.returncode == HUNG == 70
    assert "in this_hangs" in ended.stderr


def test_the_signs_of_one_thread_are_no_help_to_another() -> None:
    ended = run(
        HANGS
        + """
def hangs_elsewhere():
    with pulse.working():
        this_hangs()

threading.Thread(target=hangs_elsewhere, daemon=True).start()
pulse.watch(allowed)
with pulse.working():
    while True:
        patience.pause(0.01)
"""
    )
    assert ended.returncode == HUNG
    assert "in this_hangs" in ended.stderr


def test_a_rest_that_is_over_helps_no_longer() -> None:
    ended = run(HANGS + "pulse.watch(allowed)\nwith pulse.working():\n    pulse.rest(0.2)\n    this_hangs()")
    assert ended.returncode == HUNG


@pytest.mark.parametrize("held", ['re.match(r"(a+)+$", "a" * 64 + "b")', "sum(range(10**12))"])
def test_a_thread_that_holds_the_interpreter_ends_the_process(held: str) -> None:
    ended = run(
        f"def this_holds():\n    {held}\n\npulse.watch(allowed)\nwith pulse.working():\n    this_holds()"
    )
    assert ended.returncode == 1
    assert "in this_holds" in ended.stderr


LIVES = {
    "waits on purpose": "with pulse.working():\n    patience.pause(longer)",
    "waits often": "with pulse.working():\n    for _ in range(3):\n        patience.pause(longer / 3)",
    "gives signs": "with pulse.working():\n    for _ in range(3):\n        time.sleep(longer / 3)\n        pulse.sign()",
    "has done its work": "with pulse.working():\n    pass\ntime.sleep(longer)",
    "has nothing to do": "time.sleep(longer)",
}


def test_whoever_waits_gives_signs_or_has_nothing_to_do_lives() -> None:
    """All at once, since each takes its time."""
    code = "\nprint('lived', flush=True)"
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", f"{PRELUDE}pulse.watch(allowed)\n{script}{code}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, script in LIVES.items()
    }
    told = {
        name: (each.communicate(timeout=60)[0].strip(), each.returncode) for name, each in processes.items()
    }
    assert told == dict.fromkeys(LIVES, ("lived", 0))


def test_while_a_thread_is_at_work_the_pulse_tells_that_it_lives() -> None:
    lived = run(
        """
alive = threading.Semaphore(0)
pulse.watch(30.0, alive.release)
with pulse.working():
    assert all(alive.acquire(timeout=20) for _ in range(3))
"""
    )
    assert (lived.returncode, lived.stderr) == (0, "")


def test_while_nobody_is_at_work_the_pulse_tells_nothing() -> None:
    """How often it has looked is told by its sleeping."""
    lived = run(
        """
looked, told, sleep = threading.Semaphore(0), [], time.sleep

class Time:
    monotonic = time.monotonic

    @staticmethod
    def sleep(seconds):
        looked.release()
        sleep(seconds)

pulse.time = Time
pulse.watch(30.0, lambda: told.append(True))
assert all(looked.acquire(timeout=20) for _ in range(5))
assert not told
"""
    )
    assert (lived.returncode, lived.stderr) == (0, "")


@pytest.mark.parametrize("outcome", [None, ValueError()])
def test_work_that_is_over_is_forgotten(outcome: Exception | None) -> None:
    try:
        with pulse.working():
            assert len(pulse._signs) == 1
            if outcome:
                raise outcome
    except ValueError:
        pass
    assert pulse._signs == {}


def test_who_is_not_at_work_owes_no_sign_after_a_rest() -> None:
    pulse.rest(5.0)
    assert pulse._signs == {}
