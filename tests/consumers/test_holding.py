"""Mails that a person holds back, in an office where senders come and go: deferred, and then sent once."""

from collections.abc import Iterator

import pytest

from consumers.gates import PAUSED
from projections.holds import Hold, selector
from tests.consumers.office import ROUND, Office

SPRING = Hold(
    "2026-11-24T09:00:00.000Z", True, "p", "wrong price", selector(None, None, {"campaign": "spring"})
)


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office(paused=[SPRING])
    yield office
    office.close()


def ask(office: Office, email_id: str, campaign: str = "spring") -> None:
    office.worker().work([office.request(email_id, metadata={"campaign": campaign})])


def come_round(office: Office) -> None:
    office.worker().work(office.come_due())


def test_a_held_mail_leaves_no_outcome_no_claim_and_a_pointer(office: Office) -> None:
    ask(office, "m1")
    assert (office.mails(), office.outcomes()) == ([], {})
    ((due, seconds),) = office.delays.due
    assert (due.email_id, due.reason, due.deferrals) == ("m1", PAUSED, 0)
    assert ROUND <= seconds <= ROUND + 1
    office.close()
    assert "m1" not in office.ledger.claims


def test_other_mails_flow_meanwhile(office: Office) -> None:
    ask(office, "m1")
    ask(office, "m2", "autumn")
    assert office.outcomes() == {"m2": "sent"}


def test_a_held_mail_comes_round_as_often_as_it_takes_and_is_then_sent_once(office: Office) -> None:
    ask(office, "m1")
    for _ in range(5):
        come_round(office)
    office.paused.clear()
    come_round(office)
    assert (office.mails(), office.outcomes()) == (["m1"], {"m1": "sent"})
    assert office.delays.due == []


def test_a_held_mail_ends_as_expired_once_it_is_too_old(office: Office) -> None:
    ask(office, "m1")
    office.clock.forward(73 * 3600)
    come_round(office)
    assert (office.mails(), office.outcomes()) == ([], {"m1": "REQUEST_EXPIRED"})


def test_a_second_request_with_the_id_of_a_held_mail_sends_nothing_more(office: Office) -> None:
    ask(office, "m1")
    record = office.request("m1", event_id="second", metadata={"campaign": "spring"})
    office.worker().work([record])
    office.paused.clear()
    come_round(office)
    assert office.mails() == ["m1"]


@pytest.mark.parametrize(
    "step", ["after claim", "before defer", "after defer", "before release", "after release"]
)
def test_a_sender_that_dies_while_it_holds_a_mail_back_neither_loses_nor_doubles_it(
    office: Office, step: str
) -> None:
    """A: claim ─► paused ─► defer ─► release ─✗ at one of them;  B: the record once more, and the pointers."""
    record = office.request("m1", metadata={"campaign": "spring"})
    worker = office.worker(dies=step)
    worker.process([record])
    assert worker.life.over.wait(10)
    office.worker().work([record])
    office.paused.clear()
    for _ in range(8):
        come_round(office)
    assert (office.mails(), office.outcomes()) == (["m1"], {"m1": "sent"})
