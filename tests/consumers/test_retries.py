"""A retry is sent unless the mail has arrived meanwhile."""

import pytest

from pipeline import ids
from pipeline.codec import decode
from pipeline.envelope import Envelope
from pipeline.events import RetryNotNeeded, SendDue
from pipeline.log import Record
from projections import tracking
from projections.store import Stored
from tests import builders
from tests.builders import NINE, ORDER
from tests.consumers.fakes import DOWN, Always, Script
from tests.consumers.office import Office

RETRY = ids.retry_id(ORDER, 1)
BOUNCE = builders.feedback("Bounce", bounceType="Transient", bounceSubType="General")


def known(office: Office, *envelopes: Envelope) -> None:
    """The row of the order, as these events make it."""
    events = [decode(builders.wire(each)) for each in (BOUNCE, *envelopes)]
    office.rows.rows[ORDER] = Stored(tracking.fold(events)[ORDER], 1)


def come_due(office: Office) -> Record:
    due = SendDue(
        email_id=RETRY,
        original_email_id=ORDER,
        retry_attempt=1,
        place=office.request().place,
        reason="soft bounce",
    )
    return office.append(due.envelope("due", NINE).to_bytes())


@pytest.mark.parametrize("kind", ["Delivery", "Open"])
def test_a_retry_of_a_mail_that_arrived_is_not_sent(office: Office, kind: str) -> None:
    """An out-of-office reply looks like a soft bounce."""
    known(office, builders.feedback(kind))
    office.worker().work([come_due(office)])
    assert office.mails() == []


@pytest.mark.parametrize("kind", ["Send", "DeliveryDelay", "Complaint", "Bounce", "Reject"])
def test_a_retry_of_a_mail_that_did_not_arrive_is_sent(office: Office, kind: str) -> None:
    known(office, builders.feedback(kind))
    office.worker().work([come_due(office)])
    assert office.mails() == [RETRY]


def test_a_retry_of_a_mail_without_a_row_is_sent(office: Office) -> None:
    office.worker().work([come_due(office)])
    assert office.mails() == [RETRY]


def test_a_fact_says_that_the_retry_was_not_needed(office: Office) -> None:
    known(office, builders.feedback("Delivery"))
    office.worker().work([come_due(office)])
    (event,) = office.facts(RetryNotNeeded)
    fact = event.body
    assert isinstance(fact, RetryNotNeeded)
    assert (fact.email_id, fact.original_email_id, fact.retry_attempt) == (RETRY, ORDER, 1)
    assert (fact.ses_message_id, fact.to_email) == (builders.MESSAGE_ID, builders.ANA)
    assert fact.reason == "the mail was delivered after all, so it is not sent a second time"


def test_a_retry_that_was_not_needed_is_decided_on_once(office: Office) -> None:
    known(office, builders.feedback("Delivery"))
    due = come_due(office)
    office.worker().work([due])
    office.rows.rows.clear()
    office.worker().work([due])
    assert office.outcomes() == {RETRY: "not needed"}
    assert office.mails() == []


def test_a_mail_that_arrives_while_ses_is_waited_for_needs_no_retry(office: Office) -> None:
    def arrives() -> None:
        known(office, builders.feedback("Delivery"))
        raise DOWN

    office.mailer.scripts[RETRY] = Script(arrives)
    office.worker().work([come_due(office)])
    assert office.outcomes() == {RETRY: "not needed"}


def test_the_rows_are_waited_for(office: Office) -> None:
    script, load = Script(*[DOWN] * 5), office.rows.load
    office.rows.load = lambda keys: (script.next(), load(keys))[1]  # type: ignore[method-assign]
    office.worker().work([come_due(office)])
    assert office.mails() == [RETRY]


def test_first_attempts_ask_for_no_row(office: Office) -> None:
    asked = Always(RuntimeError("no row is to be read"))
    office.rows.load = lambda keys: asked.next()  # type: ignore[method-assign]
    office.worker().work([office.request()])
    assert office.mails() == [ORDER]
