"""The gates in their order, and the fact that comes of each."""

from typing import Any

import pytest

from consumers.delivery import LONGEST_SENTENCE, failure_after
from consumers.mail import Ambiguous, Mail, Refusal, Throttled, UnknownRefusal
from consumers.tasks import Task
from pipeline.codec import Request, decode
from pipeline.errors import Unavailable
from pipeline.events import MailFailed, MailSent
from tests import builders
from tests.builders import ANA, ORDER
from tests.consumers.fakes import DOWN, Clock, FakeReputation, FakeTemplates
from tests.consumers.office import WELCOME, delivery_of

SUPPRESSED = {"addedToSuppressionDate": "2026-11-01T00:00:00.000Z", "reason": "hard bounce: NoEmail"}


def task(detail: Any = None, **fields: Any) -> Task:
    asked = builders.request(**fields) if detail is None else detail
    record = builders.record(builders.requested(asked, id="event-1"), 7)
    request = decode(record.data).body
    assert isinstance(request, Request)
    email_id = request.email_id
    return Task(email_id, email_id, 0, "event-1", record.place, request, record, lambda: None)


def gone() -> Task:
    record = builders.record(b"{}", 8)
    return Task("retry-1", ORDER, 1, "event-1", record.place, None, record, lambda: None)


class Desk:
    def __init__(self, *answers: Any) -> None:
        self.templates, self.mails = FakeTemplates(WELCOME), list[Mail]()
        self.answers = list(answers)
        self.clock, self.reputation = Clock(), FakeReputation()
        self.delivery = delivery_of(self.templates, self.clock, self.reputation)

    def send(self, mail: Mail) -> str:
        self.mails.append(mail)
        answer = self.answers.pop() if self.answers else "ses-1"
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    def outcome(self, asked: Task, suppression: Any = None) -> MailSent | MailFailed:
        return self.delivery.outcome(asked, suppression, self.send)

    def failure(self, asked: Task, suppression: Any = None) -> MailFailed:
        fact = self.outcome(asked, suppression)
        assert isinstance(fact, MailFailed)
        return fact


# ── One gate after the other ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "suppression", "answers", "code", "says"),
    [
        (gone(), None, [], "REQUEST_GONE", "ask for the mail again"),
        (task(to=5), None, [], "INVALID_REQUEST", "'to' must be a string, not a number"),
        (task(), SUPPRESSED, [], "RECIPIENT_SUPPRESSED", "release the address"),
        (task(templateName="missing"), None, [], "TEMPLATE_NOT_FOUND", "'missing'"),
        (task(templateData={}), None, [], "TEMPLATE_RENDERING_FAILED", "'userName'"),
        (task(), None, [Refusal("SES_REFUSED", "SES says no")], "SES_REFUSED", "SES says no"),
    ],
)
def test_a_gate_refuses_with_its_code_and_a_sentence(
    asked: Task, suppression: Any, answers: list[Exception], code: str, says: str
) -> None:
    failure = Desk(*answers).failure(asked, suppression)
    assert failure.error_code == code
    assert says in failure.error_message


@pytest.mark.parametrize(
    ("asked", "suppression"),
    [(gone(), None), (task(to=5), None), (task(), SUPPRESSED), (task(templateName="missing"), None)],
)
def test_ses_is_not_asked_for_what_a_gate_refuses(asked: Task, suppression: Any) -> None:
    desk = Desk()
    desk.outcome(asked, suppression)
    assert desk.mails == []


def test_an_invalid_request_is_refused_before_its_recipient_is_looked_at() -> None:
    assert Desk().failure(task(templateName=5), SUPPRESSED).error_code == "INVALID_REQUEST"


def test_a_suppressed_recipient_is_refused_before_the_template_is_looked_at() -> None:
    desk = Desk()
    desk.templates.script.add(AssertionError("the template was looked at"))
    assert desk.failure(task(), SUPPRESSED).error_code == "RECIPIENT_SUPPRESSED"


def test_a_suppressed_recipient_is_told_since_when_and_why() -> None:
    sentence = Desk().failure(task(), SUPPRESSED).error_message
    assert SUPPRESSED["addedToSuppressionDate"] in sentence
    assert SUPPRESSED["reason"] in sentence


