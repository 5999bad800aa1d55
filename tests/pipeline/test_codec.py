"""Records of every kind and of no kind: understood, or `Unreadable`, and never anything else."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import archive, ids
from pipeline.codec import Logged, Other, Request, Unreadable, decode
from pipeline.feedback import Feedback
from tests.builders import (
    NINE,
    SES_EVENTS,
    envelope,
    facts,
    piped,
    record,
    request,
    requested,
    ses_event,
    tags,
    wire,
)
from tests.pipeline.laws import json_values, law, oddities

Json = dict[str, Any]

# ── Feedback, by every road ───────────────────────────────────────────────────────────────────────────────

DETAIL_TYPES = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}
TRIAL = "Successfully validated SNS topic for Amazon SES event publishing."


def by_pipe(detail: object, message_id: str = "message-1") -> bytes:
    """As the feedback pipe's input template writes it around the body of an SQS message."""
    return wire(json.loads(piped({}, id=message_id).to_bytes()) | {"detail": detail})


def in_sns(event: Json) -> Json:
    """What SNS makes of a message when raw delivery is off."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:engine-Feedback",
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(event),
        "Timestamp": "2026-11-24T09:15:04.000Z",
        "SignatureVersion": "1",
        "Signature": "…",
    }


def by_eventbridge(event: Json) -> bytes:
    return wire(
        {
            "version": "0",
            "id": "b6f0c0de-1111-4222-8333-944445555666",
            "detail-type": DETAIL_TYPES[event["eventType"]],
            "source": "aws.ses",
            "account": "111122223333",
            "time": "2026-11-24T09:15:04Z",
            "region": "us-east-1",
            "resources": ["arn:aws:ses:us-east-1:111122223333:configuration-set/engine-prod"],
            "detail": event,
        }
    )


ROADS: Mapping[str, Callable[[Json], bytes]] = {
    "pipe, body as object": by_pipe,
    "pipe, body as text": lambda event: by_pipe(json.dumps(event)),
    "pipe, SNS around it": lambda event: by_pipe(in_sns(event)),
    "pipe, SNS around it as text": lambda event: by_pipe(json.dumps(in_sns(event))),
    "EventBridge": by_eventbridge,
}
every_road = pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
every_kind = pytest.mark.parametrize("kind", SES_EVENTS)


@every_road
@every_kind
def test_feedback_is_understood_by_whichever_road_it_came(kind: str, road: Callable[[Json], bytes]) -> None:
    body = decode(road(ses_event(kind))).body
    assert isinstance(body, Feedback)
    assert body == decode(by_pipe(ses_event(kind))).body


@every_road
@every_kind
def test_feedback_has_one_identity_by_whichever_road_it_came(
    kind: str, road: Callable[[Json], bytes]
) -> None:
    assert decode(road(ses_event(kind))).id == decode(by_pipe(ses_event(kind))).id


def test_the_same_feedback_in_two_messages_is_one_event() -> None:
    first, second = by_pipe(ses_event("Open"), "message-1"), by_pipe(ses_event("Open"), "message-2")
    assert decode(first).id == decode(second).id


def test_the_order_of_fields_does_not_change_what_an_event_is() -> None:
    event = ses_event("Bounce")
    assert decode(by_pipe(dict(reversed(event.items())))).id == decode(by_pipe(event)).id


def test_every_kind_is_another_event() -> None:
    assert len({decode(by_pipe(ses_event(kind))).id for kind in SES_EVENTS}) == len(SES_EVENTS)


@law
@given(st.data())
def test_another_content_is_another_event(data: st.DataObject) -> None:
    event = ses_event(data.draw(st.sampled_from(sorted(SES_EVENTS))))
    changed = copy.deepcopy(event)
    changed["mail"]["brandNew"] = data.draw(json_values)
    assert decode(by_pipe(changed)).id != decode(by_pipe(event)).id


@pytest.mark.parametrize("trial", [TRIAL, json.dumps(TRIAL), in_sns({})["Message"][:-1]])
def test_the_trial_message_of_ses_is_unreadable_and_nothing_worse(trial: str) -> None:
    with pytest.raises(Unreadable, match="detail"):
        decode(by_pipe(trial))


def test_the_trial_message_that_sns_has_wrapped_is_unreadable_and_nothing_worse() -> None:
    with pytest.raises(Unreadable, match="detail"):
        decode(by_pipe({**in_sns({}), "Message": TRIAL}))


# ── Other events ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_handed_on_as_the_client_sent_it() -> None:
    detail = request(unknown={"a": [1, None]})
    event = decode(requested(detail, id="event-7", source="shop").to_bytes())
    assert (event.id, event.time, event.kind) == ("event-7", NINE, "Email Request")
    assert event.body == Request("order-42", "shop", detail)


def test_a_request_without_an_id_gets_one_from_its_event() -> None:
    body = decode(requested(request(emailId=None), id="event-7").to_bytes()).body
    assert isinstance(body, Request)
    assert body.email_id == ids.email_id_of("event-7", {})


@pytest.mark.parametrize("detail", [{}, {"to": []}, {"emailId": {}}, {"templateData": "x"}, {"to": None}])
def test_a_faulty_request_is_still_a_request(detail: Json) -> None:
    assert isinstance(decode(requested(detail).to_bytes()).body, Request)


def test_a_request_with_a_message_field_is_still_a_request() -> None:
    assert isinstance(decode(requested(request(Message="hello")).to_bytes()).body, Request)


def test_a_request_keeps_a_number_that_nothing_can_hold_as_text() -> None:
    data = requested(request(templateData={"n": "?"})).to_bytes().replace(b'"?"', b"1e999")
    body = decode(data).body
    assert isinstance(body, Request)
    assert body.detail["templateData"] == {"n": "1e999"}


@pytest.mark.parametrize(
    "content",
    [
        envelope("Order Shipped"),
        envelope("Mail Sent", source="my.application"),
        envelope("Email Status Changed", source="sesmailengine"),
        envelope("Advisor Recommendation Status Open", source="aws.ses"),
        envelope("SES Feedback", {"notificationType": "AmazonSnsSubscriptionSucceeded"}, source="aws.ses"),
        envelope("Email Bounced", ses_event("Bounce"), source="my.application"),
    ],
    ids=lambda content: f"{content.detail_type} of {content.source}",
)
def test_an_event_of_no_kind_of_ours_is_left_alone(content: Any) -> None:
    event = decode(content.to_bytes())
    assert (event.body, event.id, event.kind) == (Other(), content.id, content.detail_type)


# ── What is no event ──────────────────────────────────────────────────────────────────────────────────────

WHOLE = json.loads(requested().to_bytes())


def changed(**fields: object) -> bytes:
    return json.dumps(WHOLE | fields).encode()


NO_EVENTS: Mapping[str, bytes] = {
    "nothing": b"",
    "blank": b"  \n",
    "no text": b"\xff\xfe\x00",
    "half a surrogate pair in UTF-8": b'{"id": "\xed\xa0\x80"}',
    "UTF-16": json.dumps(WHOLE).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + wire(WHOLE),
    "plain text": TRIAL.encode(),
    "truncated": wire(WHOLE)[:-1],
    "more than one": wire(WHOLE) * 2,
    "single quotes": str(WHOLE).encode(),
    "a list": b"[]",
    "a list of events": json.dumps([WHOLE]).encode(),
    "a string": b'"Email Request"',
    "a number": b"7",
    "null": b"null",
    "an empty object": b"{}",
    "not a number": requested(request(templateData={"n": "?"})).to_bytes().replace(b'"?"', b"NaN"),
    "infinity": requested(request(templateData={"n": "?"})).to_bytes().replace(b'"?"', b"-Infinity"),
    "nested deeply": changed(**{"detail-type": "Something", "detail": {"a": "?"}}).replace(
        b'"?"', b"[" * 500 + b"]" * 500
    ),
    "nested very deeply": b"[" * 200_000,
    "nested deeply inside text": changed(detail='{"a":' + "[" * 500 + "]" * 500 + "}"),
    "without an id": json.dumps({n: v for n, v in WHOLE.items() if n != "id"}).encode(),
    "an empty id": changed(id=""),
    "a number for an id": changed(id=7),
    "no source": changed(source=None),
    "an object for a detail-type": changed(**{"detail-type": {}}),
    "no time": changed(time=None),
    "garbage for a time": changed(time="yesterday"),
    "a time before the first": changed(time="0001-01-01T00:00:00+23:59"),
    "a time after the last": changed(time="9999-12-31T23:59:59-23:59"),
    "an enormous time": changed(time=1e20),
    "an enormous whole time": changed(time=10**30),
    "a list for a time": changed(time=[2026, 11, 24]),
    "no detail": changed(detail=None),
    "a list for a detail": changed(detail=[]),
    "text for a detail": changed(detail="hello"),
    "resources that are no list": changed(resources={"a": 1}),
}


@pytest.mark.parametrize("data", NO_EVENTS.values(), ids=NO_EVENTS)
def test_what_is_no_event_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"[]", "record: "),
        (changed(time="yesterday"), "time: "),
        (changed(detail="hello"), "detail: "),
        (changed(id=""), "id: "),
        (b"\xff", "UnicodeDecodeError: "),
    ],
)
def test_the_sentence_names_what_is_wrong(data: bytes, named: str) -> None:
    with pytest.raises(Unreadable, match=f"^{named}"):
        decode(data)


# ── Anything at all ───────────────────────────────────────────────────────────────────────────────────────


def outcome(data: bytes) -> Logged | None:
    """Anything but an event or Unreadable fails the test."""
    try:
        return decode(data)
    except Unreadable:
        return None


samples: list[Json] = [
    json.loads(data)
    for data in (
        requested().to_bytes(),
        *(fact.envelope("id-1", NINE).to_bytes() for fact in facts()),
        *(by_pipe(ses_event(kind)) for kind in SES_EVENTS),
        by_pipe(in_sns(ses_event("Bounce", {"tags": tags("retry-1", "order-42", 1)}))),
    )
]


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """To every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from paths(each, (*path, key))


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """A record as it should be, of which one to three values have been replaced or removed."""
    whole = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(paths(whole))))
        parent: Any = whole
        for key in way:
            parent = parent[key]
        if isinstance(parent, dict) and draw(st.booleans()):
            del parent[last]
        else:
            parent[last] = draw(json_values | oddities)
    return json.dumps(whole).encode()


