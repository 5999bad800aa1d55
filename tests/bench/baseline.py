"""What one would write first in the projector's place: for each event one conditional `UpdateItem` through boto3."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from consumers.handler import Handler
from consumers.projector import readable
from pipeline import times
from pipeline.codec import Event
from pipeline.dynamodb import marshal
from pipeline.envelope import OUR_SOURCE, Envelope
from pipeline.events import STATUS_CHANGED, MailFact
from pipeline.feedback import Feedback
from pipeline.log import Record
from projections.status import RANK, STATUS, slot_of

__all__ = ["Baseline"]

Publish = Callable[[Sequence[Envelope]], None]

LOWER = {status: [each for each in RANK if RANK[each] < RANK[status]] for status in RANK}


class Baseline(Handler):
    """Decodes as the projector does, and knows the same statuses. No bounce rate, no suppression, no retry."""

    def __init__(
        self, client: Any, table: str, retention: timedelta, publish: Publish, notify: Collection[str]
    ) -> None:
        self._client, self._table, self._retention = client, table, retention
        self._publish, self._notify = publish, notify
        self._durable: int | None = None

    def process(self, records: Sequence[Record]) -> None:
        for event in readable(records):
            self._take(event)
        if records:
            self._durable = records[-1].sequence

    def durable(self) -> int | None:
        return self._durable

    def drain(self, deadline: float) -> None:
        """Nothing is in flight between two calls of `process`."""

    def _take(self, event: Event) -> None:
        slot = slot_of(event)
        if slot is None or not isinstance(event.body, MailFact | Feedback) or not event.body.email_id:
            return
        status = STATUS[slot]
        row = {"status": status, f"{slot}At": event.time, **self._attributes(event.body, event.time)}
        if self._updated(event.body.email_id, status, row) and status in self._notify:
            self._publish([_changed(event, row, event.body.email_id)])

    def _updated(self, email_id: str, status: str, row: Mapping[str, Any]) -> bool:
        """Whether the status is higher than the row's; else nothing is written."""
        lower = {f":lower{rank}": marshal(each) for rank, each in enumerate(LOWER[status])}
        condition = f" OR #status IN ({', '.join(lower)})" if lower else ""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"emailId": marshal(email_id)},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in row),
                ConditionExpression="attribute_not_exists(emailId)" + condition,
                ExpressionAttributeNames={f"#{name}": name for name in row},
                ExpressionAttributeValues={f":{name}": marshal(value) for name, value in row.items()} | lower,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _attributes(self, body: MailFact | Feedback, time: str) -> dict[str, Any]:
        """What the event itself says; the time and the request's fields come with the fact of sending."""
        if isinstance(body, MailFact):
            said = body.model_dump(by_alias=True, exclude_none=True, exclude={"email_id", "schema_version"})
            ttl = int((times.parse(time) + self._retention).timestamp())
            return said | {"timestamp": time, "ttl": ttl}
        return {name: value for name, value in _said(body) if value is not None}


def _said(feedback: Feedback) -> Iterator[tuple[str, Any]]:
    yield "sesMessageId", feedback.message_id
    yield "toEmail", next(iter(feedback.recipients), None)
    yield "originalEmailId", feedback.original_email_id
    yield "retryAttempt", feedback.retry_attempt
    yield from feedback.facts.items()


def _changed(event: Event, row: Mapping[str, Any], email_id: str) -> Envelope:
    detail = {"eventId": event.id, "emailId": email_id, **row}
    return Envelope(
        id=event.id, source=OUR_SOURCE, detail_type=STATUS_CHANGED, time=event.time, detail=detail
    )
