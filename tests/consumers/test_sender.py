"""Which records ask for mail, and when they are durable."""

import threading
import time
from dataclasses import replace

import pytest

from consumers.mail import Ambiguous
from pipeline import ids
from pipeline.errors import Unavailable
from pipeline.events import MailFailed, MailSent, SendDue
from pipeline.log import Place, Record
from pipeline.memory import MemoryLog
from tests import builders
from tests.builders import NINE, ORDER
from tests.consumers.fakes import DOWN, TIMEOUT, Gate, Script
from tests.consumers.office import Office

RETRY = ids.retry_id(ORDER, 1)


def send_due(office: Office, place: Place, **fields: object) -> Record:
    known = {"email_id": RETRY, "original_email_id": ORDER, "retry_attempt": 1, "reason": "soft bounce"}
    due = SendDue.model_validate({**known, "place": place, **fields}, by_name=True)
    return office.append(due.envelope("due-1", NINE).to_bytes())


def test_a_request_becomes_a_mail(office: Office) -> None:
    office.worker().work([office.request()])
    assert office.mails() == [ORDER]


def test_a_request_becomes_a_fact_in_the_log(office: Office) -> None:
    request = office.request()
    office.worker().work([request])
    (event,) = office.facts()
    assert event.body == MailSent(
        email_id=ORDER,
        original_email_id=ORDER,
        to_email=builders.ANA,
        original_source="my.application",
        template_name="welcome",
        subject="Welcome, Ana",
        event_id=f"event-of-{ORDER}",
        place=request.place,
        ses_message_id="ses-1",
    )


def test_the_mail_bears_the_tags_that_place_its_feedback(office: Office) -> None:
    office.worker().work([office.request()])
    assert office.mailer.taken[0].tags == {
        "emailId": ids.to_tag(ORDER),
        "originalEmailId": ids.to_tag(ORDER),
        "retryAttempt": "0",
    }


def test_a_request_without_an_id_gets_one_from_its_event(office: Office) -> None:
    request = office.append(builders.requested(builders.request(emailId=None), id="event-7").to_bytes())
    office.worker().work([request])
    assert office.mails() == [f"email-{ids.derived_id('emailId', 'event-7')}"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x00 no event",
        b"{}",
        builders.feedback("Delivery", mail={"tags": {}}).to_bytes(),
        builders.envelope("Something Else").to_bytes(),
        *(fact.envelope("fact", NINE).to_bytes() for fact in builders.facts() if type(fact) is not SendDue),
    ],
)
def test_what_asks_for_no_mail_is_finished_at_once(office: Office, data: bytes) -> None:
    worker, record = office.worker(), office.append(data)
    worker.process([record])
    assert worker.sender.durable() == record.sequence
    assert office.mails() == []


def test_a_record_given_twice_is_one_task(office: Office) -> None:
    worker, record = office.worker(), office.request()
    worker.work([record, record])
    worker.work([record])
    assert len(office.facts()) == 1
    assert office.delays.due == []


def test_a_request_is_durable_only_once_its_fact_is_in_the_log(office: Office) -> None:
    worker, record = office.worker(), office.request()
    gate = Gate()
    office.mailer.script.add(gate)
    worker.process([record])
    assert gate.reached.wait(TIMEOUT)
    assert worker.sender.durable() is None
    gate.opened.set()
    assert worker.done()
    assert worker.sender.durable() == record.sequence


def test_what_overtakes_an_unfinished_request_is_not_durable(office: Office) -> None:
    worker = office.worker()
    slow, fast = office.request("slow"), office.request("fast")
    gate, sent = Gate(), threading.Event()
    office.mailer.scripts |= {"slow": Script(gate), "fast": Script(sent.set)}
    worker.process([slow, fast])
    assert sent.wait(TIMEOUT)
    assert worker.sender.durable() is None
    gate.opened.set()
    assert worker.done()
    assert worker.sender.durable() == fast.sequence


# ── Requests that come back ───────────────────────────────────────────────────────────────────────────────


