import threading

import pytest

from consumers.patience import LONGEST_WAIT, Patience, Stopped
from pipeline.errors import Misconfigured, Unavailable
from tests.consumers.fakes import DOWN, Hurried, Script


def test_what_works_is_done_at_once() -> None:
    patience = Hurried()
    assert patience.call(lambda: 7) == 7
    assert patience.pauses == []


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("no rights")])
def test_a_service_that_is_down_is_waited_for(error: Exception) -> None:
    script = Script(*[error] * 100, 7)
    assert Hurried().call(script.next) == 7


def test_what_is_no_fault_of_a_service_is_not_waited_for() -> None:
    patience, script = Hurried(), Script(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        patience.call(script.next)
    assert patience.pauses == []


def test_the_waits_grow_up_to_a_limit() -> None:
    patience, script = Hurried(), Script(*[DOWN] * 1200)
    patience.call(script.next)
    assert all(0 < pause <= LONGEST_WAIT for pause in patience.pauses)
    assert patience.pauses[0] < 2
    assert patience.pauses[-1] == LONGEST_WAIT


def test_no_two_wait_alike() -> None:
    one, two = Hurried(), Hurried()
    for patience in (one, two):
        patience.call(Script(*[DOWN] * 4).next)
    assert one.pauses != two.pauses


def test_a_stop_ends_the_waiting() -> None:
    patience = Patience("test", threading.Event())
    threading.Thread(target=patience.stopping.set).start()
    with pytest.raises(Stopped):
        patience.pause(60)


def test_what_works_is_done_though_a_stop_was_asked_for() -> None:
    patience = Hurried()
    patience.stopping.set()
    assert patience.call(lambda: 7) == 7


def test_waiting_is_told_and_nothing_of_what_the_service_said(caplog: pytest.LogCaptureFixture) -> None:
    Hurried("sender").call(Script(Unavailable("SES: Throttling: ana@customer.example")).next)
    assert "sender waits for a service: SES: Throttling" in caplog.text
    assert "ana@" not in caplog.text
