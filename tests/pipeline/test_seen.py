"""What is shown of a record, in a line and as JSON; and what isn't."""

import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import feedback as ses
from pipeline import ids
from pipeline.codec import Request
from pipeline.envelope import Envelope
from pipeline.events import EMAIL_REQUEST, FACTS, SendingPaused
from pipeline.seen import _WORDS, KINDS, LONGEST_WORD, Seen, printable
from tests.builders import (
    ANA,
    MESSAGE_ID,
    NINE,
    ORDER,
    SES_EVENTS,
    SHARD,
    Json,
    at,
    envelope,
    facts,
    feedback,
    mail_failed,
    mail_sent,
    piped,
    record,
    request,
    requested,
    ses_event,
    tags,
    wire,
)
from tests.pipeline.laws import json_objects, law, oddities

SECRET = "hunter2"


def seen(content: Envelope | Json | bytes) -> Seen:
    return Seen.of(record(content))


# ── Kinds ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_that_the_codec_knows_is_known() -> None:
    assert sorted(KINDS) == sorted([EMAIL_REQUEST, *FACTS, *ses._FACTS, "Unreadable"])


def test_every_body_of_ours_has_its_words() -> None:
    assert set(_WORDS) == {Request, *FACTS.values()}


def test_a_record_that_is_no_event_is_unreadable() -> None:
    assert (seen(b"\xff").kind, seen(b"\xff").email_id) == ("Unreadable", None)


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────

RETRY = "retry 1"
WORDS_OF_FACTS = {
    "Mail Sent": f"to {ANA}, template welcome, as {MESSAGE_ID}",
    "Mail Failed": f"to {ANA}, TEMPLATE_NOT_FOUND: there is no template 'welcome'",
    "Retry Not Needed": f"to {ANA}, {RETRY}, the mail was delivered after all",
    "Mail Duplicate": "from my.application, nothing was sent for it; the first was event-1",
    "Send Due": f"{RETRY}, soft bounce",
    "Address Suppressed": f"{ANA}, asked by phone",
    "Address Released": f"{ANA}, asked by phone",
    "Sending Paused": "source my.application, template newsletter, campaignId=spring, a wrong price",
    "Sending Resumed": "source my.application, template newsletter, campaignId=spring, the price is right",
    "Record Parked": f"by projector, after 3 attempts, ValueError: no, {SHARD} 1",
}


@pytest.mark.parametrize("fact", facts(), ids=lambda fact: fact.detail_type)
def test_a_fact_says_what_it_is_about(fact: Any) -> None:
    assert seen(fact.envelope("event-9", NINE)).words() == WORDS_OF_FACTS[fact.detail_type]


WORDS_OF_FEEDBACK = {
    "Send": "",
    "Delivery": ", 250 2.6.0 Message received",
    "Bounce": ", Permanent, General, smtp; 550 5.1.1 user unknown",
    "Complaint": ", abuse",
    "Reject": ", Bad content",
    "Open": "",
    "Click": ", https://acme.example/orders/42",
    "Rendering Failure": ", order-shipped, Attribute 'name' is not present in the rendering data.",
    "DeliveryDelay": ", TransientCommunicationFailure",
    "Subscription": ", acme",
}


@pytest.mark.parametrize("kind", SES_EVENTS)
def test_feedback_says_whom_it_is_about_and_what_ses_said(kind: str) -> None:
    found = seen(feedback(kind))
    assert (found.kind, found.words()) == (kind, f"to {ANA}{WORDS_OF_FEEDBACK[kind]}")


def test_a_request_says_to_whom_by_what_and_from_where() -> None:
    assert seen(requested()).words() == f"to {ANA}, template welcome, from my.application"


def test_a_pause_of_all_says_so() -> None:
    paused = SendingPaused(reason="a wrong price")
    assert seen(paused.envelope("event-9", NINE)).words() == "everything, a wrong price"


def test_an_open_by_a_machine_says_so() -> None:
    assert seen(feedback("Open", isBotEvent="Likely")).words() == f"to {ANA}, by a machine"


def test_feedback_about_a_mail_without_our_tag_names_it_as_ses_does() -> None:
    found = seen(feedback("Open", {"tags": {}}))
    assert (found.email_id, found.words()) == (None, f"to {ANA}, as {MESSAGE_ID}")


def test_feedback_of_a_type_that_nobody_knows_says_whom_it_is_about() -> None:
    found = seen(piped(ses_event("Open") | {"eventType": "Teleported"}))
    assert (found.kind, found.words()) == ("Teleported", f"to {ANA}")


def test_an_event_of_another_source_is_not_taken_for_one_of_ours() -> None:
    assert seen(envelope("Mail Sent", {"emailId": ORDER})).words() == "from my.application"


