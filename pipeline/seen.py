"""A record of the log as it is shown: in a line for people, or as JSON for programs.

In a line stands no `templateData`, no body and no query of a link, and no character that a terminal would obey.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline import times
from pipeline.archive import UNREADABLE
from pipeline.codec import Logged, Request, Unreadable, decode
from pipeline.events import (
    EMAIL_REQUEST,
    FACTS,
    AddressReleased,
    AddressSuppressed,
    MailDuplicate,
    MailFailed,
    MailSent,
    RecordParked,
    RetryNotNeeded,
    SendDue,
    SendingFact,
    SendingPaused,
    SendingResumed,
)
from pipeline.feedback import Feedback
from pipeline.log import Record

__all__ = ["KINDS", "Seen", "printable"]

LONGEST_WORD = 200
MOST_RECIPIENTS = 3

Words = Sequence[tuple[str, Any]]  # each with what is said before it


class Seen(NamedTuple):
    """A record with its event, or with why it holds none."""

    record: Record
    event: Logged | Unreadable

    @classmethod
    def of(cls, record: Record) -> "Seen":
        try:
            return cls(record, decode(record.data))
        except Unreadable as error:
            return cls(record, error)

    @property
    def arrival(self) -> str:
        return times.text(self.record.arrival)

    @property
    def kind(self) -> str:
        return self.event.kind if isinstance(self.event, Logged) else UNREADABLE

    @property
    def email_id(self) -> str | None:
        return _own_id(self.event, "email_id")

    def concerns(self, email_id: str) -> bool:
        """Whether it is about the mail, or about its retry."""
        return email_id in (self.email_id, _own_id(self.event, "original_email_id"))

    def words(self) -> str:
        """A few, printable."""
        return printable(", ".join(_said(_words(self.record, self.event))))

    def json(self) -> str:
        """The whole envelope with `arrival`, `place`, `kind` and `emailId`, in ASCII.

        An unreadable record has `error` and its bytes as base64, `data`, in the place of the envelope.
        """
        shown = {"arrival": self.arrival, "kind": self.kind, "emailId": self.email_id}
        shown |= {"place": self.record.place.model_dump()} | _content(self.record, self.event)
        return json.dumps(shown)


def printable(text: str) -> str:
    """Control characters, line breaks and marks that turn the direction of text, as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _own_id(event: Logged | Unreadable, name: str) -> str | None:
    return getattr(event.body, name, None) if isinstance(event, Logged) else None


def _content(record: Record, event: Logged | Unreadable) -> dict[str, Any]:
    if isinstance(event, Logged):
        return event.envelope.model_dump(by_alias=True)
    return {"error": str(event), "data": b64encode(record.data).decode()}


# What is said of an event.


def _words(record: Record, event: Logged | Unreadable) -> Words:
    if isinstance(event, Unreadable):
        where = f"{len(record.data):,} bytes at {record.shard} {record.sequence}"
        return [("", str(event)), ("", where)]
    if isinstance(event.body, Feedback):
        return _feedback(event.body)
    words = _WORDS.get(type(event.body))
    return words(event.body) if words else [("from", event.envelope.source)]


def _said(words: Words) -> Iterator[str]:
    for before, value in words:
        if value not in (None, "", 0):
            word = value if isinstance(value, str | int) else "(no text)"
            yield _short(f"{before} {word}".strip())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 1]}…"


def _request(body: Request) -> Words:
    to, template = body.detail.get("to"), body.detail.get("templateName")
    return [("to", to), ("template", template), ("from", body.source), ("", body.fault)]


def _sent(body: MailSent) -> Words:
    template = ("template", body.template_name)
    return [("to", body.to_email), template, ("retry", body.retry_attempt), ("as", body.ses_message_id)]


def _failed(body: MailFailed) -> Words:
    cause = f"{body.error_code}: {body.error_message}"
    return [("to", body.to_email), ("retry", body.retry_attempt), ("", cause)]


def _not_needed(body: RetryNotNeeded) -> Words:
    return [("to", body.to_email), ("retry", body.retry_attempt), ("", body.reason)]


def _duplicate(body: MailDuplicate) -> Words:
    return [("from", body.original_source), ("nothing was sent for it; the first was", body.first_event_id)]


def _due(body: SendDue) -> Words:
    return [("retry", body.retry_attempt), ("", body.reason), ("deferrals:", body.deferrals)]


def _address(body: AddressSuppressed | AddressReleased) -> Words:
    return [("", body.email), ("", body.reason)]


def _sending(body: SendingFact) -> Words:
    parts = [("source", body.source), ("template", body.template_name)]
    parts += [("", f"{name}={value}") for name, value in body.metadata.items()]
    about = parts if any(value is not None for _, value in parts) else [("", "everything")]
    return [*about, ("", body.reason)]


def _parked(body: RecordParked) -> Words:
    where = f"{body.place.shard} {int(body.place.sequence)}"
    return [("by", body.consumer), ("", f"after {body.attempts} attempts"), ("", body.error), ("", where)]


_WORDS: Mapping[type, Callable[[Any], Words]] = {
    Request: _request,
    MailSent: _sent,
    MailFailed: _failed,
    RetryNotNeeded: _not_needed,
    MailDuplicate: _duplicate,
    SendDue: _due,
    AddressSuppressed: _address,
    AddressReleased: _address,
    SendingPaused: _sending,
    SendingResumed: _sending,
    RecordParked: _parked,
}

_FACTS_TOLD: Mapping[str, Iterable[str]] = {
    "Send": (),
    "Delivery": ("smtpResponse",),
    "Bounce": ("bounceType", "bounceSubType", "diagnosticCode"),
    "Complaint": ("complaintFeedbackType", "complaintSubType"),
    "Reject": ("reason",),
    "Open": (),
    "Click": ("link",),
    "Rendering Failure": ("templateName", "errorMessage"),
    "DeliveryDelay": ("delayType",),
    "Subscription": ("contactList",),
}

KINDS = (EMAIL_REQUEST, *FACTS, *_FACTS_TOLD, UNREADABLE)
"""All that this version knows; the log may hold others."""


def _feedback(body: Feedback) -> Words:
    told = (body.facts.get(name) for name in _FACTS_TOLD.get(body.type, ()))
    return [
        ("to", " ".join(body.recipients[:MOST_RECIPIENTS])),
        ("retry", body.retry_attempt),
        ("as", None if body.email_id else body.message_id),
        *(("", _without_query(fact)) for fact in told),
        ("", "by a machine" if body.facts.get("machine") else None),
    ]


def _without_query(fact: Any) -> Any:
    return re.split("[?#]", fact)[0] if isinstance(fact, str) and re.match("https?:", fact) else fact
