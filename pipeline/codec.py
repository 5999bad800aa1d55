"""Bytes of the log to events, and the one place where what came in is brought into one form.

An event's `id` is its identity: two records with the same id are the same event, however often they
come. Feedback has no id that survives repetition, so its content is its identity.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline import feedback, ids
from pipeline.envelope import OUR_SOURCE, Envelope
from pipeline.events import EMAIL_REQUEST, FACTS, Fact
from pipeline.feedback import Feedback

__all__ = ["Event", "Request", "Unreadable", "decode"]


@dataclass(frozen=True, slots=True)
class Request:
    """An `Email Request`, not yet judged: `detail` is what the client sent."""

    email_id: str
    source: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Other:
    """An event of a kind that this version doesn't know: archived, and otherwise left alone."""


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    time: str
    kind: str
    body: Request | Fact | Feedback | Other
    envelope: Envelope


class Unreadable(ValueError):
    """The record is no event of any known shape; the sentence says what is wrong with it."""


def decode(data: bytes) -> Event:
    """Raises Unreadable."""
    try:
        return _event(Envelope.model_validate(_loaded(data)))
    except ValidationError as error:
        first = error.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _event(envelope: Envelope) -> Event:
    if envelope.detail_type == EMAIL_REQUEST:
        email_id = ids.email_id_of(envelope.id, envelope.detail)
        request = Request(email_id, envelope.source, envelope.detail)
        return Event(envelope.id, envelope.time, EMAIL_REQUEST, request, envelope)
    if envelope.source == OUR_SOURCE and envelope.detail_type in FACTS:
        fact = FACTS[envelope.detail_type].model_validate(envelope.detail)
        return Event(envelope.id, envelope.time, envelope.detail_type, fact, envelope)
    if envelope.source == "aws.ses" and "mail" in envelope.detail:
        body = feedback.parse(envelope.detail, envelope.detail_type, envelope.time)
        return Event(ids.content_id(envelope.detail), body.time, body.type, body, envelope)
    return Event(envelope.id, envelope.time, envelope.detail_type, Other(), envelope)


def _loaded(data: bytes) -> Any:
    value = json.loads(data)
    return _without_surrogates(value) if b"\\ud" in data.lower() else value


def _without_surrogates(value: Any) -> Any:
    """Halves of surrogate pairs are legal in JSON and in no store: each becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return value
