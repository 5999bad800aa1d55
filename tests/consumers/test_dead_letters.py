"""What lies in which queue, and the record that the log is to have for it."""

import base64
import json
from typing import Any

import pytest
from cfnlint.decode.decode import decode_str

from consumers.dead_letters import Dead, Message, Origin, Queue, dead, with_record
from consumers.parking import LETTER_BYTES, Letter, letter_text
from infra.embedded.pipe_template import render
from infra.embedded.sqs_events import with_parsed_body
from infra.stack import template_body
from pipeline.appending import Entry
from pipeline.codec import decode
from pipeline.events import SendDue
from pipeline.log import Record
from pipeline.memory import MemoryLog
from tests.builders import NINE, ORDER, place, record, requested, ses_event, wire

ID = "16df84a5-1127-49bc-a301-040a4b0e39d0"
ORIGIN = Origin("123456789012", "eu-west-1")
DUE = SendDue(email_id="r-1", original_email_id=ORDER, retry_attempt=1, place=place(), reason="soft bounce")
DETAIL = json.dumps(DUE.model_dump(by_alias=True, exclude_none=True))
BOUNCE = json.dumps(ses_event("Bounce"))


def understood(queue: Queue, body: str, **attributes: str) -> Dead:
    return dead(queue, Message(ID, NINE, body, attributes), ORIGIN)


def data(found: Dead) -> bytes:
    assert found.entry
    return found.entry.data


# ── What the pipes would have made of it ──────────────────────────────────────────────────────────────────

PIPES = {Queue.feedback: "FeedbackPipe", Queue.delay: "DelayPipe"}


def resource(name: str) -> Any:
    decoded, _ = decode_str(template_body())
    assert decoded
    return decoded["Resources"][name]["Properties"]


def piped(queue: Queue, body: str) -> Any:
    """As the pipe of the stack makes it, in the embedded AWS."""
    template = resource(PIPES[queue])["TargetParameters"]["InputTemplate"]["Fn::Sub"]
    template = template.replace("${AWS::AccountId}", ORIGIN.account).replace("${AWS::Region}", ORIGIN.region)
    event = with_parsed_body({"messageId": ID, "body": body})
    return json.loads(render(template, event, {"aws.pipes.event.ingestion-time": NINE}))


@pytest.mark.parametrize("queue", PIPES)
@pytest.mark.parametrize(
    "body",
    [
        BOUNCE,
        DETAIL,
        json.dumps({"Type": "Notification", "Message": BOUNCE}),
        '{ "ü": "\\ud800 \\u0000", "n": [1, -0.5, 12345678901234567890, null] }',
        "[1]",
        "7",
        '"text"',
        "null",
        "Successfully validated \"topic\" \\ 'ü'",
        "{broken",
        "",
    ],
)
def test_a_message_becomes_what_its_pipe_would_have_made_of_it(queue: Queue, body: str) -> None:
    assert json.loads(data(understood(queue, body))) == piped(queue, body)


@pytest.mark.parametrize("queue", PIPES)
def test_its_partition_key_is_the_messages_id_as_at_the_pipe(queue: Queue) -> None:
    assert resource(PIPES[queue])["TargetParameters"]["KinesisStreamParameters"] == {
        "PartitionKey": "$.messageId"
    }
    found = understood(queue, BOUNCE)
    assert found.entry
    assert found.entry.partition_key == ID


def test_what_stands_in_a_body_is_not_written_anew() -> None:
    body = '{"n": 1e400, "d": 0.10000000000000000000001, "n": 2}'
    assert data(understood(Queue.feedback, body)).endswith(f'"detail":{body}}}'.encode())


def test_a_message_gives_the_same_bytes_each_time() -> None:
    assert data(understood(Queue.delay, DETAIL)) == data(understood(Queue.delay, DETAIL))


@pytest.mark.parametrize(
    ("queue", "body", "kind", "email_id"),
    [
        (Queue.request, wire(requested()).decode(), "Email Request", ORDER),
        (Queue.feedback, BOUNCE, "Bounce", ORDER),
        (Queue.delay, DETAIL, "Send Due", "r-1"),
        (Queue.delay, "{}", "Unreadable", ""),
        (Queue.request, "no event", "Unreadable", ""),
    ],
)
def test_it_is_known_what_a_message_is_about(queue: Queue, body: str, kind: str, email_id: str) -> None:
    found = understood(queue, body)
    assert (found.kind, found.email_id) == (kind, email_id)


