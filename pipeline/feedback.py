"""What SES says about a mail, in one vocabulary, whichever way it came (SNS, EventBridge, identity feedback).

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
An unknown event type is kept under its own name; an unknown field is ignored.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any

from pipeline import addresses, ids, times

__all__ = ["Feedback", "parse"]

Json = Mapping[str, Any]

_BY_DETAIL_TYPE = {
    "Email Sent": "Send",
    "Email Delivered": "Delivery",
    "Email Bounced": "Bounce",
    "Email Complaint Received": "Complaint",
    "Email Rejected": "Reject",
    "Email Opened": "Open",
    "Email Clicked": "Click",
    "Email Rendering Failed": "Rendering Failure",
    "Email Delivery Delayed": "DeliveryDelay",
    "Email Subscribed": "Subscription",
}


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event of SES about one mail.

    `recipients` are those it speaks of, canonical; `email_id` is None where the mail bears no tag of
    ours. `facts` holds what the type adds (`bounceType`, `link`, …), under the names of SES.
    """

    type: str
    message_id: str
    mail_time: str
    time: str
    recipients: Sequence[str]
    email_id: str | None
    original_email_id: str | None
    retry_attempt: int
    facts: Mapping[str, Any] = field(default_factory=dict)


def parse(detail: Json, detail_type: str, envelope_time: str) -> Feedback:
    """Raises KeyError, TypeError, ValueError or AttributeError for what SES would never send."""
    named = _text(detail.get("eventType")) or _text(detail.get("notificationType"))
    kind = named or _BY_DETAIL_TYPE.get(detail_type, detail_type)
    mail: Json = detail["mail"]
    tags: Json = mail.get("tags") or {}
    own = _FACTS.get(kind, _Part("", _nothing))
    part: Json = detail.get(own.key) or {}
    email_id = _tag(tags, "emailId")
    return Feedback(
        type=kind,
        message_id=_needed(mail["messageId"]),
        mail_time=times.text(times.parse(mail["timestamp"])),
        time=times.text(times.parse(part.get("timestamp") or _default_time(kind, mail, envelope_time))),
        recipients=[addresses.canonical(each) for each in _recipients(part, mail) if each.strip()],
        email_id=email_id,
        original_email_id=_tag(tags, "originalEmailId") or email_id,
        retry_attempt=_attempt(tags),
        facts={name: value for name, value in own.facts(part).items() if value is not None},
    )


def _default_time(kind: str, mail: Json, envelope_time: str) -> str:
    """A type without a time of its own happened when SES took the mail (Send), or about when it came."""
    return _needed(mail["timestamp"]) if kind in {"Send", "Reject", "Rendering Failure"} else envelope_time


def _tag(tags: Json, name: str) -> str | None:
    return ids.from_tag(_first(tags, name)) or None


def _attempt(tags: Json) -> int:
    """0 for what this engine doesn't write: a tag of the same name that somebody else uses."""
    text = _first(tags, "retryAttempt")
    return int(text) if re.fullmatch("[0-9]{1,3}", text) else 0


def _first(tags: Json, name: str) -> str:
    values = tags.get(name)
    return _text(values[0]) or "" if isinstance(values, list) and values else ""


def _text(value: Any) -> str | None:
    """A value of another type is as good as none: nothing of ours depends on it."""
    return value if isinstance(value, str) else None


def _needed(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is missing where SES has some")
    return value


def _recipients(part: Json, mail: Json) -> list[str]:
    for key in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if part.get(key):
            return [_bare(each["emailAddress"]) for each in part[key]]
    return [_bare(each) for each in part.get("recipients") or mail.get("destination") or ()]


def _bare(address: Any) -> str:
    """SES repeats the header where a report names nobody, so the address may stand beside a name."""
    text = _needed(address)
    return parseaddr(text)[1] or text if "<" in text else text


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a type keeps its own object, and what of it matters."""

    key: str
    facts: Callable[[Json], dict[str, Any]]


def _nothing(_: Json) -> dict[str, Any]:
    return {}


def _bounce(part: Json) -> dict[str, Any]:
    first: Json = (part.get("bouncedRecipients") or [{}])[0]
    return {
        "bounceType": _text(part.get("bounceType")) or "Undetermined",
        "bounceSubType": _text(part.get("bounceSubType")) or "Undetermined",
        "feedbackId": _text(part.get("feedbackId")),
        "smtpStatus": _text(first.get("status")),
        "diagnosticCode": _text(first.get("diagnosticCode")),
    }


def _complaint(part: Json) -> dict[str, Any]:
    return _named("complaintFeedbackType", "complaintSubType", "feedbackId")(part)


def _open(part: Json) -> dict[str, Any]:
    return {"userAgent": _text(part.get("userAgent")), "machine": part.get("isBotEvent") == "Likely"}


def _click(part: Json) -> dict[str, Any]:
    return _open(part) | {"link": _text(part.get("link")), "linkTags": part.get("linkTags")}


def _named(*names: str) -> Callable[[Json], dict[str, Any]]:
    return lambda part: {name: _text(part.get(name)) for name in names}


def _delivery(part: Json) -> dict[str, Any]:
    return _named("smtpResponse")(part) | {"processingTimeMillis": part.get("processingTimeMillis")}


_FACTS = {
    "Send": _Part("send", _nothing),
    "Delivery": _Part("delivery", _delivery),
    "Bounce": _Part("bounce", _bounce),
    "Complaint": _Part("complaint", _complaint),
    "Reject": _Part("reject", _named("reason")),
    "Open": _Part("open", _open),
    "Click": _Part("click", _click),
    "Rendering Failure": _Part("failure", _named("templateName", "errorMessage")),
    "DeliveryDelay": _Part("deliveryDelay", _named("delayType", "expirationTime")),
    "Subscription": _Part("subscription", _named("contactList")),
}
