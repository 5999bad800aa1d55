"""The reputation fold: how many of the mails that SES accepted on a UTC day bounced for good.

A mail is known by a digest of its SES message id and belongs to the minute in which SES accepted it
(`mail.timestamp`). Joining is the union of digests, so repetition changes nothing; counts are what is left
when all is joined. Suppression-list bounces don't count, nor, in an account, does the mailbox simulator.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from pipeline import addresses
from pipeline.codec import Event
from pipeline.feedback import Feedback

__all__ = ["Minute", "Reputation", "Tally", "fold", "join", "of"]

SIMULATOR = "simulator.amazonses.com"
_NOT_ACCEPTED = {"Reject", "Rendering Failure"}
_NOT_COUNTED = {"Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"}
DIGEST_BYTES = 9


class Minute(NamedTuple):
    """`2026-11-24`, `09:15`."""

    day: str
    minute: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Digests of the mails accepted in a minute, and of those that bounced for good."""

    accepted: frozenset[bytes]
    bounced: frozenset[bytes] = frozenset()


class Reputation(NamedTuple):
    """Mails of one UTC day."""

    accepted: int
    bounced: int

    @property
    def rate(self) -> float:
        return self.bounced / self.accepted if self.accepted else 0.0


def of(event: Event, *, with_simulator: bool = False) -> tuple[Minute, Tally] | None:
    """What one event says; None if it is no feedback about an accepted mail."""
    match event.body:
        case Feedback(type=kind) as feedback if kind not in _NOT_ACCEPTED:
            if not with_simulator and _is_simulated(feedback):
                return None
            mail = frozenset([digest(feedback.message_id)])
            minute = Minute(feedback.mail_time[:10], feedback.mail_time[11:16])
            return minute, Tally(mail, mail if _is_counted_bounce(feedback) else frozenset())
    return None


def digest(message_id: str) -> bytes:
    return sha256(message_id.encode()).digest()[:DIGEST_BYTES]


def _is_simulated(feedback: Feedback) -> bool:
    return any(addresses.domain(recipient) == SIMULATOR for recipient in feedback.recipients)


def _is_counted_bounce(feedback: Feedback) -> bool:
    facts = feedback.facts
    return (
        feedback.type == "Bounce"
        and facts["bounceType"] == "Permanent"
        and facts["bounceSubType"] not in _NOT_COUNTED
    )


def join(one: Tally, other: Tally) -> Tally:
    return Tally(one.accepted | other.accepted, one.bounced | other.bounced)


def fold(events: Iterable[Event], *, with_simulator: bool = False) -> Mapping[Minute, Tally]:
    tallies: dict[Minute, Tally] = {}
    for event in events:
        said = of(event, with_simulator=with_simulator)
        if said:
            minute, tally = said
            tallies[minute] = join(tallies[minute], tally) if minute in tallies else tally
    return tallies
