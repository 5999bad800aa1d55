"""The status rules, as tables: which slot of a mail's row an event fills, and what status a slot implies.

To change a status rule, change a row here.
"""

from collections.abc import Callable, Iterable, Mapping

from pipeline.codec import Event
from pipeline.events import MailFailed, MailSent, RetryNotNeeded
from pipeline.feedback import Feedback

__all__ = ["RANK", "STATUS", "highest", "slot_of"]

# A higher status is never overwritten by a lower one.
RANK: Mapping[str, int] = {
    status: rank
    for rank, status in enumerate(
        ("sent", "failed", "soft_bounced", "complained", "bounced", "delivered", "opened"), start=1
    )
}

# What a slot says of the mail; slots that are not named here are kept and imply nothing.
STATUS: Mapping[str, str] = {
    "sent": "sent",
    "accepted": "sent",
    "failed": "failed",
    "rejected": "failed",
    "rendering_failed": "failed",
    "retry_exhausted": "failed",
    "soft_bounced": "soft_bounced",
    "complained": "complained",
    "bounced": "bounced",
    "delivered": "delivered",
    "opened": "opened",
}


def slot_of(event: Event) -> str | None:
    """The slot that an event fills in the row of its mail; None for what is no fact about one mail."""
    if isinstance(event.body, Feedback):
        return _SLOT_OF_FEEDBACK.get(event.kind, _no_slot)(event.body)
    return _SLOT_OF_FACT.get(type(event.body))


def _bounce(feedback: Feedback) -> str:
    if feedback.facts["bounceType"] == "Permanent":
        return "bounced"
    return "retry_exhausted" if feedback.retry_attempt else "soft_bounced"


def _complaint(feedback: Feedback) -> str:
    return "not_spam" if feedback.facts.get("complaintFeedbackType") == "not-spam" else "complained"


def _open(feedback: Feedback) -> str:
    return "machine_opened" if feedback.facts["machine"] else "opened"


def _always(slot: str) -> Callable[[Feedback], str | None]:
    return lambda _: slot


def _no_slot(_: Feedback) -> None:
    return None


_SLOT_OF_FACT: Mapping[type, str] = {
    MailSent: "sent",
    MailFailed: "failed",
    RetryNotNeeded: "retry_not_needed",
}

_SLOT_OF_FEEDBACK: Mapping[str, Callable[[Feedback], str | None]] = {
    "Send": _always("accepted"),
    "Delivery": _always("delivered"),
    "Bounce": _bounce,
    "Complaint": _complaint,
    "Open": _open,
    "Click": _always("clicked"),
    "Reject": _always("rejected"),
    "Rendering Failure": _always("rendering_failed"),
    "DeliveryDelay": _always("delayed"),
    "Subscription": _always("subscription"),
}


def highest(slots: Iterable[str]) -> str | None:
    """The status that wins among those the slots imply; None when they imply none."""
    implied = {STATUS[slot] for slot in slots if slot in STATUS}
    return max(implied, key=RANK.__getitem__, default=None)