def test_every_fault_of_a_request_is_told() -> None:
    failure = Desk().failure(task({"to": "nobody", "templateData": []}))
    assert all(f"'{field}'" in failure.error_message for field in ("to", "templateName", "templateData"))


@pytest.mark.parametrize("error", [DOWN, Throttled("slower"), Ambiguous("no answer"), RuntimeError("ours")])
def test_what_is_not_the_mails_fault_is_no_outcome(error: Exception) -> None:
    with pytest.raises(type(error)):
        Desk(error).outcome(task())


def test_a_template_store_that_is_down_is_no_outcome() -> None:
    desk = Desk()
    desk.templates.script.add(DOWN)
    with pytest.raises(Unavailable):
        desk.outcome(task())


# ── What the fact says ────────────────────────────────────────────────────────────────────────────────────


def test_the_fact_of_a_sent_mail_says_what_was_sent() -> None:
    asked = task(metadata={"campaignId": "spring"}, importance="high")
    assert Desk().outcome(asked) == MailSent(
        email_id=ORDER,
        original_email_id=ORDER,
        to_email=ANA,
        original_source="my.application",
        template_name="welcome",
        subject="Welcome, Ana",
        metadata={"campaignId": "spring"},
        event_id="event-1",
        place=asked.place,
        unknown_fields=["importance"],
        ses_message_id="ses-1",
    )


def test_the_fact_of_a_refused_mail_says_what_is_known_of_it() -> None:
    asked = task(templateName="missing", subject="Yours", metadata={"campaignId": "spring"})
    failure = Desk().failure(asked)
    assert failure.model_copy(update={"error_message": ""}) == MailFailed(
        email_id=ORDER,
        original_email_id=ORDER,
        to_email=ANA,
        original_source="my.application",
        template_name="missing",
        subject="Yours",
        metadata={"campaignId": "spring"},
        event_id="event-1",
        place=asked.place,
        error_code="TEMPLATE_NOT_FOUND",
        error_message="",
    )


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"to": None},
        {"to": [], "templateName": {}, "metadata": [], "subject": 7},
        {"to": "", "templateName": 5, "metadata": "x"},
        {"to": "x" * 1000, "emailId": "y" * 1000},
        {"to": ANA, "templateName": "welcome", "emailId": 5},
    ],
)
def test_any_detail_has_a_fact(detail: Any) -> None:
    assert Desk().failure(task(detail)).error_code == "INVALID_REQUEST"


def test_a_mail_that_ses_refuses_is_stated_with_the_subject_that_it_bore() -> None:
    assert Desk(Refusal("SES_REFUSED", "no")).failure(task()).subject == "Welcome, Ana"


def test_the_fact_names_the_recipient_in_the_canonical_form() -> None:
    assert Desk().outcome(task(to="Ana@CUSTOMER.example")).to_email == "Ana@customer.example"


def test_the_fact_of_a_fault_of_our_own_names_the_mail() -> None:
    failure = failure_after(ValueError("of ana@customer.example"), task())
    assert (failure.email_id, failure.to_email, failure.error_code) == (ORDER, ANA, "INTERNAL_ERROR")
    assert "ana" not in failure.error_message


def test_a_refusal_that_nobody_knows_is_told_in_the_words_of_ses() -> None:
    failure = failure_after(UnknownRefusal("SES: NewException: no such thing"), task())
    assert failure.error_code == "SES_ERROR"
    assert "SES: NewException: no such thing" in failure.error_message
    assert len(failure_after(UnknownRefusal("x" * 100_000), task()).error_message) < LONGEST_SENTENCE


# ── Whose suppression is looked up ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("to", "key"),
    [
        ("Ana@CUSTOMER.example", "ana@customer.example"),
        ("Ana@Bücher.example", "ana@xn--bcher-kva.example"),
        ("not an address", "not an address"),
        (7, None),
        (None, None),
        ("", None),
        ("x" * 400, None),
    ],
)
def test_the_recipient_is_looked_up_by_the_suppression_key(to: Any, key: str | None) -> None:
    assert task({"to": to, "templateName": "welcome"}).recipient_key == key
