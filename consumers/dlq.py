"""Reading dead-letter queues without consuming them, and redriving: the record into the log, then the message away.

Delivery guarantee of a redrive: at-least-once, under the ids that the record has. The log has it before its
message is deleted; a crash in between leaves both.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers.dead_letters import Dead, Message, Origin, Queue, dead, with_record
from pipeline import times
from pipeline.aws import service_errors
from pipeline.errors import EngineError, Unavailable, Unprocessable
from pipeline.log import Log, RawLog

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = [
    "HIDDEN_SECONDS",
    "KEPT",
    "NOT_DELETED",
    "REDRIVEN",
    "WOULD",
    "DeadLetters",
    "Look",
    "Result",
    "Tally",
    "redrive",
    "with_its_record",
    "would_redrive",
]

HIDDEN_SECONDS = 120  # from others, while it is read; a process that dies leaves it hidden for so long
MESSAGES_A_CALL = 10
POLL_SECONDS = 1  # a long poll asks all servers of a queue, a short one some
REDRIVEN, KEPT, NOT_DELETED = "redriven", "kept", "redriven, but not deleted"
WOULD = "would be redriven"


class Tally(NamedTuple):
    """A queue's messages, approximately; `until`: by the clock of the service, they had come before it."""

    queue: Queue
    waiting: int
    in_flight: int
    origin: Origin
    until: str


class DeadLetters:
    """One queue."""

    def __init__(self, client: "SQSClient", queue: Queue, url: str) -> None:
        self._client, self.queue, self.url = client, queue, url

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def tally(self) -> Tally:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "QueueArn"]
        with service_errors("SQS"):
            answer = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        waiting, in_flight, arn = (answer["Attributes"][name] for name in names)
        _, _, _, region, account, _ = arn.split(":", 5)
        origin, until = Origin(account, region), times.text(_told_at(answer))
        return Tally(self.queue, int(waiting), int(in_flight), origin, until)

    def look(self) -> "Look":
        return Look(self._client, self, self.tally())


def _told_at(answer: Any) -> datetime:
    """When the service answered, rounded up to its next second."""
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return (parsedate_to_datetime(told) if told else times.utc_now()) + timedelta(seconds=1)


