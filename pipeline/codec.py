"""Bytes of the log to events, and the one place where what came in is brought into one form.

An event's `id` is its identity: two records with the same id are the same event, however often they
come. Feedback has no id that survives repetition, so its content is its identity.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline import feedback, ids, json_text
from pipeline.envelope import OUR_SOURCE, SES_SOURCE, Envelope
from pipeline.events import EMAIL_REQUEST, FACTS, Fact
from pipeline.feedback import Feedback

__all__ = ["Event", "Logged", "Other", "Request", "Unreadable", "decode"]


@dataclass(frozen=True, slots=True)
class Request:
    """An `Email Request`, not yet judged: `detail` is what the client sent, but for a `fault` of its form."""

    email_id: str
    source: str
    detail: dict[str, Any]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Other:
    """An event of a kind that this version doesn't know: archived, and otherwise left alone."""


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    time: str
    kind: str
    body: Request | Fact | Feedback | Other


@dataclass(frozen=True, slots=True)
class Logged(Event):
    """An event as it stands in the log."""

    envelope: Envelope


class Unreadable(ValueError):
    """The record is no event of any known shape; the sentence says what is wrong with it."""


LONGEST_SOURCE = 256
_NO_EVENT = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)


def decode(data: bytes) -> Logged:
    """Raises Unreadable."""
    try:
        try:
            return _event(Envelope.model_validate(json_text.loads(data)))
        except json_text.TooDeep as error:
            return _too_deep(error)
    except ValidationError as error:
        first = error.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}") from error
    except _NO_EVENT as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _too_deep(error: json_text.TooDeep) -> Logged:
    """A request in a form that can't be used is a request still: its client is to hear of it."""
    envelope = Envelope.model_validate(error.shallow())
    if envelope.detail_type != EMAIL_REQUEST:
        raise error
    return _event(envelope, f"it is {error}")


def _event(envelope: Envelope, fault: str | None = None) -> Logged:
    if envelope.detail_type == EMAIL_REQUEST:
        if len(envelope.source) > LONGEST_SOURCE:
            fault = fault or f"its source has more than {LONGEST_SOURCE} characters"
        email_id = ids.email_id_of(envelope.id, envelope.detail)
        request = Request(email_id, envelope.source[:LONGEST_SOURCE], envelope.detail, fault)
        return Logged(envelope.id, envelope.time, EMAIL_REQUEST, request, envelope)
    if envelope.source == OUR_SOURCE and envelope.detail_type in FACTS:
        fact = FACTS[envelope.detail_type].model_validate(envelope.detail)
        return Logged(envelope.id, envelope.time, envelope.detail_type, fact, envelope)
    if envelope.source == SES_SOURCE and "mail" in envelope.detail:
        body = feedback.parse(envelope.detail, envelope.detail_type, envelope.time)
        return Logged(ids.content_id(envelope.detail), body.time, body.type, body, envelope)
    return Logged(envelope.id, envelope.time, envelope.detail_type, Other(), envelope)
