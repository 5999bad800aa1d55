"""What lies in the dead-letter queues: what each message is about, and the record that the log is to have for it.

    queue     what lies there                           the record
    request   the event, as the rule had it             its bytes
    feedback  what SES published, as the pipe had it    what the pipe would have made of it
    delay     the detail of a `Send Due`                what the pipe would have made of it
    parked    a letter with a record of the log         that record's bytes, under its partition key

EventBridge's queue: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from pipeline.appending import MAX_KEY, Entry
from pipeline.archive import UNREADABLE
from pipeline.codec import Logged, Unreadable, decode
from pipeline.envelope import OUR_SOURCE, SES_SOURCE
from pipeline.events import SendDue
from pipeline.log import Log, Place

__all__ = ["Dead", "Message", "Origin", "Queue", "dead", "with_record"]

SES_FEEDBACK = "SES Feedback"


class Queue(StrEnum):
    request = "request"
    feedback = "feedback"
    delay = "delay"
    parked = "parked"


class Origin(NamedTuple):
    """Where a queue is; an envelope says so of its event."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class Message:
    """As it lies in a queue. `sent`: when it came into the first of its queues, in the log's form."""

    id: str
    sent: str
    body: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dead:
    """A message understood. Without `entry` nothing can be appended for it; `fault` says why, if it is known."""

    message: Message
    entry: Entry | None
    reason: str
    consumer: str = ""
    attempts: int | None = None
    place: Place | None = None
    fault: str = ""

    @property
    def event(self) -> Logged | Unreadable | None:
        try:
            return decode(self.entry.data) if self.entry else None
        except Unreadable as error:
            return error

    @property
    def kind(self) -> str:
        event = self.event
        return event.kind if isinstance(event, Logged) else UNREADABLE if event else ""

    @property
    def email_id(self) -> str:
        event = self.event
        return getattr(event.body, "email_id", None) or "" if isinstance(event, Logged) else ""


def dead(queue: Queue, message: Message, origin: Origin) -> Dead:
    return _READERS[queue](message, origin)


def with_record(dead: Dead, log: Log) -> Dead:
    """With the record that was too large for its letter, as far as the log still has it.

    Raises:
        Unavailable: the log can't be read at the moment.
    """
    if dead.entry or not dead.place:
        return dead
    record = log.fetch(dead.place)
    if record:
        return replace(dead, entry=Entry(record.data, record.partition_key))
    gone = "the record was too large for its letter, and has left the log"
    return replace(dead, fault=gone)


# What lies in which queue.


def _request(message: Message, _: Origin) -> Dead:
    """The rule takes the event's id as partition key."""
    data, told = message.body.encode("utf-8", "surrogatepass"), message.attributes
    reason = f"{told.get('ERROR_CODE', 'no reason given')}: {told.get('ERROR_MESSAGE', '')}".strip(": ")
    attempts = told.get("RETRY_ATTEMPTS", "")
    found = Dead(message, Entry(data, message.id), reason, attempts=_number(attempts))
    event = found.event
    key = event.envelope.id if isinstance(event, Logged) else message.id
    return replace(found, entry=Entry(data, key[:MAX_KEY]))


def _feedback(message: Message, origin: Origin) -> Dead:
    why = "it did not reach its queue from SNS, or its pipe could not append it to the log"
    return _piped(message, origin, (SES_SOURCE, SES_FEEDBACK), why)


def _delay(message: Message, origin: Origin) -> Dead:
    why = "its pipe could not append it to the log"
    return _piped(message, origin, (OUR_SOURCE, SendDue.detail_type), why)


def _piped(message: Message, origin: Origin, kind: tuple[str, str], why: str) -> Dead:
    """As the pipe's InputTemplate in infra/stack.yaml says, but for `time`: so each redrive gives the same bytes."""
    head = {
        "version": "0",
        "id": message.id,
        "source": kind[0],
        "detail-type": kind[1],
        "time": message.sent,
        "account": origin.account,
        "region": origin.region,
        "resources": [],
    }
    detail = message.body if _is_structure(message.body) else json.dumps(message.body)
    text = f'{json.dumps(head, separators=(",", ":"))[:-1]},"detail":{detail}}}'
    return Dead(message, Entry(text.encode("utf-8", "surrogatepass"), message.id), why)


def _is_structure(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False


def _bytes(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


class _Letter(BaseModel):
    """As `consumers.parking` writes it."""

    consumer: str
    place: Place
    error: str
    attempts: int
    partition_key: str = Field(alias="partitionKey", min_length=1, max_length=MAX_KEY)
    data: Annotated[bytes, BeforeValidator(_bytes)] | None


def _parked(message: Message, _: Origin) -> Dead:
    try:
        letter = _Letter.model_validate_json(message.body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        fault = f"it is no letter of a parked record: {where} {first['msg']}".replace("  ", " ")
        return Dead(message, None, fault, fault=fault)
    entry = None if letter.data is None else Entry(letter.data, letter.partition_key)
    return Dead(message, entry, letter.error, letter.consumer, letter.attempts, letter.place)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None


_READERS: Mapping[Queue, Callable[[Message, Origin], Dead]] = {
    Queue.request: _request,
    Queue.feedback: _feedback,
    Queue.delay: _delay,
    Queue.parked: _parked,
}
