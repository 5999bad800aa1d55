"""`sesmailengine dlq` as an operator and a script meet it."""

import base64
import json
import uuid
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from typer.testing import CliRunner, Result

from consumers import dlq
from consumers.dead_letters import Message
from consumers.dlq import Look
from consumers.dlq_commands import commands
from consumers.parking import LETTER_BYTES, Letter, letter_text
from pipeline.engine import Engine
from pipeline.errors import Unavailable
from pipeline.kinesis import KinesisLog
from pipeline.log import Record
from tests.builders import ORDER, record, requested, ses_event, wire
from tests.consumers.conftest import Deployed

REQUEST = wire(requested())
HOSTILE = "[red]x[/red] :smile: \x1b[2J \x9b31m \x7f \u202e \n"


class Desk:
    """An operator's desk: four queues of its own, the log of the stack, and the command."""

    def __init__(self, deployed: Deployed) -> None:
        self.sqs, own = deployed.client("sqs"), uuid.uuid4().hex
        self.urls = {
            queue: self.sqs.create_queue(QueueName=f"{queue}-{own}")["QueueUrl"]
            for queue in ("request", "feedback", "delay", "parked")
        }
        names = ("request_dlq_url", "feedback_dlq_url", "delay_dlq_url", "parked_queue_url")
        settings = deployed.settings.model_copy(update=dict(zip(names, self.urls.values(), strict=True)))
        self._engine = Engine(deployed.client, lambda: settings)
        self.log = KinesisLog(deployed.client("kinesis"), settings.stream_name)
        self._before = len(self._records())

    def put(self, queue: str, *bodies: str, **attributes: str) -> list[str]:
        """The ids of the messages."""
        told = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        return [
            self.sqs.send_message(QueueUrl=self.urls[queue], MessageBody=body, MessageAttributes=told)[
                "MessageId"
            ]
            for body in bodies
        ]

    def park(self, *contents: bytes, consumer: str = "projector", error: str = "ValueError: no") -> list[str]:
        return self.put(
            "parked", *(letter_text(Letter(consumer, record(each, 42), error, 3)) for each in contents)
        )

    def told(self, *arguments: str, code: int = 0) -> str:
        done = self.asked(*arguments)
        assert done.exit_code == code, done.output
        return done.stdout

    def asked(self, *arguments: str) -> Result:
        environment = {"COLUMNS": "200", "TERM": "xterm", "FORCE_COLOR": "", "NO_COLOR": ""}
        return CliRunner().invoke(commands, ["dlq", *arguments], obj=lambda _: self._engine, env=environment)

    def json(self, *arguments: str, code: int = 0) -> Any:
        told = self.told(*arguments, "--json", code=code)
        assert told.strip().isprintable()
        return json.loads(told)

    def left(self, queue: str) -> int:
        return sum(self.counts(queue))

    def counts(self, queue: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def appended(self) -> list[tuple[str, bytes]]:
        """Partition keys and bytes, since the beginning of the test."""
        return [(each.partition_key, each.data) for each in self._records()[self._before :]]

    def _records(self) -> list[Record]:
        records = [
            each for shard in self.log.shards() for each in self.log.reader(shard.id, None).read().records
        ]
        return sorted(records, key=lambda each: each.arrival)


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded AWS has one server."""
    monkeypatch.setattr(dlq, "POLL_SECONDS", 0)


@pytest.fixture
def desk(deployed: Deployed) -> Desk:
    return Desk(deployed)


# ── dlq list ──────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_queue_all_four_are_counted(desk: Desk) -> None:
    desk.put("request", "{}", "{}")
    desk.park(b"{}")
    desk.sqs.receive_message(QueueUrl=desk.urls["parked"])
    counts = {each["queue"]: (each["messages"], each["inFlight"]) for each in desk.json("list")}
    assert counts == {"request": (2, 0), "feedback": (0, 0), "delay": (0, 0), "parked": (0, 1)}
    assert desk.told("list").splitlines()[1].split() == [
        "request", desk.urls["request"].rpartition("/")[2], "2", "0",
    ]  # fmt: skip


def test_a_queue_is_listed_with_what_is_known_of_each_message(desk: Desk) -> None:
    (id_,) = desk.park(REQUEST)
    (listed,) = desk.json("list", "parked")
    assert listed | {"sent": ""} == {
        "id": id_,
        "sent": "",
        "kind": "Email Request",
        "emailId": ORDER,
        "consumer": "projector",
        "attempts": 3,
        "reason": "ValueError: no",
        "place": record(REQUEST, 42).place.model_dump(),
    }
    heading, line, count = desk.told("list", "parked").splitlines()
    assert heading.split() == ["id", "sent", "kind", "emailId", "consumer", "attempts", "reason"]
    told = [id_[:8], listed["sent"], "Email", "Request", ORDER, "projector", "3", "ValueError:", "no"]
    assert (line.split(), count) == (told, "1 message")


def test_the_oldest_comes_first(desk: Desk) -> None:
    sent = [id_ for _ in range(13) for id_ in desk.put("feedback", json.dumps(ses_event("Bounce")))]
    listed = desk.json("list", "feedback")
    assert [each["sent"] for each in listed] == sorted(each["sent"] for each in listed)
    assert sorted(each["id"] for each in listed) == sorted(sent)


def test_listing_hides_nothing(desk: Desk) -> None:
    desk.park(*[b"{}"] * 12)
    assert len(desk.json("list", "parked")) == len(desk.json("list", "parked")) == 12
    assert desk.counts("parked") == (12, 0)


def test_a_long_list_ends_at_the_limit_and_says_so(desk: Desk) -> None:
    desk.park(*[b"{}"] * 12)
    assert desk.told("list", "parked", "--limit", "5").splitlines()[-1] == "5 of about 12 messages"
    assert len(desk.json("list", "parked", "--limit", "11")) == 11
    assert desk.counts("parked") == (12, 0)


def test_an_empty_queue_is_a_list_of_nothing(desk: Desk) -> None:
    assert desk.told("list", "delay") == "0 messages\n"
    assert desk.json("list", "delay") == []


# ── dlq show ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_shown_with_its_reason_its_place_and_its_envelope(desk: Desk) -> None:
    (id_,) = desk.park(REQUEST)
    told = desk.told("show", "parked", id_[:8])
    above, below = told.split("\n\n")
    shown = {
        name: value.split()
        for name, *rest in map(str.split, above.splitlines())
        for value in [" ".join(rest)]
    }
    assert shown["id"] == [id_]
    assert shown["reason"] == ["ValueError:", "no"]
    assert shown["place"] == ["shardId-000000000000", "42"]
    assert json.loads(below) == json.loads(REQUEST)
    assert '\n  "detail-type": "Email Request",\n' in below
    assert desk.counts("parked") == (1, 0)


def test_a_program_is_told_the_same(desk: Desk) -> None:
    (id_,) = desk.put("request", REQUEST.decode(), RULE_ARN="arn:x", ERROR_CODE="THROTTLING")
    shown = desk.json("show", "request", id_)
    assert (shown["record"], shown["partitionKey"]) == (json.loads(REQUEST), "event-1")
    assert shown["attributes"] == {"RULE_ARN": "arn:x", "ERROR_CODE": "THROTTLING"}
    assert (shown["reason"], shown["error"], shown["data"]) == ("THROTTLING", None, None)


def test_bytes_that_are_no_envelope_are_shown_with_what_is_wrong_with_them(desk: Desk) -> None:
    (id_,) = desk.park(b"\xff no event")
    shown = desk.json("show", "parked", id_)
    assert base64.b64decode(shown["data"]) == b"\xff no event"
    assert "UnicodeDecodeError" in shown["error"]
    assert desk.told("show", "parked", id_).endswith("\n\\xff no event\n")


def test_what_is_no_letter_is_shown_as_it_is(desk: Desk) -> None:
    (id_,) = desk.put("parked", "hello")
    assert desk.json("show", "parked", id_)["body"] == "hello"
    told = desk.told("show", "parked", id_)
    assert "can't be redriven  it is no letter of a parked record" in told
    assert told.endswith("\nhello\n")


@pytest.mark.parametrize(
    ("queue", "body"),
    [
        ("parked", letter_text(Letter("projector", record(HOSTILE.encode()), HOSTILE, 3))),
        ("parked", letter_text(Letter(HOSTILE, record(wire(requested(id=HOSTILE))), HOSTILE, 3))),
        ("request", wire(requested({"emailId": HOSTILE, "to": HOSTILE})).decode()),
        ("feedback", json.dumps({HOSTILE: HOSTILE})),
        ("delay", HOSTILE.replace("\x1b", "")),
        ("parked", json.dumps({"consumer": HOSTILE})),
    ],
)
def test_what_strangers_wrote_is_no_markup_and_moves_no_cursor(desk: Desk, queue: str, body: str) -> None:
    (id_,) = desk.put(queue, body, ERROR_CODE=HOSTILE, ERROR_MESSAGE=HOSTILE)
    for told in (
        desk.told("list", queue),
        desk.told("show", queue, id_),
        desk.asked("redrive", queue, id_, "--dry-run").stdout,
    ):
        assert told.replace("\n", "").isprintable()
    assert "[red]x[/red] :smile:" in desk.told("show", queue, id_)
    desk.json("show", queue, id_)


def test_reasons_in_a_table_are_as_they_were_given(desk: Desk) -> None:
    desk.park(b"{}", error=HOSTILE)
    assert r"[red]x[/red] :smile: \x1b[2J \x9b31m \x7f \u202e \n" in desk.told("list", "parked")


def test_an_id_that_is_nowhere_is_one_sentence_and_exit_1(desk: Desk) -> None:
    desk.park(b"{}")
    told = desk.asked("show", "parked", "nothing")
    assert told.exit_code == 1
    assert "there is no message 'nothing' in the parked queue" in str(told.exception)
    assert desk.counts("parked") == (1, 0)


def test_the_beginning_of_several_ids_is_refused(desk: Desk) -> None:
    ids_ = sorted(desk.park(*[b"{}"] * 17))  # 16 hexadecimal digits: two begin alike
    first = next(one[0] for one, other in pairwise(ids_) if one[0] == other[0])
    told = desk.asked("redrive", "parked", first)
    assert told.exit_code == 1
    assert f"'{first}' begins several ids" in str(told.exception)
    assert (desk.counts("parked"), desk.appended()) == ((17, 0), [])


# ── dlq redrive ───────────────────────────────────────────────────────────────────────────────────────────


def test_one_message_is_redriven_and_the_others_stay(desk: Desk) -> None:
    _, id_, _ = desk.park(b"one", b"two", b"three")
    assert desk.told("redrive", "parked", id_[:13], id_) == "1 redriven\n"
    assert desk.appended() == [("key", b"two")]
    assert desk.counts("parked") == (2, 0)


def test_all_messages_are_redriven(desk: Desk) -> None:
    contents = [b"record %d" % number for number in range(25)]
    desk.park(*contents)
    assert desk.told("redrive", "parked", "--all") == "25 redriven\n"
    assert sorted(desk.appended()) == sorted(("key", content) for content in contents)
    assert desk.counts("parked") == (0, 0)


def test_a_request_goes_into_the_log_as_the_rule_had_it(desk: Desk) -> None:
    desk.put("request", REQUEST.decode())
    desk.told("redrive", "request", "--all")
    assert desk.appended() == [("event-1", REQUEST)]


@pytest.mark.parametrize("content", [b"\xff no event \x00", b"", b'{"id": 7}'])
def test_bytes_that_are_no_envelope_are_redriven_as_they_are(desk: Desk, content: bytes) -> None:
    desk.park(content)
    desk.told("redrive", "parked", "--all")
    assert desk.appended() == [("key", content)]


def test_a_record_too_large_for_its_letter_is_fetched_from_the_log(desk: Desk) -> None:
    large = requested({"filling": "x" * LETTER_BYTES, "emailId": "large"})
    desk.log.append([large])
    found = next(
        each
        for shard in desk.log.shards()
        for each in desk.log.reader(shard.id, None).read().records
        if each.partition_key == "large"
    )
    (id_,) = desk.put("parked", letter_text(Letter("projector", found, "why", 3)))
    assert desk.json("list", "parked")[0]["kind"] == ""
    assert desk.json("show", "parked", id_)["record"]["detail"]["emailId"] == "large"
    desk.told("redrive", "parked", id_)
    assert desk.appended() == [("large", wire(large))] * 2


def test_what_can_not_be_redriven_is_kept_with_the_reason_and_exit_1(desk: Desk) -> None:
    gone, _, no_letter = desk.park(b"x" * LETTER_BYTES, b"small") + desk.put("parked", "hello")
    told = desk.told("redrive", "parked", "--all", code=1)
    assert "has left the log" in told
    assert "it is no letter" in told
    assert told.splitlines()[-1] in {"2 kept, 1 redriven", "1 redriven, 2 kept"}
    assert sorted(each["id"] for each in desk.json("list", "parked")) == sorted([gone, no_letter])


def test_a_program_is_told_what_became_of_each(desk: Desk) -> None:
    (id_,) = desk.park(REQUEST)
    (told,) = desk.json("redrive", "parked", "--all")
    assert told == {"id": id_, "kind": "Email Request", "emailId": ORDER, "outcome": "redriven", "reason": ""}


def test_a_dry_run_lists_and_changes_nothing(desk: Desk) -> None:
    desk.park(REQUEST)
    told = desk.told("redrive", "parked", "--all", "--dry-run")
    assert ORDER in told
    assert told.splitlines()[-1] == "1 would be redriven"
    assert (desk.counts("parked"), desk.appended()) == ((1, 0), [])


def test_an_empty_queue_has_nothing_to_redrive(desk: Desk) -> None:
    assert desk.told("redrive", "delay", "--all") == "nothing is there\n"


def test_a_stream_that_is_down_keeps_everything_and_says_so(desk: Desk) -> None:
    desk.park(*[b"{}"] * 12)
    down = mock.patch.object(desk.log._client, "put_records", side_effect=desk.log._client.exceptions.ClientError(
        {"Error": {"Code": "InternalFailure", "Message": "down"}}, "PutRecords"
    ))  # fmt: skip
    with mock.patch("consumers.dlq_commands.KinesisLog", return_value=desk.log), down:
        told = desk.told("redrive", "parked", "--all", code=1)
    assert "10 kept\nstopped: Kinesis: InternalFailure: down; what is not told of was not tried" in told
    assert desk.counts("parked") == (12, 0)


def test_a_queue_that_goes_down_in_between_ends_it_with_what_was_done(desk: Desk) -> None:
    desk.park(*[b"{}"] * 12)
    received = Look._received

    def once(self: Look) -> list[Message]:
        if self._seen:
            raise Unavailable("SQS: down")
        return received(self)

    with mock.patch.object(Look, "_received", once):
        told = desk.told("redrive", "parked", "--all", code=1)
    assert told == "10 redriven\nstopped: SQS: down; what is not told of was not tried\n"
    assert desk.counts("parked") == (2, 0)


def test_after_requests_that_a_sender_parked_it_is_said_how_to_ask_again(desk: Desk) -> None:
    desk.park(REQUEST, consumer="sender-bulk")
    assert "`sesmailengine resend`" in desk.told("redrive", "parked", "--all")
    desk.park(REQUEST)
    assert "resend" not in desk.told("redrive", "parked", "--all")


def test_the_help_says_what_redriving_means_for_a_mail_that_has_failed(desk: Desk) -> None:
    told = " ".join(desk.told("redrive", "--help").split())
    assert "sesmailengine resend --code INTERNAL_ERROR" in told


@pytest.mark.parametrize("arguments", [["parked"], ["parked", "abc", "--all"], ["lost", "--all"], []])
def test_what_cannot_be_used_is_exit_2(desk: Desk, arguments: list[str]) -> None:
    assert desk.asked("redrive", *arguments).exit_code == 2
