"""Rows say what the facts say, in the guide's attributes, and give the state back."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import times
from pipeline.dynamodb import marshal, unmarshal
from projections.rows import bounce_of, failure_of, mail_of, request_of, row_of, timestamp_of
from projections.tracking import Mail, fold
from tests.builders import ANA, place
from tests.projections.builders import (
    at,
    complaint,
    delivered,
    events,
    failed,
    feedback,
    hard_bounce,
    opened,
    sent,
    soft_bounce,
)
from tests.projections.histories import outcomes, responses

law = settings(max_examples=50)

DAYS_90 = timedelta(days=90)
TEXT, NUMBER, LIST, MAP = "S", "N", "L", "M"

SEED_ATTRIBUTES = {
    "emailId": TEXT,
    "toEmail": TEXT,
    "status": TEXT,
    "timestamp": TEXT,
    "originalSource": TEXT,
    "templateName": TEXT,
    "subject": TEXT,
    "sesMessageId": TEXT,
    "metadata": MAP,
    "originalEmailId": TEXT,
    "retryAttempt": NUMBER,
    "errorMessage": TEXT,
    "bounceType": TEXT,
    "bounceSubType": TEXT,
    "bounceReason": TEXT,
    "complaintFeedbackType": TEXT,
}
OUR_ATTRIBUTES = {
    "errorCode": TEXT,
    "bounceDiagnostic": TEXT,
    "requestShard": TEXT,
    "requestSequence": TEXT,
    "requestEventId": TEXT,
    "unknownFields": LIST,
    "ttl": NUMBER,
    "facts": TEXT,
    "done": LIST,
    "sentAt": TEXT,
    "rejectedAt": TEXT,
    "bouncedAt": TEXT,
    "complainedAt": TEXT,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def mail(*records: bytes, done: frozenset[str] = frozenset()) -> Mail:
    (found,) = fold(events(records)).values()
    return Mail(found.email_id, found.slots, done, found.timestamp)


def row(*records: bytes) -> dict[str, Any]:
    return row_of(mail(*records), DAYS_90)


@st.composite
def mails(draw: st.DrawFn) -> Mail:
    """Any mail that events can tell of."""
    records = draw(st.lists(st.one_of(outcomes(), responses()), max_size=12))
    metadata = draw(st.dictionaries(st.text(max_size=5), json_values, max_size=3))
    told = fold(events([*records, sent("order-1", at(), metadata=metadata)]))
    found = told[draw(st.sampled_from(sorted(told)))]
    done = draw(st.sets(st.sampled_from(["delivered", "größe", "retry"])))
    return Mail(found.email_id, found.slots, frozenset(done), found.timestamp)


# There and back


@law
@given(mails())
def test_a_state_comes_back_from_its_row(state: Mail) -> None:
    assert mail_of(row_of(state, DAYS_90)) == state


@law
@given(mails())
def test_a_state_comes_back_from_its_row_as_json(state: Mail) -> None:
    assert mail_of(json.loads(json.dumps(row_of(state, DAYS_90)))) == state


@law
@given(mails())
def test_a_state_comes_back_from_its_row_in_dynamodb(state: Mail) -> None:
    item = marshal(row_of(state, DAYS_90))["M"]
    assert mail_of({name: unmarshal(value) for name, value in item.items()}) == state


@law
@given(mails())
def test_a_row_comes_back_from_its_state(state: Mail) -> None:
    told = row_of(state, DAYS_90)
    assert row_of(mail_of(told), DAYS_90) == told


@law
@given(mails())
def test_no_attribute_is_none(state: Mail) -> None:
    assert None not in row_of(state, DAYS_90).values()


@law
@given(mails())
def test_no_attribute_is_empty(state: Mail) -> None:
    """An index takes no empty key, and a reader shouldn't have to tell empty from missing."""
    assert not [name for name, value in row_of(state, DAYS_90).items() if value in ("", [], {})]


@law
@given(mails())
def test_the_key_attributes_of_the_indexes_are_text(state: Mail) -> None:
    told = row_of(state, DAYS_90)
    keys = ("emailId", "toEmail", "timestamp", "originalEmailId", "sesMessageId")
    assert all(isinstance(told[name], str) for name in keys if name in told)


def test_the_order_of_arrival_leaves_no_trace() -> None:
    records = [sent("m", at()), delivered("m", at(minutes=1)), opened("m", at(minutes=2))]
    assert row(*records) == row(*reversed(records))


