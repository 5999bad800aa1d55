"""Records as a story tells them: what happened to which mail, and when. Made of `tests.builders`."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pipeline import times
from pipeline.codec import Logged, decode
from pipeline.envelope import OUR_SOURCE
from pipeline.events import AddressReleased, AddressSuppressed, Fact, SendingPaused, SendingResumed
from tests.builders import (
    ANA,
    Json,
    envelope,
    mail_failed,
    mail_sent,
    piped,
    recipient,
    retry_not_needed,
    ses_event,
    tags,
    wire,
)

START = times.parse("2026-03-01T09:00:00.000Z")
WITHOUT_A_TIME = {"Send", "Reject", "Rendering Failure"}


def at(**since_start: float) -> str:
    """A time of the story: `at(minutes=3)`."""
    return times.text(START + timedelta(**since_start))


def stated(fact: Fact, time: str, **changes: Any) -> bytes:
    """A fact of ours in the log. Changes bear the names of the wire; None leaves a field out."""
    detail = fact.model_dump(by_alias=True, exclude_none=True) | changes
    detail = {name: value for name, value in detail.items() if value is not None}
    event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{fact.detail_type} {time} {json.dumps(detail)}"))
    return wire(envelope(fact.detail_type, detail, source=OUR_SOURCE, time=time, id=event_id))


def sent(email_id: str, time: str, **changes: Any) -> bytes:
    return stated(mail_sent(email_id, ses_message_id=f"ses-{email_id}"), time, **changes)


def failed(email_id: str, time: str, **changes: Any) -> bytes:
    return stated(mail_failed(email_id), time, **changes)


def needless(email_id: str, time: str, message_id: str | None = None, **changes: Any) -> bytes:
    """The retry of the mail was not sent, since it had arrived."""
    fact = retry_not_needed(email_id, ses_message_id=message_id or f"ses-{email_id}")
    return stated(fact, time, **changes)


def suppress(address: str, time: str, reason: str = "asked by phone") -> bytes:
    return stated(AddressSuppressed(email=address, reason=reason), time)


def release(address: str, time: str, reason: str = "wrote again") -> bytes:
    return stated(AddressReleased(email=address, reason=reason), time)


def pause(time: str, reason: str = "wrong price", **about: Any) -> bytes:
    return stated(SendingPaused(**about, reason=reason), time)


def resume(time: str, reason: str = "right price", **about: Any) -> bytes:
    return stated(SendingResumed(**about, reason=reason), time)


def feedback(
    kind: str,
    email_id: str | None,
    time: str,
    *,
    part: Mapping[str, Any] | None = None,
    message_id: str | None = None,
    mail_time: str | None = None,
    to: str = ANA,
    original: str | None = None,
    attempt: int = 0,
) -> bytes:
    """`time` is when it happened: for types that bear no time of their own that is when SES took the mail.

    `part` replaces fields of the type's own object. Mail that isn't ours has no `email_id`.
    """
    timeless = kind in WITHOUT_A_TIME
    mail = {
        "timestamp": time if timeless else mail_time or at(),
        "messageId": message_id or f"ses-{email_id}",
        "destination": [to],
        "tags": tags(email_id, original, attempt) if email_id else {"ses:operation": ["SendEmail"]},
    }
    return wire(
        piped(ses_event(kind, mail, **({} if timeless else {"timestamp": time}), **part or {}), time=time)
    )


def unknown(email_id: str, time: str) -> bytes:
    """Feedback of a type that SES has yet to invent."""
    return feedback("Click", email_id, time).replace(b'"Click"', b'"Teleportation"')


def again(record: bytes, number: int = 1) -> bytes:
    """The record as it comes once more: feedback in another envelope, a fact of ours verbatim."""
    told = json.loads(record)
    if told["source"] != OUR_SOURCE:
        told |= {"id": f"{told['id']}-again-{number}", "time": at(days=number)}
    return wire(told)


def bounced(email_id: str | None, time: str, kind: str, sub_type: str, **more: Any) -> bytes:
    named = more.pop("recipients", [more.get("to", ANA)])
    recipients = [recipient(each, diagnosticCode=f"smtp; {sub_type}") for each in named]
    part = {"bounceType": kind, "bounceSubType": sub_type, "bouncedRecipients": recipients}
    return feedback("Bounce", email_id, time, part=part, **more)


def hard_bounce(email_id: str | None, time: str, sub_type: str = "NoEmail", **more: Any) -> bytes:
    return bounced(email_id, time, "Permanent", sub_type, **more)


def soft_bounce(email_id: str | None, time: str, sub_type: str = "MailboxFull", **more: Any) -> bytes:
    return bounced(email_id, time, "Transient", sub_type, **more)


def complaint(email_id: str | None, time: str, kind: str | None = "abuse", **more: Any) -> bytes:
    named = more.pop("recipients", [more.get("to", ANA)])
    part = {"complainedRecipients": [recipient(each) for each in named], "complaintFeedbackType": kind}
    return feedback("Complaint", email_id, time, part=part, **more)


def delivered(email_id: str | None, time: str, **more: Any) -> bytes:
    return feedback("Delivery", email_id, time, part={"recipients": [more.get("to", ANA)]}, **more)


def opened(email_id: str | None, time: str, bot: str | None = "Unlikely", **more: Any) -> bytes:
    return feedback("Open", email_id, time, part={"isBotEvent": bot}, **more)


def events(records: Iterable[bytes]) -> list[Logged]:
    return [decode(record) for record in records]


__all__ = [
    "ANA",
    "Json",
    "again",
    "at",
    "bounced",
    "complaint",
    "delivered",
    "events",
    "failed",
    "feedback",
    "hard_bounce",
    "needless",
    "opened",
    "release",
    "sent",
    "soft_bounce",
    "stated",
    "suppress",
    "unknown",
]
