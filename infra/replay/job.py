"""A replay from its beginning to its end: which events, in which steps, and which of them were done before."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.progress import Progress

from analytics.duckdb import S3Access, rows
from analytics.folding import Folding, Projection
from consumers.dynamodb import LedgerTable
from infra.replay.bounds import bounds_of
from infra.replay.holding import holding
from infra.replay.replaying import Counts, Replaying, Rules, Tables
from infra.replay.source import Source, Window, connection_of, take
from infra.replay.work import Work
from pipeline import times
from pipeline.archived import event_of
from pipeline.codec import Event
from pipeline.engine import Engine
from pipeline.kinesis import KinesisLog
from projections.dynamodb import HoldsTable, ReputationTable, SuppressionTable, TrackingTable

__all__ = ["DEALT", "NAMES", "Choice", "Job", "tables_of"]

DEALT: dict[str, Projection] = {"suppression": "suppression", "reputation": "reputation", "tracking": "mails"}
"""Projections, and what their events are dealt out as."""

NAMES = (*DEALT, "ledger")
"""What can be replayed, in this order: first of all nobody may be mailed who must not be."""

PARTITION_BYTES = 64 * 1024 * 1024  # of archive files; folded some times as much

Step = Callable[[Counts], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be replayed, from when until when, and whether for real."""

    only: Sequence[str] = NAMES
    window: Window = field(default_factory=Window)
    fresh: bool = False
    dry: bool = False

    def asked(self, engine: Engine, command: str) -> dict[str, Any]:
        """Whoever asks for the same goes on with what was begun."""
        moments = [moment and moment.isoformat() for moment in (self.window.since, self.window.until)]
        return {
            "command": command,
            "stream": engine.settings.stream_name,
            "endpoint": engine.client("dynamodb").meta.endpoint_url,
            "only": list(self.only),
            "window": moments,
            "fresh": self.fresh,
            "dry": self.dry,
        }


class Job:
    """The events of the log up to where the projector has come, in a work folder, ready to be folded."""

    def __init__(self, engine: Engine, choice: Choice, work: Work, s3: S3Access) -> None:
        settings = engine.settings
        self.choice, self.work, self.tables = choice, work, tables_of(engine)
        self.log = KinesisLog(engine.client("kinesis"), settings.stream_name)
        self.source = _source(engine, choice, work)
        self.connection = connection_of(self.source, s3)
        self.connection.execute(f"SET temp_directory = '{work.folder / 'spilled'}'")
        self.folding = Folding(
            self.connection, work.folder, max(1, math.ceil(self.source.size / PARTITION_BYTES))
        )
        self.rules = Rules(
            settings.notify_statuses,
            settings.retention,
            times.utc_now(),
            dry=choice.dry,
            with_simulator=settings.count_simulator_mails,
        )

    def replay(self, progress: Progress) -> dict[str, dict[str, int]]:
        """Counts by projection. Senders hold while suppression is replayed into an empty table."""
        replaying = Replaying(self.tables, self.log, self.folding, self.events, self.rules)
        for name in self.choice.only:
            held = name == "suppression" and self.choice.fresh and not self.choice.dry
            with holding(self.tables.holds, self.log) if held else nullcontext():
                self._replay(name, replaying, progress)
        return {name: self._counts(name) for name in self.choice.only}

    def events(self, *kinds: str) -> Iterator[Event]:
        self.connection.execute("SET VARIABLE kinds = $kinds", {"kinds": list(kinds)})
        return map(event_of, rows(self.connection, "of_kinds"))

    def deal(self, name: str, progress: Progress) -> None:
        task = progress.add_task(f"{name}: dealing the events out", total=None)
        self.folding.deal(DEALT[name])
        progress.remove_task(task)

    def _replay(self, name: str, replaying: Replaying, progress: Progress) -> None:
        if name in DEALT:
            self.deal(name, progress)
        steps = self._steps(name, replaying)
        task = progress.add_task(name, total=len(steps))
        for step, action in steps.items():
            if step not in self.work.done:
                counts = Counts()
                action(counts)
                self.work.finish(step, counts.all())
            progress.advance(task)

    def _steps(self, name: str, replaying: Replaying) -> dict[str, Step]:
        if name not in DEALT:
            return {name: replaying.ledger}
        action = getattr(replaying, name)
        first: dict[str, Step] = {"reputation holds": replaying.holds} if name == "reputation" else {}
        return first | {f"{name} {n}": partial(action, n) for n in range(self.folding.partitions)}

    def _counts(self, name: str) -> dict[str, int]:
        counts: Counter[str] = Counter(told=0, written=0, past=0)
        for step, told in self.work.done.items():
            if step.partition(" ")[0] == name:
                counts.update(told)
        return dict(counts)


def tables_of(engine: Engine) -> Tables:
    settings, dynamodb = engine.settings, engine.client("dynamodb")
    reputation, counted = settings.reputation_table_name, settings.count_simulator_mails
    return Tables(
        TrackingTable(dynamodb, settings.tracking_table_name, settings.retention),
        SuppressionTable(dynamodb, settings.suppression_table_name),
        ReputationTable(dynamodb, reputation, settings.retention, with_simulator=counted),
        HoldsTable(dynamodb, reputation),
        LedgerTable(dynamodb, settings.send_ledger_table_name, settings.retention, times.utc_now),
    )


def _source(engine: Engine, choice: Choice, work: Work) -> Source:
    """As it was found first, where the work was begun before."""
    path = work.folder / "source.json"
    if not path.exists():
        take(engine, work.folder, bounds_of(engine), choice.window).save(path)
    return Source.load(path)
