"""What the archive keeps of each record: the columns, and an allow-list of fields for each kind.

Never archived: `templateData`, bodies, unknown fields, headers, and of feedback what `pipeline.keeping` leaves
out. Bytes that are no event are kept as digest, size and error. `pipeline.archived` reads rows back.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Literal

from pipeline import addresses, times
from pipeline.codec import Event, Other, Request, Unreadable, decode
from pipeline.events import (
    AddressReleased,
    AddressSuppressed,
    Fact,
    MailFact,
    MailFailed,
    MailSent,
    RetryNotNeeded,
    SendingFact,
)
from pipeline.feedback import Feedback
from pipeline.keeping import kept
from pipeline.log import Record, sequence_text

__all__ = ["COLUMNS", "COLUMN_OF_FEEDBACK", "SCHEMA_VERSION", "UNREADABLE", "row"]

SCHEMA_VERSION = 2  # 1 had no `deferrals`, and no `ses_message_id` of a `Retry Not Needed`
UNREADABLE = "Unreadable"

ColumnType = Literal["string", "timestamp", "int32", "bool"]

COLUMNS: Mapping[str, ColumnType] = {
    "event_id": "string",
    "kind": "string",
    "time": "timestamp",
    "arrival": "timestamp",
    "shard": "string",
    "sequence": "string",
    "email_id": "string",
    "original_email_id": "string",
    "attempt": "int32",
    "recipient_key": "string",
    "domain": "string",
    "source": "string",
    "template": "string",
    "subject": "string",
    "ses_message_id": "string",
    "mail_time": "timestamp",  # when SES accepted the mail that feedback is about
    "bounce_type": "string",
    "bounce_sub_type": "string",
    "complaint_type": "string",
    "link": "string",
    "agent_class": "string",
    "machine": "bool",
    "error_code": "string",
    "metadata": "string",  # JSON
    "rest": "string",  # JSON: the other fields that the allow-list lets through
}

COLUMN_OF_FEEDBACK: Mapping[str, str] = {
    "bounceType": "bounce_type",
    "bounceSubType": "bounce_sub_type",
    "complaintFeedbackType": "complaint_type",
    "link": "link",
    "agentClass": "agent_class",
    "machine": "machine",
}
_REST_OF_FACTS = (
    "toEmail",
    "errorMessage",
    "eventId",
    "place",
    "unknownFields",
    "firstEventId",
    "reason",
    "email",
    "consumer",
    "error",
    "attempts",
    "deferrals",
    "schemaVersion",
)


def row(record: Record) -> dict[str, Any]:
    """One row of the archive for one record of the log; columns that don't apply are left out."""
    place = {"arrival": record.arrival, "shard": record.shard, "sequence": sequence_text(record.sequence)}
    try:
        event = decode(record.data)
    except Unreadable as error:
        return place | _unreadable(record, error)
    return place | _columns(event)


def _unreadable(record: Record, error: Unreadable) -> dict[str, Any]:
    digest = sha256(record.data).hexdigest()
    rest = {"digest": digest, "size": len(record.data), "error": str(error)[:500]}
    return {"event_id": digest[:32], "kind": UNREADABLE, "time": record.arrival, "rest": json.dumps(rest)}


def _columns(event: Event) -> dict[str, Any]:
    common = {"event_id": event.id, "kind": event.kind, "time": times.parse(event.time)}
    for kind, columns in _BY_BODY.items():
        if isinstance(event.body, kind):
            return common | columns(event.body)
    raise AssertionError(type(event.body))


def _request(body: Request) -> dict[str, Any]:
    detail, to = body.detail, body.detail.get("to")
    return {
        "email_id": body.email_id,
        "original_email_id": body.email_id,
        "attempt": 0,
        "source": body.source,
        "template": _text(detail.get("templateName")),
        "metadata": _json(detail.get("metadata")),
    } | (_recipient(to) if isinstance(to, str) else {})


def _feedback(body: Feedback) -> dict[str, Any]:
    facts = kept(body.facts)
    columns = {column: facts.pop(name, None) for name, column in COLUMN_OF_FEEDBACK.items()}
    return {
        "email_id": body.email_id,
        "original_email_id": body.original_email_id,
        "attempt": body.retry_attempt,
        "ses_message_id": body.message_id,
        "mail_time": times.parse(body.mail_time),
        **columns,
        "rest": _json(facts | {"recipients": list(body.recipients)}),
    } | (_recipient(body.recipients[0]) if body.recipients else {})


def _fact(body: Fact) -> dict[str, Any]:
    detail = body.model_dump(by_alias=True, exclude_none=True)
    columns = {"rest": _json(_allowed(detail, _REST_OF_FACTS))}
    if "emailId" in detail:
        columns |= {
            "email_id": detail["emailId"],
            "original_email_id": detail.get("originalEmailId", detail["emailId"]),
            "attempt": detail.get("retryAttempt", 0),
            "source": detail.get("originalSource"),
        }
    if isinstance(body, MailFact):
        columns |= _mail_fact(body)
    if isinstance(body, AddressSuppressed | AddressReleased):
        columns |= _recipient(body.email)
    if isinstance(body, SendingFact):
        columns |= _selected(body)
    return columns


def _mail_fact(body: MailFact) -> dict[str, Any]:
    return {
        "template": body.template_name,
        "subject": body.subject,
        "metadata": _json(body.metadata),
        "ses_message_id": body.ses_message_id if isinstance(body, MailSent | RetryNotNeeded) else None,
        "error_code": body.error_code if isinstance(body, MailFailed) else None,
    } | (_recipient(body.to_email) if body.to_email else {})


def _selected(body: SendingFact) -> dict[str, Any]:
    return {"source": body.source, "template": body.template_name, "metadata": _json(body.metadata)}


def _other(_: Other) -> dict[str, Any]:
    return {}


_BY_BODY: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    Request: _request,
    Feedback: _feedback,
    Fact: _fact,
    Other: _other,
}


def _recipient(address: str) -> dict[str, Any]:
    return {"recipient_key": addresses.suppression_key(address), "domain": addresses.domain(address)}


def _allowed(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: Any) -> str | None:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) and value else None