# Attributes

EVERYTHING = (
    sent("m", at(), unknownFields=["cc"]),
    feedback("Reject", "m", at(seconds=1)),
    hard_bounce("m", at(minutes=1)),
    complaint("m", at(minutes=2)),
)


@pytest.mark.parametrize(("name", "kind"), (SEED_ATTRIBUTES | OUR_ATTRIBUTES).items())
def test_an_attribute_is_there_and_of_its_type(name: str, kind: str) -> None:
    told = row_of(mail(*EVERYTHING, done=frozenset(["bounced"])), DAYS_90)
    assert list(marshal(told[name])) == [kind]


def test_there_are_no_other_attributes_than_these_and_times() -> None:
    told = row_of(mail(*EVERYTHING, done=frozenset(["bounced"])), DAYS_90)
    assert told.keys() == (SEED_ATTRIBUTES | OUR_ATTRIBUTES).keys()


def test_a_row_says_what_was_asked_for() -> None:
    told = row(sent("m", at(seconds=1)))
    asked = ("toEmail", "originalSource", "templateName", "subject", "metadata", "requestEventId")
    assert [told[name] for name in asked] == [
        ANA,
        "my.application",
        "welcome",
        "Welcome, Ana",
        {"campaignId": "welcome-2026"},
        "event-1",
    ]


def test_a_row_says_where_the_request_lies() -> None:
    told = row(sent("m", at()))
    assert (told["requestShard"], told["requestSequence"]) == (place().shard, place().sequence)


def test_the_ttl_is_the_retention_after_the_timestamp_in_epoch_seconds() -> None:
    told = row_of(mail(sent("m", "2026-03-01T09:00:00.999Z")), timedelta(days=1))
    assert told["ttl"] == int(times.parse("2026-03-02T09:00:00Z").timestamp())


def test_a_row_has_the_first_time_of_every_kind_of_fact() -> None:
    told = row(
        sent("m", at()),
        feedback("Send", "m", at(seconds=1)),
        feedback("Click", "m", at(minutes=4)),
        opened("m", at(minutes=3)),
        opened("m", at(minutes=2)),
        opened("m", at(minutes=1), "Likely"),
        soft_bounce("m", at(seconds=30)),
    )
    assert {name: value for name, value in told.items() if name.endswith("At")} == {
        "sentAt": at(),
        "acceptedAt": at(seconds=1),
        "softBouncedAt": at(seconds=30),
        "machineOpenedAt": at(minutes=1),
        "openedAt": at(minutes=2),
        "clickedAt": at(minutes=4),
    }


def test_the_last_time_of_a_fact_is_kept() -> None:
    told = row(opened("m", at(minutes=1)), opened("m", at(minutes=9)))
    assert json.loads(told["facts"])["opened"][1] == at(minutes=9)


def test_a_mail_that_bears_no_status_of_its_own_was_sent() -> None:
    assert row(feedback("DeliveryDelay", "m", at(minutes=9)))["status"] == "sent"


# Whole from one fact


def test_the_outcome_gives_all_fields_of_the_request() -> None:
    """Feedback has a recipient and an attempt too, and isn't asked where the engine has spoken."""
    told = request_of(
        mail(
            failed("m", at(minutes=5), toEmail=None, subject=None, metadata=None),
            delivered("m", at(), attempt=1, to="somebody.else@x.example"),
        )
    )
    assert {name: told[name] for name in ("toEmail", "subject", "metadata", "retryAttempt")} == {
        "toEmail": None,
        "subject": None,
        "metadata": None,
        "retryAttempt": 0,
    }


def test_of_two_outcomes_the_earlier_gives_all_fields() -> None:
    told = request_of(
        mail(
            sent("m", at(minutes=2), subject="Second", metadata={"n": 2}),
            sent("m", at(minutes=1), subject="First", metadata=None),
        )
    )
    assert (told["subject"], told["metadata"]) == ("First", None)


def test_a_failure_gives_the_fields_rather_than_an_earlier_sent() -> None:
    told = request_of(mail(sent("m", at(), subject="Sent"), failed("m", at(days=1), subject="Failed")))
    assert told["subject"] == "Failed"


def test_a_waiting_row_has_what_the_first_feedback_lends() -> None:
    told = request_of(
        mail(
            opened("m", at(minutes=2), original="first", attempt=1),
            delivered("m", at(minutes=1), original="first", attempt=1, to="Ana@CUSTOMER.example"),
        )
    )
    assert {name: value for name, value in told.items() if value is not None} == {
        "toEmail": "Ana@customer.example",
        "originalEmailId": "first",
        "retryAttempt": 1,
        "sesMessageId": "ses-m",
    }


