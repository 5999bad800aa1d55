"""Facts as they are stored: whoever changes a name or a version here changes what old logs mean."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.codec import Unreadable, decode
from pipeline.envelope import Envelope
from pipeline.events import EMAIL_REQUEST, FACTS, STATUS_CHANGED, Fact, MailSent, SendingPaused
from tests.builders import NINE, facts, mail_failed, mail_sent, place, record, wire
from tests.pipeline.laws import json_objects, law

PLACE = {"shard": "shardId-000000000000", "sequence": "1".zfill(60)}
MAIL = {
    "schemaVersion": 1,
    "emailId": "order-42",
    "originalEmailId": "order-42",
    "retryAttempt": 0,
    "toEmail": "ana@customer.example",
    "originalSource": "my.application",
    "templateName": "welcome",
    "subject": "Welcome, Ana",
    "metadata": {"campaignId": "welcome-2026"},
    "eventId": "event-1",
    "place": PLACE,
    "unknownFields": [],
}
SELECTED = {
    "schemaVersion": 1,
    "source": "my.application",
    "templateName": "newsletter",
    "metadata": {"campaignId": "spring"},
}
STORED: Mapping[str, dict[str, Any]] = {
    "Mail Sent": MAIL | {"sesMessageId": "0100019a1b2c3d4e-7f6a5b4c-0000-4e11-9a1b-0123456789ab-000000"},
    "Mail Failed": MAIL
    | {"errorCode": "TEMPLATE_NOT_FOUND", "errorMessage": "there is no template 'welcome'"},
    "Retry Not Needed": MAIL
    | {
        "emailId": "retry-545684d1-708b-5612-8af2-103063eddaef",
        "retryAttempt": 1,
        "reason": "the mail was delivered after all",
        "sesMessageId": "0100019a1b2c3d4e-7f6a5b4c-0000-4e11-9a1b-0123456789ab-000000",
    },
    "Mail Duplicate": {
        "schemaVersion": 1,
        "emailId": "order-42",
        "originalSource": "my.application",
        "eventId": "event-2",
        "firstEventId": "event-1",
    },
    "Send Due": {
        "schemaVersion": 1,
        "emailId": "order-42",
        "originalEmailId": "order-42",
        "retryAttempt": 1,
        "place": PLACE,
        "reason": "soft bounce",
        "deferrals": 0,
    },
    "Address Suppressed": {
        "schemaVersion": 1,
        "email": "ana@customer.example",
        "reason": "asked by phone",
    },
    "Address Released": {"schemaVersion": 1, "email": "ana@customer.example", "reason": "asked by phone"},
    "Sending Paused": SELECTED | {"reason": "a wrong price"},
    "Sending Resumed": SELECTED | {"reason": "the price is right"},
    "Record Parked": {
        "schemaVersion": 1,
        "consumer": "projector",
        "place": PLACE,
        "error": "ValueError: no",
        "attempts": 3,
    },
}

every_fact = pytest.mark.parametrize("fact", facts(), ids=lambda fact: fact.detail_type)


def test_the_stored_names_are_these() -> None:
    assert set(FACTS) == set(STORED)


def test_the_names_of_events_on_the_bus_are_these() -> None:
    assert (EMAIL_REQUEST, STATUS_CHANGED) == ("Email Request", "Email Status Changed")


def test_the_samples_have_one_fact_of_every_kind() -> None:
    assert sorted(type(fact).__name__ for fact in facts()) == sorted(kind.__name__ for kind in FACTS.values())


@every_fact
def test_a_fact_is_stored_as_it_always_was(fact: Fact) -> None:
    stored = fact.envelope("id-1", NINE)
    assert (stored.source, stored.detail) == ("sesmailengine", STORED[fact.detail_type])


@every_fact
def test_what_was_stored_is_read_back(fact: Fact) -> None:
    old = {"id": "1", "source": "sesmailengine", "detail-type": fact.detail_type, "time": NINE}
    assert decode(wire(old | {"detail": STORED[fact.detail_type]})).body == fact


@every_fact
def test_a_fact_survives_its_bytes(fact: Fact) -> None:
    stored = fact.envelope("id-1", NINE)
    event = decode(stored.to_bytes())
    assert (event.body, event.envelope, event.id, event.kind) == (fact, stored, "id-1", fact.detail_type)


@law
@given(json_objects, st.text(), st.lists(st.text()))
def test_whatever_a_mail_bears_survives_the_log(
    metadata: dict[str, Any], subject: str, unknown: list[str]
) -> None:
    fact = mail_sent(metadata=metadata, subject=subject, unknown_fields=unknown)
    assert decode(fact.envelope("id-1", NINE).to_bytes()).body == fact


def test_a_mail_that_failed_early_bears_only_what_is_known() -> None:
    fact = mail_failed(to_email=None, original_source=None, template_name=None, subject=None, place=None)
    stored = fact.envelope("id-1", NINE)
    assert {"toEmail", "originalSource", "templateName", "subject", "place"}.isdisjoint(stored.detail)
    assert decode(stored.to_bytes()).body == fact


@every_fact
@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_a_fact_of_another_version_is_unreadable_and_nothing_worse(fact: Fact, version: object) -> None:
    with pytest.raises(Unreadable, match="schemaVersion"):
        decode(wire(stored_with(fact, schemaVersion=version)))


@every_fact
def test_a_field_that_a_later_version_adds_is_ignored(fact: Fact) -> None:
    assert decode(wire(stored_with(fact, added={"later": True}))).body == fact


@pytest.mark.parametrize("attempt", [-1, 1001, 2**31, 1e999])
def test_attempts_fit_into_the_archive(attempt: float) -> None:
    with pytest.raises(Unreadable, match="retryAttempt"):
        decode(record(stored_with(mail_sent(), retryAttempt=attempt)).data.replace(b"Infinity", b"1e999"))


@pytest.mark.parametrize("sequence", ["", "x", "-1", "1.0", "٣", "9" * 101, 7, None])
def test_a_place_has_a_sequence_number(sequence: object) -> None:
    broken = stored_with(mail_sent(), place={"shard": "s", "sequence": sequence})
    with pytest.raises(Unreadable, match=r"place\.sequence"):
        decode(wire(broken))


@pytest.mark.parametrize(
    "part",
    [
        {"source": "x" * 257},
        {"templateName": "x" * 129},
        {"metadata": {"campaignId": 7}},
        {"metadata": {"campaignId": "x" * 1025}},
        {"metadata": {str(n): "x" for n in range(21)}},
        {"reason": "x" * 1025},
    ],
    ids=str,
)
def test_what_a_pause_is_about_has_bounds(part: dict[str, object]) -> None:
    (pause,) = (fact for fact in facts() if isinstance(fact, SendingPaused))
    with pytest.raises(Unreadable, match="|".join(part)):
        decode(wire(stored_with(pause, **part)))


def test_a_pause_of_everything_names_nothing() -> None:
    assert SendingPaused(reason="the night").envelope("id-1", NINE).detail == {
        "schemaVersion": 1,
        "metadata": {},
        "reason": "the night",
    }


def test_facts_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        mail_sent().email_id = "other"  # type: ignore[misc]


def test_another_source_states_no_facts() -> None:
    foreign = mail_sent().envelope("id-1", NINE).model_copy(update={"source": "my.application"})
    assert not isinstance(decode(foreign.to_bytes()).body, MailSent)


def test_a_place_is_written_with_all_its_digits() -> None:
    assert mail_sent(place=place(7)).envelope("id-1", NINE).detail["place"]["sequence"] == "7".zfill(60)


def stored_with(fact: Fact, **changes: object) -> dict[str, Any]:
    stored: Envelope = fact.envelope("id-1", NINE)
    return stored.model_dump(by_alias=True) | {"detail": stored.detail | changes}
