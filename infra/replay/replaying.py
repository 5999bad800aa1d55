"""What the log says, joined into the tables, step by step; a step is a partition of a projection.

Joins are idempotent and commute with the projector's, so consumers go on meanwhile. Delivery guarantee: whatever the
tables held, in the end they hold what the log says, too; nothing is sent and nothing is announced.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from analytics.folding import Folding
from consumers.dynamodb import LedgerTable
from consumers.ledger import Claim
from consumers.patience import Patience
from pipeline import times
from pipeline.codec import Event
from pipeline.events import MailFact
from pipeline.log import Log
from projections import holds, suppression
from projections.checking import deviations
from projections.dynamodb import HoldsTable, ReputationTable, SuppressionTable, TrackingTable
from projections.rebuilding import owes, rejoined, reminder
from projections.reputation import Minute, Tally
from projections.rows import mail_of
from projections.store import Store, Stored, merge
from projections.suppression import History
from projections.tracking import Mail

__all__ = ["Counts", "Replaying", "Rules", "Tables", "chunks_of"]

CHUNK = 200  # states that are read and written together
AT_ONCE = 8

State = TypeVar("State")
Item = TypeVar("Item")
Events = Callable[..., Iterator[Event]]
"""The events of some kinds."""


@dataclass(frozen=True, slots=True)
class Tables:
    tracking: TrackingTable
    suppression: SuppressionTable
    reputation: ReputationTable
    holds: HoldsTable
    ledger: LedgerTable


@dataclass(frozen=True, slots=True)
class Rules:
    """`dry`: nothing is written, what would be is counted. Rows past `retention` count as absent."""

    notify: Collection[str]
    retention: timedelta
    now: datetime
    dry: bool = False
    with_simulator: bool = False

    def is_past(self, moment: str) -> bool:
        return times.parse(moment) + self.retention <= self.now


class Counts:
    """Of a step: `told` by the log, `written`, `past` their time, `reminded` of. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, **numbers: int) -> None:
        with self._lock:
            self._counts.update(numbers)

    def all(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class Replaying:
    """`log` takes the reminders for the projector; `events` are those of the whole source."""

    def __init__(self, tables: Tables, log: Log, folding: Folding, events: Events, rules: Rules) -> None:
        self._tables, self._log, self._folding = tables, log, folding
        self._events, self._rules = events, rules
        self._patience = Patience("replay", threading.Event())

    def holds(self, counts: Counts) -> None:
        said = holds.fold(self._events("Sending Paused", "Sending Resumed"))
        counts.add(told=len(said))
        self._merge(self._tables.holds, said, holds.join, counts)

    def suppression(self, partition: int, counts: Counts) -> None:
        def join(histories: Sequence[History]) -> None:
            counts.add(told=len(histories))
            said = {history.address: history for history in histories}
            self._merge(self._tables.suppression, said, suppression.join, counts)

        self._each(self._folding.histories(partition), join)

    def reputation(self, partition: int, counts: Counts) -> None:
        def join(tallies: Sequence[tuple[Minute, Tally]]) -> None:
            table, rules = self._tables.reputation, self._rules
            current = {minute: tally for minute, tally in tallies if not rules.is_past(minute.day)}
            expected = table.expected(current.items())
            differing = {
                each.key for each in self._patience.call(lambda: deviations(table, expected, rules.now))
            }
            changed = {minute: tally for minute, tally in current.items() if " ".join(minute) in differing}
            counts.add(told=len(tallies), past=len(tallies) - len(current), written=len(changed))
            if not rules.dry:
                self._patience.call(lambda: table.join(changed))

        self._each(self._folding.tallies(partition, with_simulator=self._rules.with_simulator), join)

    def tracking(self, partition: int, counts: Counts) -> None:
        self._each(map(mail_of, self._folding.mails(partition)), partial(self._join_mails, counts=counts))

    def ledger(self, counts: Counts) -> None:
        """Add the closed claims that facts prove; a claim that stands is left alone."""

        def add(events: Sequence[Event]) -> None:
            current = [event for event in events if not self._rules.is_past(event.time)]
            claims = {claim.email_id: claim for claim in map(_closed_claim, current)}
            known = self._patience.call(lambda: self._tables.ledger.known(claims))
            missing = [claim for key, claim in claims.items() if key not in known]
            counts.add(told=len(events), past=len(events) - len(current), written=len(missing))
            if missing and not self._rules.dry:
                self._patience.call(lambda: self._tables.ledger.claim(missing))

        self._each(self._events("Mail Sent", "Mail Failed", "Retry Not Needed"), add)

    def _join_mails(self, mails: Sequence[Mail], counts: Counts) -> None:
        rules = self._rules
        said = {mail.email_id: mail for mail in mails if not rules.is_past(mail.timestamp)}
        owed: dict[str, Mail] = {}

        def join(stored: Mail, mail: Mail) -> Mail:
            joined = rejoined(stored, mail, rules.notify)
            if owes(stored, joined, rules.notify):
                owed[mail.email_id] = joined
            return joined

        def remind(states: Sequence[Mail]) -> Sequence[Mail]:
            if owed and not rules.dry:
                self._log.append([reminder(mail) for mail in owed.values()])
            return states

        counts.add(told=len(mails), past=len(mails) - len(said))
        new = {key: rejoined(None, mail, rules.notify) for key, mail in said.items()}
        self._merge(self._tables.tracking, new, join, counts, remind)
        counts.add(reminded=len(owed))

    def _merge(
        self,
        store: Store[State],
        said: Mapping[str, State],
        join: Callable[[State, State], State],
        counts: Counts,
        before_write: Callable[[Sequence[State]], Sequence[State]] = lambda states: states,
    ) -> None:
        watched = _Watched(store, counts, dry=self._rules.dry)
        self._patience.call(lambda: merge(watched, said, join, before_write))

    def _each(self, items: Iterable[Item], action: Callable[[Sequence[Item]], None]) -> None:
        """Chunks side by side, while as many are read as are worked on."""
        slots, faults = threading.Semaphore(2 * AT_ONCE), list[BaseException]()

        def act(chunk: Sequence[Item]) -> None:
            try:
                action(chunk)
            except BaseException as error:  # noqa: BLE001  it is raised where the chunks are read
                faults.append(error)
            finally:
                slots.release()

        with ThreadPoolExecutor(AT_ONCE, "replay") as pool:
            for chunk in chunks_of(items, CHUNK):
                slots.acquire()
                if faults:
                    break
                pool.submit(act, chunk)
        if faults:
            raise faults[0]


class _Watched(Generic[State]):
    """A store whose writes are counted; of a dry one there are none."""

    def __init__(self, store: Store[State], counts: Counts, *, dry: bool) -> None:
        self._store, self._counts, self._dry = store, counts, dry

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[State]]:
        return self._store.load(keys)

    def save(self, changes: Mapping[str, Stored[State]]) -> Collection[str]:
        lost = () if self._dry else self._store.save(changes)
        self._counts.add(written=len(changes) - len(lost))
        return lost


def chunks_of(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


def _closed_claim(event: Event) -> Claim:
    fact: Any = event.body
    assert isinstance(fact, MailFact)
    outcome = fact.envelope(event.id, event.time)
    return Claim(fact.email_id, fact.event_id, f"replayed {event.id}", 0.0, outcome=outcome, place=fact.place)