def test_feedback_is_feedback_on_its_mail_again() -> None:
    assert decode(data(understood(Queue.feedback, BOUNCE))).envelope.source == "aws.ses"


def test_a_deferred_mail_points_to_its_request_again() -> None:
    assert decode(data(understood(Queue.delay, DETAIL))).body == DUE


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_rule_hands_events_on_as_they_are_under_their_ids() -> None:
    (target,) = resource("RequestRule")["Targets"]
    assert set(target) == {"Id", "Arn", "RoleArn", "RetryPolicy", "DeadLetterConfig"}


@pytest.mark.parametrize(
    "body", [wire(requested()).decode(), f" {wire(requested()).decode()}\n", '{"id": "ü"}', "no event"]
)
def test_a_request_stays_byte_for_byte(body: str) -> None:
    assert data(understood(Queue.request, body)) == body.encode()


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (wire(requested()).decode(), "event-1"),
        (wire(requested(id="x" * 1000)).decode(), "x" * 256),
        ("no event", ID),
    ],
)
def test_a_requests_partition_key_is_the_events_id(body: str, key: str) -> None:
    found = understood(Queue.request, body)
    assert found.entry
    assert found.entry.partition_key == key


def test_eventbridge_says_why_and_how_often_it_tried() -> None:
    told = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not authorized", "RETRY_ATTEMPTS": "12"}
    found = understood(Queue.request, "{}", **told)
    assert (found.reason, found.attempts) == ("NO_PERMISSIONS: not authorized", 12)


@pytest.mark.parametrize("attempts", ["", "many", "-1", "٣" * 20])
def test_a_request_without_a_reason_is_one_all_the_same(attempts: str) -> None:
    found = understood(Queue.request, "{}", RETRY_ATTEMPTS=attempts)
    assert (found.reason, found.attempts) == ("no reason given", None)


# ── Parked records ────────────────────────────────────────────────────────────────────────────────────────


def letter(about: Record) -> str:
    return letter_text(Letter("projector", about, "ValueError: no", 3))


@pytest.mark.parametrize("content", [b"\xff no event \x00", b"", wire(requested())])
def test_a_parked_record_is_the_record_again(content: bytes) -> None:
    found = understood(Queue.parked, letter(record(content, 42)))
    assert found.entry == Entry(content, "key")
    assert (found.consumer, found.reason, found.attempts) == ("projector", "ValueError: no", 3)
    assert (found.place, found.fault) == (place(42), "")


def too_large_for_a_letter(log: MemoryLog) -> Dead:
    return understood(Queue.parked, letter(log.append_bytes(b"x" * LETTER_BYTES, "order-42")))


def test_a_record_too_large_for_its_letter_is_fetched_from_the_log() -> None:
    log = MemoryLog()
    found = too_large_for_a_letter(log)
    assert found.entry is None
    assert with_record(found, log).entry == Entry(b"x" * LETTER_BYTES, "order-42")


def test_what_has_left_the_log_is_said_to_have() -> None:
    found = with_record(too_large_for_a_letter(MemoryLog()), MemoryLog())
    assert found.entry is None
    assert "has left the log" in found.fault


def test_a_letter_with_its_record_needs_no_log() -> None:
    found = understood(Queue.parked, letter(record(b"{}")))
    assert with_record(found, MemoryLog()) == found


LETTER = json.loads(letter(record(b"{}")))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "{}",
        "[" * 100_000,
        json.dumps({name: value for name, value in LETTER.items() if name != "data"}),
        json.dumps(LETTER | {"data": "%%%"}),
        json.dumps(LETTER | {"data": base64.b64encode(b"{}").decode() + "!"}),
        json.dumps(LETTER | {"data": 7}),
        json.dumps(LETTER | {"place": {"shard": "s", "sequence": "x"}}),
        json.dumps(LETTER | {"partitionKey": None}),
        json.dumps(LETTER | {"partitionKey": ""}),
        json.dumps(LETTER | {"partitionKey": "k" * 257}),
    ],
)
def test_what_is_no_letter_is_at_fault(body: str) -> None:
    found = understood(Queue.parked, body)
    assert found.entry is None
    assert found.fault.startswith("it is no letter of a parked record: ")
    assert (found.kind, found.email_id) == ("", "")
