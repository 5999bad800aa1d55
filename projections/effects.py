"""What a change of a mail's state asks of the world: announcements and the retry, as values.

Pure: the projector carries them out *before* it writes the state that marks them done, so that a crash
in between repeats an effect under the same id and never loses one.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from pipeline import ids
from pipeline.envelope import OUR_SOURCE, Envelope
from pipeline.events import STATUS_CHANGED, SendDue
from pipeline.log import Place
from projections.rows import bounce_of, failure_of, request_of
from projections.status import STATUS
from projections.tracking import Mail

__all__ = ["Announcement", "Effect", "Retry", "due", "marked"]

_RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Announcement:
    """One `Email Status Changed` for a mail and a status."""

    status: str
    envelope: Envelope

    @property
    def mark(self) -> str:
        return self.status


@dataclass(frozen=True, slots=True)
class Retry:
    """The second and last attempt after a soft bounce, to come back as `Send Due`."""

    due: SendDue

    @property
    def mark(self) -> str:
        return _RETRY


Effect = Announcement | Retry


def due(mail: Mail, notify: Collection[str]) -> Iterator[Effect]:
    """What is still to be done for a mail: nothing until its outcome is known, nothing twice."""
    if mail.outcome is None:
        return
    for status in sorted({STATUS[slot] for slot in mail.slots if slot in STATUS}):
        if status in notify and status not in mail.done:
            yield Announcement(status, _announcement(mail, status))
    place = mail.outcome.says.get("place")
    if "soft_bounced" in mail.slots and place and _RETRY not in mail.done:
        yield Retry(_send_due(mail, Place(**place)))


def marked(mail: Mail, effects: Collection[Effect]) -> Mail:
    return replace(mail, done=mail.done | {effect.mark for effect in effects})


def _send_due(mail: Mail, place: Place) -> SendDue:
    return SendDue(
        email_id=ids.retry_id(mail.email_id, 1),
        original_email_id=mail.email_id,
        retry_attempt=1,
        place=place,
        reason="soft bounce",
    )


def _announcement(mail: Mail, status: str) -> Envelope:
    bearing = {name: slot for name, slot in mail.slots.items() if STATUS.get(name) == status}
    reached = Mail(mail.email_id, bearing)
    first = min((slot.first for slot in bearing.values()), key=lambda known: (known.time, known.id))
    detail = {
        "eventId": ids.derived_id(STATUS_CHANGED, mail.email_id, status),
        "emailId": mail.email_id,
        "status": status,
        "timestamp": first.time,
        **request_of(mail),
        **bounce_of(reached),
        **failure_of(reached),
    }
    detail = {name: value for name, value in detail.items() if value is not None}
    return Envelope(
        id=detail["eventId"], source=OUR_SOURCE, detail_type=STATUS_CHANGED, time=first.time, detail=detail
    )