anything = (
    st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | oddities.map(lambda value: json.dumps(value).encode())
    | mutilated()
    | mutilated().map(lambda data: data[: len(data) // 2])
    | mutilated().map(lambda data: data.replace(b"Infinity", b"1e999"))
)


@law
@given(anything)
def test_whatever_the_bytes_they_are_an_event_or_unreadable(data: bytes) -> None:
    outcome(data)


@law
@given(mutilated())
def test_what_is_an_event_can_be_stored_as_utf_8(data: bytes) -> None:
    event = outcome(data)
    if event:
        json.dumps(event.envelope.model_dump(), ensure_ascii=False, allow_nan=False).encode()


@law
@given(mutilated())
def test_an_event_that_is_written_again_is_the_same_event(data: bytes) -> None:
    event = outcome(data)
    if event:
        again = decode(event.envelope.to_bytes())
        assert (again.id, again.kind, again.time, again.body) == (
            event.id,
            event.kind,
            event.time,
            event.body,
        )


@law
@given(anything)
def test_whatever_the_bytes_there_is_a_row_for_the_archive(data: bytes) -> None:
    assert archive.row(record(data)).keys() <= archive.COLUMNS.keys()


@pytest.mark.parametrize("levels", [100, 5000])
def test_a_request_that_is_nested_deeply_is_a_request_with_a_fault(levels: int) -> None:
    data = changed(detail={"emailId": "order-42", "a": "?"}).replace(b'"?"', b"[" * levels + b"]" * levels)
    body = decode(data).body
    assert isinstance(body, Request)
    assert (body.email_id, body.fault) == ("order-42", "it is nested more than 100 levels deep")


def test_a_request_whose_source_is_too_long_keeps_the_start_of_it_and_has_a_fault() -> None:
    body = decode(changed(source="s" * 900_000)).body
    assert isinstance(body, Request)
    assert (body.source, body.fault) == ("s" * 256, "its source has more than 256 characters")
