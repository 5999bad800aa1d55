"""Who takes too long is ended; who is done in time, or just so, is left alone ever after."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consumers import watchdog
from consumers.watchdog import Overtime, Watchdog


def busy(seconds: float) -> float:
    """Uses processor time; returns how much."""
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass
    return time.thread_time() - begun


def endless() -> None:
    while True:
        pass


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Watchdog:
    """Looks a thousand times a second, so that its rounds meet everything that a worker does."""
    monkeypatch.setattr(watchdog, "ROUNDS_A_SECOND", 1_000)
    return Watchdog(0.002)


def test_the_result_of_what_is_done_in_time_comes_back() -> None:
    assert Watchdog(1.0).call(lambda: 7) == 7


def test_an_error_of_what_is_watched_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        Watchdog(1.0).call(lambda: 1 // 0)


def test_what_has_no_end_is_ended() -> None:
    with pytest.raises(TimeoutError, match=r"it takes longer than 0\.05 s"):
        Watchdog(0.05).call(endless)


def test_what_catches_every_exception_is_ended() -> None:
    def stubborn() -> None:
        while True:
            try:
                endless()
            except Exception:  # noqa: BLE001  as a template might
                continue

    with pytest.raises(TimeoutError):
        Watchdog(0.05).call(stubborn)


def test_who_waits_uses_no_time() -> None:
    if not hasattr(time, "pthread_getcpuclockid"):
        pytest.skip("this system doesn't tell a thread's processor time")
    Watchdog(0.05).call(lambda: time.sleep(0.3))


def test_who_is_kept_from_the_processor_by_others_is_not_ended() -> None:
    """Several times as much wall time as is allowed, a part of it its own."""
    if not hasattr(time, "pthread_getcpuclockid"):
        pytest.skip("this system doesn't tell a thread's processor time")
    with ThreadPoolExecutor(6) as others:
        for _ in range(6):
            others.submit(busy, 0.15)
        assert Watchdog(0.3).call(lambda: busy(0.15)) < 0.3


def test_overtime_that_is_lost_in_a_destructor_is_raised_again() -> None:
    class Destroyed:
        def __del__(self) -> None:
            busy(0.3)

    def lost() -> None:
        Destroyed()
        endless()

    ignored: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", ignored.append)
        with pytest.raises(TimeoutError):
            Watchdog(0.1).call(lost)
        gc.collect()
    assert [each.exc_type for each in ignored] == [Overtime]
    ignored.clear()


def test_each_of_many_threads_is_judged_by_its_own_time() -> None:
    watched = Watchdog(0.1)

    def judged(action: Callable[[], Any]) -> str:
        try:
            watched.call(action)
        except TimeoutError:
            return "ended"
        return "done"

    with ThreadPoolExecutor(8) as pool:
        found = pool.map(judged, [endless, lambda: busy(0.01)] * 4)
        assert list(found) == ["ended", "done"] * 4


@pytest.mark.parametrize("threads", [1, 4])
def test_around_the_limit_nobody_is_hit_afterwards(quick: Watchdog, threads: int) -> None:
    """Thousands of calls that end about when their time does; between them, nothing may arrive."""
    calls = 1_600 // threads

    def many(seed: int) -> dict[str, int]:
        told = {"done": 0, "ended": 0}
        for number in range(calls):
            try:
                quick.call(lambda number=number: busy(0.0005 * ((number * 7 + seed) % 8)))  # type: ignore[misc]
                told["done"] += 1
            except TimeoutError:
                told["ended"] += 1
            sum(range(50))  # bytecodes for a stray Overtime to arrive at
        time.sleep(0.01)
        return told

    with ThreadPoolExecutor(threads) as pool:
        told = [each.result() for each in [pool.submit(many, seed) for seed in range(threads)]]
    assert sum(each["done"] + each["ended"] for each in told) == threads * calls
    assert all(each["done"] and each["ended"] for each in told)
    assert quick._watched == {}


def test_a_round_that_begins_before_a_worker_leaves_and_ends_after_is_waited_for() -> None:
    """The race by hand: marked while the worker is there, raised in when it believes to be gone.

    worker:    action() ─────────► leave ─► marked? wait ──────────────────► take back ─► on
    watchdog:           mark, look ───────────────────────► raise ─► end of round
    """
    watched = Watchdog(60.0)
    watched._watch = lambda: None  # type: ignore[method-assign]  # its rounds are made here
    me, marked, may_raise = threading.get_ident(), threading.Event(), threading.Event()

    def round_() -> None:
        with watched._round:
            entry = watched._watched[me]
            entry.late += 1
            marked.set()
            assert may_raise.wait(10)
            watchdog._raise_in(me, Overtime)

    def action() -> None:
        threading.Thread(target=round_).start()
        assert marked.wait(10)
        threading.Timer(0.1, may_raise.set).start()

    with pytest.raises(TimeoutError):
        watched.call(action)
    assert sum(number % 7 for number in range(1_000)) > 0  # nothing arrives later


def test_overtime_may_come_at_any_step_of_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised by hand in each call that a worker makes on its way out."""
    take_back = Watchdog._take_back
    for hit in ([True], [True, True], [False, True]):
        hits = iter(hit)

        def hit_taking_back(self: Watchdog, hits: Iterator[bool] = hits) -> None:
            if next(hits, False):
                raise Overtime
            take_back(self)

        monkeypatch.setattr(Watchdog, "_take_back", hit_taking_back)
        with pytest.raises(TimeoutError):
            Watchdog(0.05).call(endless)
        assert next(hits, None) is None


def test_a_watchdog_that_died_is_replaced() -> None:
    watched = Watchdog(0.05)
    watched.call(lambda: 1)
    watched._thread = threading.Thread()  # as a forked process finds it
    with pytest.raises(TimeoutError):
        watched.call(endless)
