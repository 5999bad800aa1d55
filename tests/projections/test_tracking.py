"""Tracking is a join-semilattice, and its states are made of events as the rules say."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codec import decode
from pipeline.events import MailFact
from projections.tracking import Mail, Slot, empty, fold, join, of
from tests.builders import envelope, facts, place, requested, wire
from tests.projections.builders import (
    ANA,
    at,
    delivered,
    events,
    failed,
    opened,
    sent,
    soft_bounce,
    stated,
    unknown,
)
from tests.projections.histories import OURS, outcomes, responses

law = settings(max_examples=50)

KEY = OURS[0].email_id or ""


@st.composite
def mails(draw: st.DrawFn) -> Mail:
    """States of one mail, with some of its effects done."""
    records = draw(st.lists(st.one_of(outcomes(), responses()), max_size=12))
    mail = fold(events(records)).get(KEY, empty(KEY))
    return replace(mail, done=frozenset(draw(st.sets(st.sampled_from(["delivered", "opened", "retry"])))))


@law
@given(mails(), mails())
def test_joining_is_commutative(one: Mail, other: Mail) -> None:
    assert join(one, other) == join(other, one)


@law
@given(mails(), mails(), mails())
def test_joining_is_associative(one: Mail, two: Mail, three: Mail) -> None:
    assert join(join(one, two), three) == join(one, join(two, three))


@law
@given(mails())
def test_joining_is_idempotent(mail: Mail) -> None:
    assert join(mail, mail) == mail


@law
@given(mails())
def test_the_empty_mail_adds_nothing(mail: Mail) -> None:
    assert join(empty(KEY), mail) == join(mail, empty(KEY)) == mail


@law
@given(mails(), mails())
def test_a_join_holds_what_both_said(one: Mail, other: Mail) -> None:
    joined = join(one, other)
    assert join(joined, one) == join(joined, other) == joined


@law
@given(st.lists(st.one_of(outcomes(), responses()), max_size=20), st.integers(0, 20))
def test_folding_parts_and_joining_is_folding_all(records: list[bytes], cut: int) -> None:
    told = events(records)
    parts = [fold(told[:cut]), fold(told[cut:])]
    keys = parts[0].keys() | parts[1].keys()
    joined = {key: join(parts[0].get(key, empty(key)), parts[1].get(key, empty(key))) for key in keys}
    assert joined == fold(told)


def test_joining_leaves_its_arguments_alone() -> None:
    one, other = of(decode(sent("m", at()))), of(decode(delivered("m", at())))
    assert one
    assert other
    join(one, other)
    assert (set(one.slots), set(other.slots)) == ({"sent"}, {"delivered"})


def test_a_slot_keeps_the_first_fact_and_the_time_of_the_last() -> None:
    mail = fold(events(opened("m", at(minutes=minute)) for minute in (5, 3, 9)))["m"]
    first, last = mail.slots["opened"]
    assert (first.time, last) == (at(minutes=3), at(minutes=9))


def test_of_two_facts_at_one_time_the_lesser_id_is_kept() -> None:
    facts = [sent("m", at(), subject=subject) for subject in ("a", "b")]
    ids = sorted(event.id for event in events(facts))
    assert fold(events(facts))["m"].slots["sent"].first.id == ids[0]


def test_a_fact_is_kept_whole() -> None:
    mail = fold(events([sent("m", at(), metadata={"a": [1, {"b": 0.5}]}, unknownFields=["cc"])]))["m"]
    assert mail.slots["sent"].first.says == {
        "originalEmailId": "m",
        "retryAttempt": 0,
        "toEmail": ANA,
        "originalSource": "my.application",
        "templateName": "welcome",
        "subject": "Welcome, Ana",
        "metadata": {"a": [1, {"b": 0.5}]},
        "eventId": "event-1",
        "place": place().model_dump(),
        "unknownFields": ["cc"],
        "sesMessageId": "ses-m",
    }


def test_feedback_alone_places_itself() -> None:
    mail = of(decode(soft_bounce("retry", at(), original="m", attempt=1)))
    assert mail
    says = mail.slots["retry_exhausted"].first.says
    assert {name: says[name] for name in ("originalEmailId", "retryAttempt", "toEmail", "sesMessageId")} == {
        "originalEmailId": "m",
        "retryAttempt": 1,
        "toEmail": ANA,
        "sesMessageId": "ses-retry",
    }


NO_FACTS = {
    "a request": wire(requested()),
    **{fact.detail_type: stated(fact, at()) for fact in facts() if not isinstance(fact, MailFact)},
    "foreign feedback": delivered(None, at()),
    "feedback of an unknown type": unknown("m", at()),
    "feedback with a tag that isn't ours": delivered("m", at()).replace(b'"emailId":["', b'"emailId":["!'),
    "an event of somebody else": wire(envelope("Order Shipped", {"emailId": "m"})),
    "somebody else's event under a name of ours": wire(envelope("Mail Sent", {"emailId": "m"})),
}


@pytest.mark.parametrize("record", NO_FACTS.values(), ids=NO_FACTS)
def test_what_is_no_fact_about_a_mail_makes_no_state(record: bytes) -> None:
    assert of(decode(record)) is None


def test_failed_says_what_was_asked_for_where_there_are_both() -> None:
    mail = fold(events([sent("m", at()), failed("m", at(minutes=1))]))["m"]
    assert mail.outcome == mail.slots["failed"].first


def test_there_is_no_outcome_before_the_engine_has_said_it() -> None:
    assert fold(events([delivered("m", at()), opened("m", at())]))["m"].outcome is None


def test_mails_are_told_apart() -> None:
    mails = fold(events([sent("a", at()), delivered("b", at()), delivered("a", at())]))
    assert {key: set(mail.slots) for key, mail in mails.items()} == {
        "a": {"sent", "delivered"},
        "b": {"delivered"},
    }


def test_the_time_of_a_mail_is_the_least_that_any_event_tells() -> None:
    """Of the second delivery only the time of the mail is news: the slot keeps the first one."""
    told = events(
        [
            sent("m", at(minutes=5)),
            delivered("m", at(minutes=6), mail_time=at(minutes=4)),
            delivered("m", at(minutes=7), mail_time=at(minutes=1), message_id="ses-earlier"),
        ]
    )
    assert fold(told)["m"].timestamp == at(minutes=1)


def test_an_empty_mail_has_no_status() -> None:
    assert empty("m").status is None


def test_a_slot_is_what_it_is_made_of() -> None:
    mail = of(decode(delivered("m", at(minutes=2))))
    assert mail
    assert isinstance(mail.slots["delivered"], Slot)
    assert mail.slots["delivered"].last == mail.slots["delivered"].first.time == at(minutes=2)
