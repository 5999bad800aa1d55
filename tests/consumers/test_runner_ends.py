"""What the runner does at a shard's end and at its own: it settles, finishes, drains, and parks what it is told to."""

import time
from collections.abc import Sequence

import pytest

from consumers.patience import Stopped
from consumers.runner import ATTEMPTS, SETTLE_SECONDS, Runner
from pipeline.log import Record
from tests.builders import record
from tests.consumers.fakes import DOWN, FakeHandler, FakeParking, Hurried, Script
from tests.consumers.test_runner import records

FAULT = ValueError("this record is at fault")


class Slow(FakeHandler):
    """What it accepted is finished at the settling of this number, not before."""

    def __init__(self) -> None:
        super().__init__()
        self.settles_at, self.settled, self.deadlines = 1, 0, list[float]()
        self.settling, self.draining = Script(), Script()
        self.calls: list[str] = []

    def process(self, records: Sequence[Record]) -> None:
        self.calls.append("process" if records else "process nothing")
        super().process(records)

    def durable(self) -> int | None:
        return self.finished if self.settled >= self.settles_at else None

    def settle(self, deadline: float) -> None:
        self.settling.next()
        self.calls.append("settle")
        self.settled += 1
        self.deadlines.append(deadline)

    def drain(self, deadline: float) -> None:
        self.deadlines.append(deadline)
        self.draining.next()


class Desk:
    def __init__(self) -> None:
        self.handler, self.parking, self.patience = Slow(), FakeParking(), Hurried()
        self.runner = Runner("test", self.handler, self.parking, self.patience)


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ── given ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_given_at_first(desk: Desk) -> None:
    desk.runner.process([])
    assert desk.runner.given is None


def test_the_last_accepted_record_is_given_before_it_is_durable(desk: Desk) -> None:
    desk.runner.process(records(1, 2))
    assert (desk.runner.given, desk.runner.durable()) == (2, None)


def test_a_call_without_records_leaves_what_is_given(desk: Desk) -> None:
    desk.runner.process(records(1, 2))
    desk.runner.process([])
    assert desk.runner.given == 2


def test_a_record_that_was_parked_for_its_fault_is_given(desk: Desk) -> None:
    desk.handler.faults[2] = FAULT
    desk.runner.process(records(1, 2))
    assert desk.runner.given == 2


def test_records_that_nobody_accepted_before_the_end_are_not_given(desk: Desk) -> None:
    desk.runner.process(records(1))
    desk.handler.script.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.process(records(2))
    assert desk.runner.given == 1


def test_of_a_batch_tried_alone_those_before_the_end_are_given(desk: Desk) -> None:
    """The batch fails at 2; tried alone, 1 is accepted, and the parking of 2 waits until the end."""
    desk.handler.faults[2] = FAULT
    desk.parking.script.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.process(records(1, 2, 3))
    assert desk.runner.given == 1


# ── settle ────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_nothing_was_given_everything_is_settled(desk: Desk) -> None:
    assert desk.runner.settle()


def test_settling_tells_whether_everything_given_is_durable(desk: Desk) -> None:
    desk.handler.settles_at = 2
    desk.runner.process(records(1, 2))
    assert [desk.runner.settle(), desk.runner.settle()] == [False, True]


def test_a_part_that_is_durable_is_not_settled(desk: Desk) -> None:
    desk.runner.process(records(1, 2))
    desk.handler.finished = 1
    assert not desk.runner.settle()


def test_the_handler_has_the_seconds_it_is_given_to_settle(desk: Desk) -> None:
    before = time.monotonic()
    desk.runner.settle(30.0)
    assert before + 30.0 <= desk.handler.deadlines[0] <= time.monotonic() + 30.0


def test_it_settles_for_some_seconds_if_nothing_is_said(desk: Desk) -> None:
    before = time.monotonic()
    desk.runner.settle()
    assert before + SETTLE_SECONDS <= desk.handler.deadlines[0] <= time.monotonic() + SETTLE_SECONDS