def test_send_due_sends_the_request_again_under_the_derived_id(office: Office) -> None:
    worker, request = office.worker(), office.request()
    worker.work([request])
    worker.work([send_due(office, request.place)])
    assert office.mails() == [ORDER, RETRY]


def test_the_fact_of_a_retry_says_whose_and_which(office: Office) -> None:
    office.worker().work([send_due(office, office.request().place)])
    (fact,) = [event.body for event in office.facts(MailSent)]
    assert isinstance(fact, MailSent)
    assert (fact.email_id, fact.original_email_id, fact.retry_attempt) == (RETRY, ORDER, 1)


def test_the_mail_of_a_retry_says_whose_and_which(office: Office) -> None:
    office.worker().work([send_due(office, office.request().place)])
    assert office.mailer.taken[0].tags == {
        "emailId": ids.to_tag(RETRY),
        "originalEmailId": ids.to_tag(ORDER),
        "retryAttempt": "1",
    }


def test_a_retry_is_what_was_asked_for(office: Office) -> None:
    worker, request = office.worker(), office.request(templateData={"userName": "Björn"})
    worker.work([request])
    worker.work([send_due(office, request.place)])
    first, second = office.mailer.taken
    assert replace(first, tags={}) == replace(second, tags={})


def test_send_due_that_comes_twice_sends_one_retry(office: Office) -> None:
    worker, request = office.worker(), office.request()
    worker.work([send_due(office, request.place), send_due(office, request.place)])
    worker.work(office.come_due())
    assert office.mails() == [RETRY]


def test_a_request_that_has_left_the_log_fails(office: Office) -> None:
    office.worker().work([send_due(office, builders.place(999_999))])
    assert office.outcomes() == {RETRY: "REQUEST_GONE"}


def test_a_deferred_request_that_has_left_the_log_fails_once_its_claim_may_be_taken_over() -> None:
    """Its own claim must not read as another's.

    A:  claim ─► SES: no answer ─► defer ─► … the log forgets the request … ─► Send Due ─► REQUEST_GONE
    """

    class Forgetful(MemoryLog):
        def fetch(self, place: Place) -> Record | None:
            return None

    office = Office(log=Forgetful())
    office.mailer.script.add(Ambiguous("no answer"))
    worker = office.worker()
    worker.work([office.request()])
    worker.work(office.come_due())
    office.close()
    assert office.outcomes() == {ORDER: "REQUEST_GONE"}


def test_a_place_without_a_request_has_no_request(office: Office) -> None:
    fact = office.append(builders.mail_sent().envelope("fact", NINE).to_bytes())
    office.worker().work([send_due(office, fact.place)])
    assert office.outcomes()[RETRY] == "REQUEST_GONE"


def test_a_log_that_cannot_be_read_at_the_moment_is_nothing_to_give_up_for() -> None:
    class Slow(MemoryLog):
        script = Script(DOWN)

        def fetch(self, place: Place) -> Record | None:
            self.script.next()
            return super().fetch(place)

    office = Office(log=Slow())
    worker, due = office.worker(), send_due(office, office.request().place)
    with pytest.raises(Unavailable):
        worker.process([due])
    worker.work([due])
    office.close()
    assert office.mails() == [RETRY]


def test_failures_name_the_mail_and_where_its_request_lies(office: Office) -> None:
    request = office.request(templateName="missing")
    office.worker().work([request])
    (fact,) = [event.body for event in office.facts(MailFailed)]
    assert isinstance(fact, MailFailed)
    assert (fact.email_id, fact.template_name, fact.place) == (ORDER, "missing", request.place)


def test_draining_finishes_what_is_in_flight(office: Office) -> None:
    worker, record = office.worker(), office.request()
    gate = Gate()
    office.mailer.script.add(gate)
    worker.process([record])
    assert gate.reached.wait(TIMEOUT)
    gate.opened.set()
    worker.sender.drain(time.monotonic() + TIMEOUT)
    assert worker.sender.durable() == record.sequence
