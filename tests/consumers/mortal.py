"""A projector that dies at any step, over a world in memory that outlives it.

Each announcement, each retry and each write of a row is a step of its own, finer than what a call to AWS carries.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from consumers.handler import Handler
from consumers.projector import Aftermath, Bus, Delays, Projector
from consumers.projector import Reputation as Joins
from consumers.runner import Runner
from pipeline.codec import Event
from pipeline.envelope import Envelope
from pipeline.events import SendDue
from pipeline.log import Record
from pipeline.memory import Crash
from projections import reputation
from projections.reputation import Minute, Reputation, Tally
from projections.rows import row_of
from projections.store import MemoryStore, Store, Stored
from tests.consumers.fakes import FakeParking, Hurried

NOTIFY = ("delivered", "opened", "soft_bounced", "bounced", "complained", "failed")
RETENTION = timedelta(days=90)

State = TypeVar("State")
Result = TypeVar("Result")


class Life:
    """A process, and the steps that it has gone through; it dies in the place of the step after so many."""

    def __init__(self, length: int | None = None) -> None:
        self._length = length
        self.steps: list[str] = []

    def lived(self, name: str, action: Callable[[], Result]) -> Result:
        self._step(f"before {name}")
        result = action()
        self._step(f"after {name}")
        return result

    def _step(self, name: str) -> None:
        if len(self.steps) == self._length:
            raise Crash
        self.steps.append(name)


class MortalStore(Generic[State]):
    def __init__(self, life: Life, name: str, store: Store[State]) -> None:
        self._life, self._name, self._store = life, name, store

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[State]]:
        return self._life.lived(f"reading {self._name}", lambda: self._store.load(keys))

    def save(self, changes: Mapping[str, Stored[State]]) -> Collection[str]:
        return [key for key, change in changes.items() if self._saved(key, change)]

    def _saved(self, key: str, change: Stored[State]) -> Collection[str]:
        return self._life.lived(f"writing {self._name} {key}", lambda: self._store.save({key: change}))


class MortalBus(Bus):
    def __init__(self, life: Life, published: list[Envelope]) -> None:
        self._life, self._published = life, published

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        for each in envelopes:
            name = f"announcing {each.detail['status']} of {each.detail['emailId']}"
            self._life.lived(name, partial(self._published.append, each))


class MortalQueue(Delays):
    def __init__(self, life: Life, deferred: list[SendDue]) -> None:
        self._life, self._deferred = life, deferred

    def defer(self, due: Sequence[SendDue], seconds: int) -> None:
        for each in due:
            name = f"deferring {each.email_id}"
            self._life.lived(name, partial(self._deferred.append, each))


class MemoryReputation:
    """As the table has it: the sets of each minute, and what was counted in them at the last join."""

    def __init__(self) -> None:
        self._minutes: dict[Minute, Tally] = {}
        self._counts: dict[Minute, Reputation] = {}

    def join(self, minute: Minute, said: Tally) -> bool:
        """Whether that was new."""
        known = self._minutes.get(minute)
        self._minutes[minute] = reputation.join(known, said) if known else said
        return self._minutes[minute] != known

    def count(self, minute: Minute) -> None:
        tally = self._minutes[minute]
        self._counts[minute] = Reputation(len(tally.accepted), len(tally.bounced))

    def add(self, minute: Minute, said: Tally) -> None:
        """As no table should: the same mail counts each time."""
        known = self._counts.get(minute, Reputation(0, 0))
        self._counts[minute] = Reputation(
            known.accepted + len(said.accepted), known.bounced + len(said.bounced)
        )

    def days(self) -> dict[str, Reputation]:
        return {day: self._of_day(day) for day in sorted({minute.day for minute in self._counts})}

    def _of_day(self, day: str) -> Reputation:
        counts = [count for minute, count in self._counts.items() if minute.day == day]
        return Reputation(sum(each.accepted for each in counts), sum(each.bounced for each in counts))


class MortalReputation(Joins):
    def __init__(self, life: Life, table: MemoryReputation) -> None:
        self._life, self._table = life, table

    def add(self, events: Sequence[Event]) -> None:
        for minute, said in reputation.fold(events).items():
            self._life.lived(f"joining {minute}", partial(self._table.join, minute, said))
            self._life.lived(f"counting {minute}", partial(self._table.count, minute))


@dataclass(frozen=True)
class Standing:
    """What must be the same however often the projector died. Repetitions of effects fall together by their ids."""

    rows: Mapping[str, Any]
    addresses: Mapping[str, Any]
    holds: Mapping[str, Any]
    days: Mapping[str, Reputation]
    announced: set[tuple[str, str, str]]
    retried: set[tuple[str, str, int, str]]


class World:
    """Log, tables, bus and queue; what a projector leaves when it dies is what the next one finds."""

    def __init__(self, log: Sequence[Record]) -> None:
        self._log = log
        self.mails: MemoryStore[Any] = MemoryStore()
        self.addresses: MemoryStore[Any] = MemoryStore()
        self.holds: MemoryStore[Any] = MemoryStore()
        self.reputation = MemoryReputation()
        self.published: list[Envelope] = []
        self.deferred: list[SendDue] = []
        self.checkpoint = 0

    def live(self, life: Life, batch: int) -> bool:
        """One projector from the last checkpoint on; false if it died."""
        runner = Runner("projector", self.projector(life), FakeParking(), Hurried())
        waiting = [record for record in self._log if record.sequence > self.checkpoint]
        try:
            for start in range(0, len(waiting), batch):
                self.step(life, runner, waiting[start : start + batch])
        except Crash:
            return False
        return True

    def step(self, life: Life, runner: Runner, records: Sequence[Record]) -> None:
        runner.process(records)
        durable = runner.durable()
        assert durable is not None
        self.write_checkpoint(life, durable)

    def write_checkpoint(self, life: Life, sequence: int) -> None:
        life.lived(f"checkpoint {sequence}", lambda: setattr(self, "checkpoint", sequence))

    def projector(self, life: Life) -> Handler:
        return Projector(
            MortalStore(life, "mail", self.mails),
            MortalStore(life, "address", self.addresses),
            self.aftermath(life),
            self.joins(life),
            MortalStore(life, "hold", self.holds),
        )

    def aftermath(self, life: Life) -> Aftermath:
        return Aftermath(self.bus(life), MortalQueue(life, self.deferred), NOTIFY, 900)

    def bus(self, life: Life) -> Bus:
        return MortalBus(life, self.published)

    def joins(self, life: Life) -> Joins:
        return MortalReputation(life, self.reputation)

    def standing(self) -> Standing:
        told = [each.detail for each in self.published]
        return Standing(
            rows={key: row_of(stored.state, RETENTION) for key, stored in self.mails.rows.items()},
            addresses={key: stored.state for key, stored in self.addresses.rows.items()},
            holds={key: stored.state for key, stored in self.holds.rows.items()},
            days=self.reputation.days(),
            announced={(each["eventId"], each["emailId"], each["status"]) for each in told},
            retried={
                (due.email_id, due.original_email_id, due.retry_attempt, due.place.sequence)
                for due in self.deferred
            },
        )