def test_a_waiting_row_has_no_template_of_ses_as_its_own() -> None:
    """A rendering failure names a template that lies at SES."""
    told = request_of(mail(feedback("Rendering Failure", "m", at(), part={"templateName": "at-ses"})))
    assert "templateName" not in told


def test_the_message_id_is_that_of_the_mail_the_engine_sent() -> None:
    told = row(
        delivered("m", at(), message_id="ses-other"), sent("m", at(days=1), sesMessageId="ses-of-fact")
    )
    assert told["sesMessageId"] == "ses-of-fact"


def test_feedback_alone_gives_a_message_id() -> None:
    told = row(
        delivered("m", at(minutes=2), message_id="later"), opened("m", at(minutes=1), message_id="earlier")
    )
    assert told["sesMessageId"] == "earlier"


@pytest.mark.parametrize("records", [[0, 1, 2], [2, 1, 0]])
def test_bounce_fields_come_from_the_strongest_bounce(records: list[int]) -> None:
    told = [
        soft_bounce("m", at(minutes=1)),
        hard_bounce("m", at(minutes=3), "General"),
        soft_bounce("m", at(minutes=2), attempt=1),
    ]
    assert bounce_of(mail(*(told[n] for n in records))) == {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bounceReason": "General",
        "bounceDiagnostic": "smtp; General",
        "complaintFeedbackType": None,
    }


def test_bounce_and_complaint_stay_beside_a_higher_status() -> None:
    told = row(delivered("m", at()), hard_bounce("m", at(days=1)), complaint("m", at(days=2)))
    assert (told["status"], told["bounceType"], told["complaintFeedbackType"]) == (
        "delivered",
        "Permanent",
        "abuse",
    )


ERRORS = {
    "a refusal": (failed("m", at()), "TEMPLATE_NOT_FOUND", "there is no template 'welcome'"),
    "a reject": (feedback("Reject", "m", at()), "SES_REJECTED", "SES rejected the mail: Bad content"),
    "a reject without a reason": (
        feedback("Reject", "m", at(), part={"reason": None}),
        "SES_REJECTED",
        "SES rejected the mail: no reason given",
    ),
    "a rendering failure": (
        feedback("Rendering Failure", "m", at(), part={"errorMessage": "no 'name'"}),
        "SES_RENDERING_FAILED",
        "SES could not render the mail: no 'name'",
    ),
    "a rendering failure without a message": (
        feedback("Rendering Failure", "m", at(), part={"errorMessage": None}),
        "SES_RENDERING_FAILED",
        "SES could not render the mail: no reason given",
    ),
    "a retry's soft bounce": (
        soft_bounce("m", at(), attempt=1),
        "RETRY_EXHAUSTED",
        "Retry exhausted: MailboxFull",
    ),
}


@pytest.mark.parametrize(("record", "code", "message"), ERRORS.values(), ids=ERRORS)
def test_a_failure_has_code_and_message(record: bytes, code: str, message: str) -> None:
    assert failure_of(mail(record)) == {"errorCode": code, "errorMessage": message}


def test_of_two_failures_the_earlier_gives_code_and_message() -> None:
    told = mail(feedback("Reject", "m", at(minutes=1)), failed("m", at(minutes=2)))
    assert failure_of(told)["errorCode"] == "SES_REJECTED"


def test_a_mail_that_did_not_fail_has_no_error() -> None:
    assert failure_of(mail(sent("m", at()), hard_bounce("m", at()))) == {}


@pytest.mark.parametrize(
    "records",
    [
        [sent("m", at(minutes=1)), delivered("m", at(minutes=9), mail_time=at(minutes=3))],
        [sent("m", at(minutes=3)), delivered("m", at(minutes=9), mail_time=at(minutes=1))],
        [failed("m", at(minutes=1)), sent("m", at(minutes=3))],
        [feedback("Send", "m", at(minutes=1)), sent("m", at(minutes=3))],
        [delivered("m", at(minutes=9), mail_time=at(minutes=1))],
    ],
)
def test_the_timestamp_is_the_least_of_outcomes_and_of_the_time_of_ses(records: list[bytes]) -> None:
    assert timestamp_of(mail(*records)) == at(minutes=1)
