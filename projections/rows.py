"""A mail's state as a row of the tracking table, and back.

The seed's attributes are derived from the facts; the facts themselves stand in one attribute, from
which alone the state is read again. Attributes that belong together come whole from one fact.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from pydantic.alias_generators import to_camel

from pipeline import times
from projections.status import RANK, STATUS
from projections.tracking import Known, Mail, Slot

__all__ = ["bounce_of", "failure_of", "mail_of", "request_of", "row_of", "timestamp_of"]

Row = dict[str, Any]

_FAILURES = ("failed", "rejected", "rendering_failed", "retry_exhausted")
_BOUNCES = ("bounced", "soft_bounced", "retry_exhausted")
_OF_FEEDBACK = ("toEmail", "originalEmailId", "retryAttempt")
_OF_REQUEST = (*_OF_FEEDBACK, "originalSource", "templateName", "subject")


def row_of(mail: Mail, retention: timedelta) -> Row:
    """The whole row but its version; `ttl` in epoch seconds."""
    row = {
        "emailId": mail.email_id,
        "status": mail.status or "sent",
        "timestamp": timestamp_of(mail),
        "facts": _facts_text(mail),
        "done": sorted(mail.done) or None,
        "ttl": int((times.parse(timestamp_of(mail)) + retention).timestamp()),
        **request_of(mail),
        **_place_of(mail),
        **bounce_of(mail),
        **failure_of(mail),
        **{f"{to_camel(name)}At": slot.first.time for name, slot in mail.slots.items()},
    }
    return {name: value for name, value in row.items() if value is not None}


def mail_of(row: Mapping[str, Any]) -> Mail:
    slots = {name: Slot(Known(*first), last) for name, (first, last) in json.loads(row["facts"]).items()}
    return Mail(row["emailId"], slots, frozenset(row.get("done", ())), row["timestamp"])


def _facts_text(mail: Mail) -> str:
    """The same text for the same facts, in whatever order they came."""
    facts = {name: list(slot) for name, slot in mail.slots.items()}
    return json.dumps(facts, separators=(",", ":"), sort_keys=True)


def timestamp_of(mail: Mail) -> str:
    """When the mail was decided on: the least time among its outcomes and SES's own time of it."""
    return mail.timestamp


def request_of(mail: Mail) -> Row:
    """From the outcome where it is known; feedback that came first lends what it has."""
    says, names = _source(mail), _OF_REQUEST if mail.outcome else _OF_FEEDBACK
    return {
        **{name: says.get(name) for name in names},
        "metadata": says.get("metadata") or None,
        "sesMessageId": _ses_message_id(mail),
    }


def _place_of(mail: Mail) -> Row:
    says = _source(mail)
    place = says.get("place") or {}
    return {
        "requestShard": place.get("shard"),
        "requestSequence": place.get("sequence"),
        "requestEventId": says.get("eventId"),
        "unknownFields": says.get("unknownFields") or None,
    }


def _source(mail: Mail) -> Mapping[str, Any]:
    known = mail.outcome or _earliest(mail, tuple(mail.slots))
    return known.says if known else {}


def _ses_message_id(mail: Mail) -> str | None:
    bearing = tuple(name for name, slot in mail.slots.items() if "sesMessageId" in slot.first.says)
    known = mail.slots["sent"].first if "sent" in bearing else _earliest(mail, bearing)
    return known.says["sesMessageId"] if known else None


def bounce_of(mail: Mail) -> Row:
    known = _strongest(mail, _BOUNCES)
    complaint = _strongest(mail, ("complained",))
    says = known.says if known else {}
    return {
        "bounceType": says.get("bounceType"),
        "bounceSubType": says.get("bounceSubType"),
        "bounceReason": says.get("bounceSubType"),
        "bounceDiagnostic": says.get("diagnosticCode"),
        "complaintFeedbackType": complaint.says.get("complaintFeedbackType") if complaint else None,
    }


def failure_of(mail: Mail) -> Row:
    known = _earliest(mail, _FAILURES)
    if known is None:
        return {}
    slot = next(name for name in _FAILURES if name in mail.slots and mail.slots[name].first == known)
    code, message = _FAILURE_TEXTS[slot](known.says)
    return {"errorCode": code, "errorMessage": message}


_FAILURE_TEXTS: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str]]] = {
    "failed": lambda says: (says["errorCode"], says["errorMessage"]),
    "rejected": lambda says: (
        "SES_REJECTED",
        f"SES rejected the mail: {says.get('reason', 'no reason given')}",
    ),
    "rendering_failed": lambda says: (
        "SES_RENDERING_FAILED",
        f"SES could not render the mail: {says.get('errorMessage', 'no reason given')}",
    ),
    "retry_exhausted": lambda says: ("RETRY_EXHAUSTED", f"Retry exhausted: {says['bounceSubType']}"),
}


def _strongest(mail: Mail, names: tuple[str, ...]) -> Known | None:
    present = [name for name in names if name in mail.slots]
    best = max(present, key=lambda name: RANK[STATUS[name]], default=None)
    return mail.slots[best].first if best else None


def _earliest(mail: Mail, names: tuple[str, ...]) -> Known | None:
    known = [mail.slots[name].first for name in names if name in mail.slots]
    return min(known, key=lambda each: (each.time, each.id), default=None)
