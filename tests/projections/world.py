"""The projections at work: batches through folds, merge and effects, with writers that get in each other's way."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pipeline.codec import Event
from projections import suppression, tracking
from projections.effects import Announcement, Effect, due, marked
from projections.rows import row_of
from projections.store import MemoryStore, Store, Stored, merge
from projections.suppression import History, Suppression
from projections.tracking import Mail
from tests.projections.builders import events

NOTIFY = ("delivered", "opened", "soft_bounced", "bounced", "complained", "failed")
RETENTION = timedelta(days=90)

State = TypeVar("State")


class Contested(Generic[State]):
    """A store where, between the read and the write of one writer, others write."""

    def __init__(self) -> None:
        self.inner: MemoryStore[State] = MemoryStore()
        self.rivals: list[Callable[[], None]] = []

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[State]]:
        return self.inner.load(keys)

    def save(self, changes: Mapping[str, Stored[State]]) -> Collection[str]:
        if self.rivals:
            self.rivals.pop()()
        return self.inner.save(changes)


@dataclass
class World:
    """What a projector would write and do, and in `effects` everything it did, repetitions too."""

    mails: Store[Mail]
    addresses: Store[History]
    notify: Collection[str] = NOTIFY
    effects: list[Effect] = field(default_factory=list)

    def take(self, batch: Iterable[Event]) -> None:
        told = list(batch)
        merge(self.addresses, suppression.fold(told), suppression.join)
        merge(self.mails, tracking.fold(told), tracking.join, self.carry_out)

    def carry_out(self, mails: Sequence[Mail]) -> list[Mail]:
        asked = [list(due(mail, self.notify)) for mail in mails]
        self.effects.extend(effect for of_mail in asked for effect in of_mail)
        return [marked(mail, of_mail) for mail, of_mail in zip(mails, asked, strict=True)]

    @property
    def announcements(self) -> list[Announcement]:
        return [effect for effect in self.effects if isinstance(effect, Announcement)]


@dataclass(frozen=True)
class Standing:
    """What stands in the end, in a form that two ways to it can be compared by."""

    rows: dict[str, dict[str, Any]]
    suppressed: dict[str, Suppression]
    announced: set[tuple[str, str, str]]
    retried: set[tuple[str, str, int]]


def standing(world: World, mails: MemoryStore[Mail], addresses: MemoryStore[History]) -> Standing:
    announced = {
        (each.envelope.id, each.envelope.detail["emailId"], each.status) for each in world.announcements
    }
    retries = [effect.due for effect in world.effects if not isinstance(effect, Announcement)]
    histories = {key: stored.state.suppression for key, stored in addresses.rows.items()}
    return Standing(
        {key: row_of(stored.state, RETENTION) for key, stored in mails.rows.items()},
        {key: found for key, found in histories.items() if found},
        announced,
        {(retry.email_id, retry.original_email_id, retry.retry_attempt) for retry in retries},
    )


def projected(batches: Sequence[Sequence[bytes]], rivals: Collection[int] = ()) -> Standing:
    """The batches in their order; those whose number is among the rivals come in between a read and a write."""
    mails: Contested[Mail] = Contested()
    addresses: Contested[History] = Contested()
    world = World(mails, addresses)
    for number, batch in enumerate(batches):
        told = events(batch)
        if number in rivals:
            store = mails if number % 2 else addresses
            store.rivals.append(lambda told=told: world.take(told))  # type: ignore[misc]
        else:
            world.take(told)
    while mails.rivals or addresses.rivals:
        (mails.rivals or addresses.rivals).pop()()
    return standing(world, mails.inner, addresses.inner)
