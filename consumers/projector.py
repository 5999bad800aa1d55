"""The projector: folds the log into the tables, announces status changes, defers soft-bounce retries.

Delivery guarantee: at-least-once for announcements and retries, each under an id that repeats.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from consumers.handler import Handler
from pipeline.codec import Event, Unreadable, decode
from pipeline.envelope import Envelope
from pipeline.events import SendDue
from pipeline.log import Record
from projections import holds, suppression, tracking
from projections.effects import Announcement, Retry, due, marked
from projections.store import Store, merge

__all__ = ["Aftermath", "Bus", "Delays", "Projector", "Reputation", "readable"]


class Bus(Protocol):
    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return once the bus has taken every event, each at least once."""
        ...


class Delays(Protocol):
    def defer(self, due: Sequence[SendDue], seconds: int) -> None:
        """Have each come back into the log after this time, at least once."""
        ...


class Reputation(Protocol):
    def add(self, events: Sequence[Event]) -> None:
        """Join what the events say of the day's bounce rate; repetition changes nothing."""
        ...


class Aftermath:
    """Carries out what new states ask for, and marks it done."""

    def __init__(self, bus: Bus, delays: Delays, notify: Collection[str], retry_delay: int) -> None:
        self._bus, self._delays = bus, delays
        self._notify, self._retry_delay = frozenset(notify), retry_delay

    def carry_out(self, mails: Sequence[tracking.Mail]) -> list[tracking.Mail]:
        effects = [list(due(mail, self._notify)) for mail in mails]
        every = [effect for of_mail in effects for effect in of_mail]
        self._bus.publish([each.envelope for each in every if isinstance(each, Announcement)])
        self._delays.defer([each.due for each in every if isinstance(each, Retry)], self._retry_delay)
        return [marked(mail, of_mail) for mail, of_mail in zip(mails, effects, strict=True)]


class Projector(Handler):
    def __init__(
        self,
        mails: Store[tracking.Mail],
        addresses: Store[suppression.History],
        aftermath: Aftermath,
        reputation: Reputation,
        standing: Store[holds.Hold],
    ) -> None:
        self._mails, self._addresses = mails, addresses
        self._aftermath, self._reputation = aftermath, reputation
        self._holds = standing
        self._durable: int | None = None

    def process(self, records: Sequence[Record]) -> None:
        """Suppressions and holds first: the sender should know of them as soon as anybody."""
        events = readable(records)
        merge(self._addresses, suppression.fold(events), suppression.join)
        merge(self._holds, holds.fold(events), holds.join)
        self._reputation.add(events)
        merge(self._mails, tracking.fold(events), tracking.join, self._aftermath.carry_out)
        if records:
            self._durable = records[-1].sequence

    def durable(self) -> int | None:
        return self._durable

    def drain(self, deadline: float) -> None:
        """Nothing is in flight between two calls of `process`."""


def readable(records: Sequence[Record]) -> list[Event]:
    """The events among the records; the others leave their trace in the archive."""
    events: list[Event] = []
    for record in records:
        try:
            events.append(decode(record.data))
        except Unreadable:
            continue
    return events
