import threading
from collections.abc import Sequence

import pytest

from consumers.patience import Stopped
from consumers.runner import ATTEMPTS, Runner
from pipeline.errors import Misconfigured
from pipeline.log import Record
from tests.builders import record
from tests.consumers.fakes import DOWN, FakeHandler, FakeParking, Hurried

FAULT = ValueError("this record is at fault")


class Desk:
    """A runner, what it works for, and what it works with."""

    def __init__(self) -> None:
        self.handler, self.parking = FakeHandler(), FakeParking()
        self.patience = Hurried()
        self.runner = Runner("test", self.handler, self.parking, self.patience)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def records(*sequences: int) -> Sequence[Record]:
    return [record(b"{}", sequence) for sequence in sequences]


def test_records_are_given_together(desk: Desk) -> None:
    desk.runner.process(records(1, 2, 3))
    assert desk.handler.given == [1, 2, 3]


def test_a_record_at_fault_is_tried_three_times(desk: Desk) -> None:
    desk.handler.faults[2] = FAULT
    desk.runner.process(records(1, 2, 3))
    assert desk.handler.given.count(2) == ATTEMPTS == 3


def test_a_record_at_fault_is_parked_with_its_reason(desk: Desk) -> None:
    desk.handler.faults[2] = FAULT
    desk.runner.process(records(1, 2, 3))
    assert desk.parking.parked == [(2, str(FAULT), ATTEMPTS)]


def test_the_records_around_a_parked_one_are_processed(desk: Desk) -> None:
    desk.handler.faults[2] = FAULT
    desk.runner.process(records(1, 2, 3))
    assert desk.handler.accepted == [1, 3]


def test_every_record_at_fault_is_parked(desk: Desk) -> None:
    desk.handler.faults |= {1: FAULT, 2: FAULT}
    desk.runner.process(records(1, 2))
    assert [sequence for sequence, _, _ in desk.parking.parked] == [1, 2]


def test_a_fault_that_passes_parks_nothing(desk: Desk) -> None:
    desk.handler.script.add(FAULT, FAULT)
    desk.runner.process(records(1))
    assert desk.parking.parked == []
    assert desk.handler.accepted == [1]


def test_a_service_that_is_down_is_waited_for(desk: Desk) -> None:
    desk.handler.script.add(*[DOWN] * 50)
    desk.runner.process(records(1))
    assert desk.handler.accepted == [1]
    assert desk.parking.parked == []


def test_what_an_operator_must_mend_is_waited_for(desk: Desk) -> None:
    desk.handler.script.add(Misconfigured("no rights"))
    desk.runner.process(records(1))
    assert desk.parking.parked == []


def test_a_service_that_goes_down_while_a_record_is_tried_alone_is_no_attempt(desk: Desk) -> None:
    desk.handler.script.add(FAULT, DOWN, DOWN, DOWN)
    desk.runner.process(records(1))
    assert desk.handler.accepted == [1]


def test_parking_waits_for_its_services(desk: Desk) -> None:
    desk.handler.faults[1] = FAULT
    desk.parking.script.add(DOWN, DOWN)
    desk.runner.process(records(1))
    assert len(desk.parking.parked) == 1


def test_stopping_while_waiting_raises_stopped(desk: Desk) -> None:
    desk.handler.script.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.process(records(1))


def test_stopping_while_parking_raises_stopped(desk: Desk) -> None:
    desk.handler.faults[1] = FAULT
    desk.parking.script.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.process(records(1))


def test_a_parked_record_that_could_not_be_put_away_is_not_durable(desk: Desk) -> None:
    desk.handler.faults[1] = FAULT
    desk.parking.script.add(DOWN)
    desk.patience.stopping.set()
    with pytest.raises(Stopped):
        desk.runner.process(records(1))
    assert desk.runner.durable() is None


def test_a_batch_without_records_reaches_the_handler() -> None:
    called = threading.Event()

    class Called(FakeHandler):
        def process(self, records: Sequence[Record]) -> None:
            called.set()

    Runner("test", Called(), FakeParking(), Hurried()).process([])
    assert called.is_set()


def test_nothing_is_durable_at_first(desk: Desk) -> None:
    assert desk.runner.durable() is None


def test_durable_is_what_the_handler_has_finished(desk: Desk) -> None:
    desk.runner.process(records(1, 2))
    assert desk.runner.durable() == 2


def test_a_parked_record_is_durable_once_those_before_it_are(desk: Desk) -> None:
    desk.handler.faults[3] = FAULT
    desk.runner.process(records(1, 2, 3))
    desk.handler.finished = 1
    assert desk.runner.durable() == 1
    desk.handler.finished = 2
    assert desk.runner.durable() == 3


def test_parked_records_in_a_row_are_durable_together(desk: Desk) -> None:
    desk.handler.faults |= {2: FAULT, 3: FAULT}
    desk.runner.process(records(1, 2))
    desk.runner.process(records(3))
    assert desk.runner.durable() == 3


def test_a_parked_first_record_is_durable_at_once(desk: Desk) -> None:
    desk.handler.faults[7] = FAULT
    desk.runner.process(records(7, 8))
    desk.handler.finished = None
    assert desk.runner.durable() == 7


def test_a_parked_first_record_of_a_batch_waits_for_the_batch_before(desk: Desk) -> None:
    desk.handler.faults[3] = FAULT
    desk.runner.process(records(1, 2))
    desk.runner.process(records(3))
    desk.handler.finished = 1
    assert desk.runner.durable() == 1


def test_durable_does_not_go_back_behind_a_parked_record(desk: Desk) -> None:
    desk.handler.faults[2] = FAULT
    desk.runner.process(records(1, 2))
    assert [desk.runner.durable(), desk.runner.durable()] == [2, 2]
