"""The tracking fold: what is known of one mail, as a join-semilattice.

A mail's state has one slot for each kind of fact. A slot keeps its first fact whole (least by time, then
id) and the time of its last; `timestamp` is the least time at which the mail can have been decided on;
`done` names the effects that have been carried out. Joining takes the least, the latest and the union,
so any order and any repetition give the same state.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.codec import Event
from pipeline.events import MailFact, RetryNotNeeded
from pipeline.feedback import Feedback
from pipeline.keeping import kept
from projections.status import highest, slot_of

__all__ = ["Known", "Mail", "Slot", "empty", "fold", "join", "of"]

NEVER = "9999-12-31T23:59:59.999Z"


class Known(NamedTuple):
    """One fact: when it happened, the event's identity, and what it says."""

    time: str
    id: str
    says: Mapping[str, Any]


class Slot(NamedTuple):
    first: Known
    last: str


@dataclass(frozen=True, slots=True)
class Mail:
    email_id: str
    slots: Mapping[str, Slot] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    timestamp: str = NEVER

    @property
    def status(self) -> str | None:
        return highest(self.slots)

    @property
    def outcome(self) -> Known | None:
        """The fact that bears the request's own fields; None while only feedback is known."""
        found = [self.slots[slot].first for slot in ("failed", "sent") if slot in self.slots]
        return found[0] if found else None


def empty(email_id: str) -> Mail:
    return Mail(email_id)


def of(event: Event) -> Mail | None:
    """The state of a mail of which this event is all that is known; None if it is no fact about a mail."""
    slot = slot_of(event)
    match event.body:
        case RetryNotNeeded(original_email_id=email_id) as fact if slot:
            says, decided = _of_original(fact), event.time
        case MailFact(email_id=email_id) as fact if slot:
            says = fact.model_dump(by_alias=True, exclude_none=True, exclude={"email_id", "schema_version"})
            decided = event.time
        case Feedback(email_id=str() as email_id) as feedback if slot:
            says, decided = _feedback(feedback), feedback.mail_time
        case _:
            return None
    slots = {slot: Slot(Known(event.time, event.id, says), event.time)}
    return Mail(email_id, slots, timestamp=decided)


def _of_original(fact: RetryNotNeeded) -> dict[str, Any]:
    """What the retry that wasn't sent says of the mail that arrived."""
    said = {"toEmail": fact.to_email, "originalEmailId": fact.original_email_id, "retryId": fact.email_id}
    said |= {"sesMessageId": fact.ses_message_id, "reason": fact.reason}
    return _known(said)


def _feedback(feedback: Feedback) -> dict[str, Any]:
    said = {
        "originalEmailId": feedback.original_email_id,
        "retryAttempt": feedback.retry_attempt,
        "toEmail": next(iter(feedback.recipients), None),
        "sesMessageId": feedback.message_id,
        **kept(feedback.facts),
    }
    return _known(said)


def _known(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def join(one: Mail, other: Mail) -> Mail:
    slots = dict(one.slots)
    for name, slot in other.slots.items():
        slots[name] = _joined(slots[name], slot) if name in slots else slot
    return Mail(one.email_id, slots, one.done | other.done, min(one.timestamp, other.timestamp))


def _joined(one: Slot, other: Slot) -> Slot:
    return Slot(min(one.first, other.first, key=_order), max(one.last, other.last))


def _order(known: Known) -> tuple[str, str]:
    return known.time, known.id


def fold(events: Iterable[Event]) -> dict[str, Mail]:
    """The states of all mails that the events speak of, from these events alone."""
    mails: dict[str, Mail] = {}
    for event in events:
        mail = of(event)
        if mail:
            mails[mail.email_id] = join(mails.get(mail.email_id, mail), mail)
    return mails