class Look(AbstractContextManager["Look"]):
    """The messages of a queue, each once. At its end those that are left are visible to everybody again."""

    def __init__(self, client: "SQSClient", letters: DeadLetters, tally: Tally) -> None:
        self._client, self._letters, self.tally = client, letters, tally
        self._seen: set[str] = set()
        self._handles: dict[str, str] = {}
        self.came_later = 0

    def __exit__(self, *_: object) -> None:
        handles = list(self._handles.values())
        for start in range(0, len(handles), MESSAGES_A_CALL):
            self._show(handles[start : start + MESSAGES_A_CALL])

    def batches(self) -> Iterator[list[Dead]]:
        """All that was there when the look began: what comes while it lasts may have been redriven in it.

        In a long look messages come out of hiding again; it ends when it could have met all of them twice.
        """
        again = 0
        while again <= len(self._seen) and (received := self._received()):
            new = [each for each in received if each.id not in self._seen]
            again = 0 if new else again + len(received)
            self._seen |= {each.id for each in new}
            wanted = [each for each in new if each.sent < self.tally.until]
            self.came_later += len(new) - len(wanted)
            yield [dead(self._letters.queue, each, self.tally.origin) for each in wanted]

    def delete(self, messages: Sequence[Message]) -> set[str]:
        """The ids of those that could not be deleted. At most 10 messages."""
        entries: Any = [
            {"Id": str(n), "ReceiptHandle": self._handles[each.id]} for n, each in enumerate(messages)
        ]
        if not entries:
            return set()
        with service_errors("SQS"):
            answer = self._client.delete_message_batch(QueueUrl=self._letters.url, Entries=entries)
        left = {messages[int(each["Id"])].id for each in answer.get("Failed", ())}
        for each in messages:
            if each.id not in left:
                self._handles.pop(each.id)
        return left

    def _received(self) -> list[Message]:
        """None only once the queue has no more."""
        with service_errors("SQS"):
            answer: Any = self._client.receive_message(
                QueueUrl=self._letters.url,
                MaxNumberOfMessages=MESSAGES_A_CALL,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=POLL_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        found = answer.get("Messages", ())
        self._handles |= {raw["MessageId"]: raw["ReceiptHandle"] for raw in found}
        return [_message(raw) for raw in found]

    def _show(self, handles: Sequence[str]) -> None:
        """What can't be shown now shows itself when its time is over."""
        entries: Any = [
            {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for n, handle in enumerate(handles)
        ]
        with suppress(EngineError), service_errors("SQS"):
            self._client.change_message_visibility_batch(QueueUrl=self._letters.url, Entries=entries)


def _message(raw: Any) -> Message:
    sent = times.text(times.of_epoch(int(raw["Attributes"]["SentTimestamp"]) / 1000))
    attributes = raw.get("MessageAttributes", {})
    told = {name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value}
    return Message(raw["MessageId"], sent, raw["Body"], told)


class Result(NamedTuple):
    """What became of a message; `reason` says why it is still in its queue."""

    dead: Dead
    outcome: str
    reason: str = ""


def redrive(look: Look, log: RawLog, chosen: Iterable[Sequence[Dead]]) -> Iterator[list[Result]]:
    """Group by group, of at most 10.

    Raises:
        Unavailable: a service can't be used; what became of the group that met with it has been told.
    """
    for group in chosen:
        whole = [with_its_record(each, log) for each in group]
        able = [each for each in whole if each.entry]
        refused = _refused(log, able)
        appended = [each for each in able if each.message.id not in refused]
        left = _deleted(look, appended)
        yield [
            *(Result(each, KEPT, each.fault) for each in whole if not each.entry),
            *(
                Result(each, KEPT, str(refused[each.message.id]))
                for each in able
                if each.message.id in refused
            ),
            *(_done(each, left.get(each.message.id)) for each in appended),
        ]
        for error in (*refused.values(), *left.values()):
            if isinstance(error, Unavailable):
                raise error


def would_redrive(log: Log, chosen: Iterable[Sequence[Dead]]) -> Iterator[list[Result]]:
    """As `redrive` would tell it, as far as that can be known."""
    for group in chosen:
        whole = [with_its_record(each, log) for each in group]
        yield [Result(each, WOULD if each.entry else KEPT, each.fault) for each in whole]


def with_its_record(each: Dead, log: Log) -> Dead:
    """As `with_record`; where the log can't be read, the message is said to be at fault."""
    try:
        return with_record(each, log)
    except EngineError as error:
        return replace(each, fault=str(error))


Refusals = dict[str, EngineError]


def _refused(log: RawLog, able: Sequence[Dead]) -> Refusals:
    """Append; why the log did not take some, by their ids. One at fault doesn't stop the others."""
    try:
        log.append_entries([each.entry for each in able if each.entry])
    except Unprocessable as error:
        if len(able) == 1:
            return {able[0].message.id: error}
        return {name: refusal for each in able for name, refusal in _refused(log, [each]).items()}
    except EngineError as error:
        return {each.message.id: error for each in able}
    return {}


def _deleted(look: Look, appended: Sequence[Dead]) -> Refusals:
    """Delete; why some are still there, by their ids."""
    messages = [each.message for each in appended]
    try:
        return {name: EngineError("SQS did not delete it") for name in look.delete(messages)}
    except EngineError as error:
        return {each.id: error for each in messages}


def _done(each: Dead, error: EngineError | None) -> Result:
    if not error:
        return Result(each, REDRIVEN)
    return Result(each, NOT_DELETED, f"{error}; redriving it again repeats the record, and changes nothing")
