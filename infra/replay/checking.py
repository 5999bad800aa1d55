"""The tables against the log: what differs, judged once the projector has processed all that came meanwhile.

partition ─► rows by the log ─► what differs ─► + what has come since ─► what differs still, and has stood still ─► told
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import sample
from typing import Any

from rich.progress import Progress

from infra.replay.job import Job
from infra.replay.newer import Newer
from infra.replay.replaying import chunks_of
from pipeline.codec import Event
from projections import reputation, suppression, tracking
from projections.checking import Checked, Deviation, Rows, deviations
from projections.rebuilding import rejoined
from projections.rows import mail_of

__all__ = ["Check", "Projected", "projected"]

CHUNK = 500
ROUNDS = 5
ROUND_SECONDS = 1.0

State = Any
States = Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Projected:
    """A projection as it is checked: its states by their keys, from a partition or from some events."""

    table: Checked[Any]
    states: Callable[[int], Iterator[tuple[str, State]]]
    fold: Callable[[Iterable[Event]], States]
    join: Callable[[State, State], State]


def projected(job: Job) -> Mapping[str, Projected]:
    """By the names of the projections."""
    notify, with_simulator = job.rules.notify, job.rules.with_simulator
    folding, tables = job.folding, job.tables

    def mails(partition: int) -> Iterator[tuple[str, State]]:
        found = (rejoined(None, mail_of(row), notify) for row in folding.mails(partition))
        return ((mail.email_id, mail) for mail in found)

    def minutes(tallies: Iterable[tuple[reputation.Minute, reputation.Tally]]) -> Iterator[tuple[str, State]]:
        return ((" ".join(minute), (minute, tally)) for minute, tally in tallies)

    return {
        "tracking": Projected(
            tables.tracking,
            mails,
            tracking.fold,
            lambda one, other: rejoined(None, tracking.join(one, other), notify),
        ),
        "suppression": Projected(
            tables.suppression,
            lambda partition: ((each.address, each) for each in folding.histories(partition)),
            suppression.fold,
            suppression.join,
        ),
        "reputation": Projected(
            tables.reputation,
            lambda partition: minutes(folding.tallies(partition, with_simulator=with_simulator)),
            lambda events: dict(minutes(reputation.fold(events, with_simulator=with_simulator).items())),
            lambda one, other: (one[0], reputation.join(one[1], other[1])),
        ),
    }


class Check:
    """One table. `most`: check so many keys, drawn at random; None for all of them, and rows of which the log is silent."""

    def __init__(
        self,
        job: Job,
        name: str,
        newer: Newer,
        most: int | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._job, self._name, self._newer, self._most, self._pause = job, name, newer, most, pause
        self._projected = projected(job)[name]
        self._now: datetime = job.rules.now
        self.counts: Counter[str] = Counter(compared=0)
        job.connection.execute("CREATE OR REPLACE TABLE told (key VARCHAR)")

    def deviations(
        self, progress: Progress, look: Callable[[State], None] = lambda _: None
    ) -> Iterator[Deviation]:
        """`look` sees every state that the log tells of."""
        self._job.deal(self._name, progress)
        partitions = range(self._job.folding.partitions)
        task = progress.add_task(f"{self._name}: comparing", total=len(partitions) + 1)
        for partition in partitions if self._most is None else sample(partitions, len(partitions)):
            yield from self._judged(self._suspects(partition, look))
            progress.advance(task)
        if self._most is None:
            yield from self._judged(self._unknown())
        progress.advance(task)

    def _suspects(self, partition: int, look: Callable[[State], None]) -> dict[str, State]:
        suspects: dict[str, State] = {}
        states = self._projected.states(partition)
        if self._most is not None:
            states = islice(states, self._most - self.counts["compared"])
        for chunk in chunks_of(states, CHUNK):
            known = dict(chunk)
            for state in known.values():
                look(state)
            self.counts["compared"] += len(known)
            suspects |= {each.key: known[each.key] for each in self._deviations(known)}
            self._remember(known)
        return suspects

    def _remember(self, keys: Iterable[str]) -> None:
        if self._most is None:
            self._job.connection.cursor().execute(
                "INSERT INTO told SELECT unnest($keys)", {"keys": list(keys)}
            )

    def _unknown(self) -> dict[str, State]:
        """Keys of the table that the log says nothing of."""
        cursor, found = self._job.connection, dict[str, State]()
        for page in self._projected.table.key_pages():
            rows = cursor.execute(
                "SELECT DISTINCT key FROM (SELECT unnest($keys) AS key) ANTI JOIN told USING (key)",
                {"keys": list(page)},
            ).fetchall()
            found |= dict.fromkeys(key for (key,) in rows)
        return found

    def _judged(self, suspects: dict[str, State]) -> Sequence[Deviation]:
        """Those that differ by all that has come since, and have been the same in two rounds."""
        before: Mapping[str, Rows] = {}
        for _ in range(ROUNDS):
            if not suspects:
                return ()
            newer = self._projected.fold(self._newer.events())
            states = {key: self._joined(state, newer.get(key)) for key, state in suspects.items()}
            differing = self._deviations(states)
            found = {each.key: each.found.state for each in differing}
            if found == before:
                return differing
            suspects = {each.key: suspects[each.key] for each in differing}
            before = found
            self._pause(ROUND_SECONDS)
        return differing

    def _joined(self, state: State | None, newer: State | None) -> State | None:
        if state is None or newer is None:
            return newer if state is None else state
        return self._projected.join(state, newer)

    def _deviations(self, states: Mapping[str, State | None]) -> list[Deviation]:
        expected = self._projected.table.expected([state for state in states.values() if state is not None])
        wanted = {key: expected.get(key, {}) for key in states}
        found: list[Deviation] = []
        for chunk in chunks_of(wanted.items(), CHUNK):
            found += deviations(self._projected.table, dict(chunk), self._now)
        return found
