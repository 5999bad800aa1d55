"""Work in groups: none is lost, and one at fault keeps no other."""

import threading
from collections.abc import Sequence

import pytest

from consumers.groups import InGroups
from consumers.patience import Stopped
from tests.consumers.fakes import TIMEOUT, Gate


class Work:
    """Remembers its groups; some pieces are at fault."""

    def __init__(self, *faults: int, gather: float = 0.0) -> None:
        self._faults = set(faults)
        self.gate = Gate()
        self.gate.opened.set()
        self.groups: list[list[int]] = []
        self.failed: list[tuple[int, str]] = []
        self.in_groups: InGroups[int] = InGroups("work", self._carry_out, self._fault, 10, gather)

    def put(self, *pieces: int) -> None:
        for piece in pieces:
            self.in_groups.put(piece)

    def done(self) -> list[int]:
        self.in_groups.stop(TIMEOUT)
        return [piece for group in self.groups for piece in group]

    def _carry_out(self, group: Sequence[int]) -> None:
        self.gate()
        for piece in group:
            if piece in self._faults:
                raise ValueError(f"{piece} is at fault")
        self.groups.append(list(group))

    def _fault(self, piece: int, error: Exception) -> None:
        self.failed.append((piece, str(error)))


def test_all_that_was_put_is_done_in_order() -> None:
    work = Work()
    work.put(*range(100))
    assert work.done() == list(range(100))


def test_what_waits_together_is_done_together() -> None:
    work = Work()
    work.gate.opened.clear()
    work.put(0)
    assert work.gate.reached.wait(TIMEOUT)
    work.put(*range(1, 26))
    work.gate.opened.set()
    work.done()
    assert [len(group) for group in work.groups] == [1, 10, 10, 5]


def test_the_first_waits_a_little_for_others() -> None:
    work = Work(gather=TIMEOUT)
    work.put(1, 2, 3)
    assert work.done() == [1, 2, 3]
    assert len(work.groups) == 1


def test_one_at_fault_keeps_no_other() -> None:
    work = Work(2, 5, gather=TIMEOUT)
    work.put(*range(8))
    assert work.done() == [0, 1, 3, 4, 6, 7]
    assert work.failed == [(2, "2 is at fault"), (5, "5 is at fault")]


def test_whoever_is_stopped_ends() -> None:
    def stopped(_: Sequence[int]) -> None:
        raise Stopped

    groups: InGroups[int] = InGroups("stopped", stopped, lambda *_: None)
    groups.put(1)
    groups._thread.join(TIMEOUT)
    assert not groups._thread.is_alive()


def test_stopping_waits_no_longer_than_it_may() -> None:
    work = Work()
    work.gate.opened.clear()
    work.put(1)
    assert work.gate.reached.wait(TIMEOUT)
    work.in_groups.stop(0)
    assert work.groups == []
    work.gate.opened.set()
    assert work.done() == [1]


@pytest.mark.parametrize("times", [1, 2])
def test_all_threads_end(times: int) -> None:
    work = Work()
    for _ in range(times):
        work.done()
    assert work.in_groups._thread not in threading.enumerate()