def test_an_unreadable_record_says_why_how_large_and_where() -> None:
    words = seen(b"no event").words()
    assert "JSONDecodeError" in words
    assert words.endswith(f"8 bytes at {SHARD} 1")


@pytest.mark.parametrize("to", [[ANA], {"a": SECRET}])
def test_a_recipient_that_is_no_text_is_not_repeated(to: Any) -> None:
    assert seen(requested(request(to=to))).words().startswith("to (no text), ")


def test_long_words_are_shortened() -> None:
    words = seen(mail_failed(error_message="x" * 9000).envelope("event-9", NINE)).words()
    assert len(words) < 2 * LONGEST_WORD
    assert words.endswith("x…")


@pytest.mark.parametrize(
    "content",
    [
        requested(request(templateData={"password": SECRET}, html=SECRET)),
        feedback("Click", link=f"https://acme.example/reset?token={SECRET}"),
        feedback("Click", link=f"https://acme.example/reset#{SECRET}"),
        feedback("Open", userAgent=SECRET, ipAddress=SECRET),
    ],
)
def test_what_is_between_sender_and_recipient_is_not_in_a_line(content: Envelope) -> None:
    assert SECRET not in seen(content).words()
    assert SECRET in seen(content).json()


# ── Characters ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 東京", "größe 東京"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\r\nb\x07\x7f", r"a\r\nb\x07\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eevil", r"\u202eevil"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@law
@given(st.text(st.characters()))
def test_what_is_printable_stays_so(text: str) -> None:
    once = printable(text)
    assert once.isprintable()
    assert printable(once) == once


def test_words_are_printable() -> None:
    hostile = request(to="\x1b]0;pwned\x07", templateName="a\nb")
    assert seen(requested(hostile)).words() == (r"to \x1b]0;pwned\x07, template a\nb, from my.application")


@law
@given(st.sampled_from(KINDS), json_objects, st.dictionaries(st.sampled_from(["to", "emailId"]), oddities))
def test_whatever_comes_has_words_and_json(kind: str, detail: Json, odd: Json) -> None:
    for source in ("my.application", "sesmailengine", "aws.ses"):
        content = {"id": "1", "source": source, "detail-type": kind, "time": NINE, "detail": detail | odd}
        found = seen(content)
        assert found.words().isprintable()
        assert json.loads(found.json())["kind"] == found.kind


@law
@given(st.binary())
def test_whatever_bytes_come_are_shown(data: bytes) -> None:
    assert seen(data).words().isprintable()


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_is_the_envelope_with_place_and_arrival() -> None:
    given = requested()
    assert json.loads(seen(given).json()) == json.loads(wire(given)) | {
        "arrival": "2026-11-24T09:15:00.001Z",
        "kind": "Email Request",
        "emailId": ORDER,
        "place": {"shard": SHARD, "sequence": f"{1:060d}"},
    }


def test_json_has_the_kind_and_the_mail_that_feedback_is_about() -> None:
    found = json.loads(seen(feedback("Bounce")).json())
    assert (found["kind"], found["emailId"], found["detail-type"]) == ("Bounce", ORDER, "SES Feedback")


def test_json_of_an_unreadable_record_has_its_bytes_and_the_error() -> None:
    found = json.loads(seen(b"\xff no event").json())
    assert found["kind"] == "Unreadable"
    assert b64decode(found["data"]) == b"\xff no event"
    assert "UnicodeDecodeError" in found["error"]


def test_json_is_one_line_of_printable_ascii() -> None:
    given = requested(request(to="\x1b\x7f\x9b\n\u202eö"))
    found = seen(given).json()
    assert found.isascii()
    assert found.isprintable()
    assert json.loads(found)["detail"]["to"] == "\x1b\x7f\x9b\n\u202eö"


# ── About a mail ──────────────────────────────────────────────────────────────────────────────────────────

RETRY_ID = ids.retry_id(ORDER, 1)


@pytest.mark.parametrize(
    ("content", "concerned"),
    [
        (requested(), True),
        (mail_sent().envelope("event-9", at()), True),
        (mail_sent(RETRY_ID, original_email_id=ORDER).envelope("event-9", at()), True),
        (feedback("Open", {"tags": tags(RETRY_ID, original=ORDER)}), True),
        (requested(request(emailId="order-4")), False),
        (feedback("Open", {"tags": {}}), False),
        (SendingPaused(reason="a wrong price").envelope("event-9", at()), False),
        (envelope("Anything", {"emailId": ORDER}), False),
        (b"order-42", False),
    ],
)
def test_a_mail_is_concerned_by_its_own_events_and_those_of_its_retry(content: Any, concerned: bool) -> None:
    assert seen(content).concerns(ORDER) is concerned
