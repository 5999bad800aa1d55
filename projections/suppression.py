"""The suppression fold: whom never to mail again, as a join-semilattice over one address.

A history holds the greatest release, and the causes and soft bounces that are not older than it; joining
takes the greatest release, the union of the rest, and drops what the release forgives. A tie suppresses.
Of each the latest 500 are kept, which bounds the row and is a semilattice, too.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, TypeVar

from pipeline import addresses, times
from pipeline.codec import Event
from pipeline.events import AddressReleased, AddressSuppressed, RetryNotNeeded
from pipeline.feedback import Feedback

__all__ = ["KEPT", "SOFT_BOUNCES", "WINDOW", "Cause", "History", "Suppression", "fold", "join", "of"]

SOFT_BOUNCES = 15
WINDOW = timedelta(days=30)
KEPT = 500


class Cause(NamedTuple):
    """Why an address is suppressed; ordered by time, then identity."""

    time: str
    id: str
    kind: str
    reason: str
    email_id: str | None = None


Dated = TypeVar("Dated", Cause, tuple[str, str])


class Suppression(NamedTuple):
    """That an address is suppressed, since when and why."""

    since: str
    kind: str
    reason: str
    email_id: str | None


@dataclass(frozen=True, slots=True)
class History:
    """`soft` holds a pair for each soft bounce: its time, and the SES message id that it is counted by.

    `arrived` holds such a pair for each mail that arrived after all: what looked like its bounce doesn't count.
    """

    address: str
    released: str = ""
    causes: frozenset[Cause] = frozenset()
    soft: frozenset[tuple[str, str]] = frozenset()
    arrived: frozenset[tuple[str, str]] = frozenset()

    @property
    def suppression(self) -> Suppression | None:
        first = min([*self.causes, *self._soft_bounce_causes()], default=None, key=lambda c: (c.time, c.id))
        return Suppression(first.time, first.kind, first.reason, first.email_id) if first else None

    def _soft_bounce_causes(self) -> Iterator[Cause]:
        firsts: dict[str, str] = {}
        arrived = {message_id for _, message_id in self.arrived}
        for time, message_id in sorted(self.soft):
            if message_id not in arrived:
                firsts.setdefault(message_id, time)
        bounces = sorted(firsts.values())
        for first, last in zip(bounces, bounces[SOFT_BOUNCES - 1 :], strict=False):
            if times.parse(last) - times.parse(first) <= WINDOW:
                reason = f"{SOFT_BOUNCES} soft bounces within {WINDOW.days} days"
                yield Cause(last, "", "soft-bounces", reason)


def of(event: Event) -> Iterator[History]:
    """What one event says of addresses: nothing, or one history for each address it concerns."""
    match event.body:
        case AddressSuppressed(email=email, reason=reason):
            cause = Cause(event.time, event.id, "manual", reason)
            yield History(addresses.suppression_key(email), causes=frozenset([cause]))
        case AddressReleased(email=email):
            yield History(addresses.suppression_key(email), released=event.time)
        case RetryNotNeeded(to_email=str() as email, ses_message_id=str() as message_id):
            yield History(addresses.suppression_key(email), arrived=frozenset([(event.time, message_id)]))
        case Feedback() as feedback:
            yield from _of_feedback(event, feedback)


def _of_feedback(event: Event, feedback: Feedback) -> Iterator[History]:
    cause = _cause(event, feedback)
    soft = feedback.type == "Bounce" and feedback.facts["bounceType"] != "Permanent"
    for recipient in feedback.recipients:
        address = addresses.suppression_key(recipient)
        if cause:
            yield History(address, causes=frozenset([cause]))
        elif soft:
            yield History(address, soft=frozenset([(event.time, feedback.message_id)]))


def _cause(event: Event, feedback: Feedback) -> Cause | None:
    match feedback:
        case Feedback(type="Bounce", facts={"bounceType": "Permanent", "bounceSubType": sub_type}):
            if sub_type == "UnsubscribedRecipient":
                return None
            return Cause(event.time, event.id, "bounce", f"hard bounce: {sub_type}", feedback.email_id)
        case Feedback(type="Complaint", facts=facts):
            kind = facts.get("complaintFeedbackType") or "no type given"
            if kind == "not-spam":
                return None
            return Cause(event.time, event.id, "complaint", f"complaint: {kind}", feedback.email_id)
    return None


def join(one: History, other: History) -> History:
    released = max(one.released, other.released)
    return History(
        one.address,
        released,
        _since(released, one.causes | other.causes),
        _since(released, one.soft | other.soft),
        _since(released, one.arrived | other.arrived),
    )


def _since(released: str, dated: frozenset[Dated]) -> frozenset[Dated]:
    """Those that aren't older than the release; each begins with its time."""
    since = frozenset(each for each in dated if each[0] >= released)
    return since if len(since) <= KEPT else frozenset(heapq.nlargest(KEPT, since, key=_order))


def _order(dated: Cause | tuple[str, str]) -> tuple[str, ...]:
    """The latest are the greatest; by all that they say, so that the same are kept whoever chooses."""
    return tuple(part or "" for part in dated)


def fold(events: Iterable[Event]) -> dict[str, History]:
    histories: dict[str, History] = {}
    for event in events:
        for history in of(event):
            histories[history.address] = join(histories.get(history.address, history), history)
    return histories