def test_settling_waits_for_services(desk: Desk) -> None:
    desk.handler.settling.add(DOWN, DOWN)
    desk.runner.process(records(1))
    assert desk.runner.settle()


def test_stopping_while_settling_raises_stopped(desk: Desk) -> None:
    desk.handler.settling.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.settle()


def test_a_handler_that_finishes_inside_process_needs_no_settling() -> None:
    runner = Runner("test", FakeHandler(), FakeParking(), Hurried())
    runner.process(records(1))
    assert runner.settle()


# ── finish ────────────────────────────────────────────────────────────────────────────────────────────────


def test_finishing_returns_once_everything_is_durable(desk: Desk) -> None:
    desk.handler.settles_at = 4
    desk.runner.process(records(1, 2))
    desk.runner.finish()
    assert (desk.runner.durable(), desk.handler.settled) == (2, 4)


def test_while_finishing_the_handler_is_called_without_records_and_time_is_left_between(desk: Desk) -> None:
    """Some finish only when they are called."""
    desk.handler.settles_at = 3
    desk.runner.process(records(1))
    desk.runner.finish()
    assert desk.handler.calls == ["process", *["settle", "process nothing"] * 2, "settle"]
    assert len(desk.patience.pauses) == 2
    assert min(desk.patience.pauses) > 0


def test_finishing_an_empty_shard_returns_at_once(desk: Desk) -> None:
    desk.runner.finish()
    assert desk.handler.calls == ["settle"]


def test_finishing_includes_a_parked_last_record(desk: Desk) -> None:
    desk.handler.faults[2] = FAULT
    desk.runner.process(records(1, 2))
    desk.runner.finish()
    assert desk.runner.durable() == 2


def test_stopping_before_everything_is_durable_raises_stopped(desk: Desk) -> None:
    desk.handler.settles_at = 10
    desk.runner.process(records(1))
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.finish()
    assert desk.runner.durable() is None


def test_stopping_stops_nobody_who_has_finished(desk: Desk) -> None:
    desk.runner.process(records(1))
    desk.patience.stopping.set()
    desk.runner.finish()
    assert desk.runner.durable() == 1


# ── drain ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_draining_has_the_hosts_deadline(desk: Desk) -> None:
    desk.runner.drain(12345.0)
    assert desk.handler.deadlines == [12345.0]


@pytest.mark.parametrize("error", [FAULT, DOWN, Stopped()])
def test_whatever_draining_raises_what_was_durable_stays_so(desk: Desk, error: Exception) -> None:
    desk.runner.process(records(1))
    desk.runner.settle()
    desk.handler.draining.add(error)
    desk.runner.drain(time.monotonic())
    assert desk.runner.durable() == 1


# ── park ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_parked_by_the_host_never_reaches_the_handler(desk: Desk) -> None:
    desk.runner.park(record(b"{}", 1), FAULT)
    assert (desk.parking.parked, desk.handler.given) == ([(1, str(FAULT), ATTEMPTS)], [])


def test_what_is_parked_by_the_host_is_given_and_durable_at_once(desk: Desk) -> None:
    desk.runner.park(record(b"{}", 1), FAULT)
    assert (desk.runner.given, desk.runner.durable()) == (1, 1)


def test_what_is_parked_by_the_host_is_durable_once_those_before_it_are(desk: Desk) -> None:
    desk.runner.process(records(1))
    desk.runner.park(record(b"{}", 2), FAULT)
    before = desk.runner.durable()
    desk.runner.settle()
    assert (before, desk.runner.durable()) == (None, 2)


def test_the_host_waits_for_the_services_of_parking(desk: Desk) -> None:
    desk.parking.script.add(DOWN, DOWN)
    desk.runner.park(record(b"{}", 1), FAULT)
    assert len(desk.parking.parked) == 1


def test_what_could_not_be_parked_before_the_end_is_neither_given_nor_durable(desk: Desk) -> None:
    desk.parking.script.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.park(record(b"{}", 1), FAULT)
    assert (desk.runner.given, desk.runner.durable()) == (None, None)
