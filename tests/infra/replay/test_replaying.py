"""Rows are lost, replays come whenever they like, and in the end all is as if nothing had happened."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.replay.replaying import Counts, Replaying, Rules, Tables
from pipeline.codec import Event, decode
from pipeline.envelope import Envelope
from projections import tracking
from projections.effects import due
from projections.rows import row_of
from projections.store import MemoryStore
from projections.tracking import Mail
from tests.projections.builders import at, events, feedback, sent
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.world import NOTIFY, RETENTION, World

RULES = Rules(NOTIFY, timedelta(days=10_000), datetime(2026, 11, 24, tzinfo=UTC))


class Engine:
    """A projector over tables in memory, and replays of what it has processed."""

    def __init__(self) -> None:
        self.mails: MemoryStore[Mail] = MemoryStore()
        self.projector = World(self.mails, MemoryStore())
        self.processed: list[Event] = []
        self.reminders: list[Envelope] = []

    def take(self, batch: Sequence[Event]) -> None:
        self.processed += batch
        self.projector.take(batch)

    def lose(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.mails.rows.pop(key, None)

    def whole(self) -> list[str]:
        """The rows that owe nothing. One that waits for its request, or for the projector, takes what it owes with it."""
        mails = {key: stored.state for key, stored in self.mails.rows.items()}
        return [key for key, mail in mails.items() if mail.outcome and not any(due(mail, NOTIFY))]

    def replay(self, said: Sequence[Event] | None = None, **rules: Any) -> Counts:
        tables: Any = Tables(self.mails, *[None] * 4)  # type: ignore[arg-type]
        log: Any = self
        chosen = Rules(**{name: getattr(RULES, name) for name in Rules.__slots__} | rules)
        replaying = Replaying(tables, log, None, None, chosen)  # type: ignore[arg-type]
        counts = Counts()
        mails = tracking.fold(self.processed if said is None else said)
        replaying._join_mails(list(mails.values()), counts)
        return counts

    def append(self, envelopes: Sequence[Envelope]) -> None:
        self.reminders += envelopes

    def hear_reminders(self) -> None:
        reminders, self.reminders = self.reminders, []
        self.take([decode(each.to_bytes()) for each in reminders])

    @property
    def rows(self) -> dict[str, Any]:
        return {key: row_of(stored.state, RETENTION) for key, stored in self.mails.rows.items()}

    @property
    def announced(self) -> set[tuple[str, str]]:
        return {(each.envelope.detail["emailId"], each.status) for each in self.projector.announcements}


def owed(history: Sequence[Event]) -> set[tuple[str, str]]:
    """What must have been announced, once all is known."""
    mails = tracking.fold(history).values()
    return {(mail.email_id, effect.mark) for mail in mails for effect in due(mail, NOTIFY)}


def undisturbed(history: Sequence[Event]) -> Engine:
    engine = Engine()
    engine.take(history)
    return engine


@settings(max_examples=200)
@given(history=histories(20), arrival=arrivals, seed=st.integers(0, 10_000))
def test_losses_and_replays_at_any_time_end_as_if_there_had_been_none(
    history: list[bytes], arrival: Arrival, seed: int
) -> None:
    engine, chance = Engine(), random.Random(seed)
    for batch in arrival.of(history):
        engine.take(events(batch))
        if chance.random() < 0.4:
            engine.lose([key for key in engine.whole() if chance.random() < 0.5])
        if chance.random() < 0.4:
            engine.replay()
        if chance.random() < 0.4:
            engine.hear_reminders()
    engine.replay()
    engine.hear_reminders()
    every = events(history)
    assert engine.rows == undisturbed(every).rows
    done = {(key, mark) for key, stored in engine.mails.rows.items() for mark in stored.state.done}
    assert done == owed(every)
    told = engine.announced | {(effect.due.original_email_id, "retry") for effect in _retries(engine)}
    assert told == owed(every)


def _retries(engine: Engine) -> list[Any]:
    return [effect for effect in engine.projector.effects if hasattr(effect, "due")]


@settings(max_examples=100)
@given(history=histories(30), arrival=arrivals, seed=st.integers(0, 10_000))
def test_a_replay_of_any_part_changes_nothing_that_is_right(
    history: list[bytes], arrival: Arrival, seed: int
) -> None:
    engine, chance = Engine(), random.Random(seed)
    for batch in arrival.of(history):
        engine.take(events(batch))
    before, effects = dict(engine.mails.rows), len(engine.projector.effects)
    counts = engine.replay([event for event in engine.processed if chance.random() < 0.5])
    assert engine.mails.rows == before
    assert engine.reminders == []
    assert len(engine.projector.effects) == effects
    assert counts.all().get("written", 0) == 0


def test_feedback_to_a_row_that_was_lost_is_announced_after_the_replay() -> None:
    """The projector can't announce what it doesn't know the source of.

    projector:  sent ─ (the row is lost) ─ delivered: a row that waits ─────────── sent, again ─► announced
    replay:                                                      sent ─► the row, and its reminder
    """
    engine = Engine()
    engine.take(events([sent("order-1", at(seconds=1))]))
    engine.lose(["order-1"])
    engine.take(events([feedback("Delivery", "order-1", at(seconds=2))]))
    assert engine.announced == set()
    engine.replay()
    assert len(engine.reminders) == 1
    engine.hear_reminders()
    assert engine.announced == {("order-1", "delivered")}


def test_what_was_announced_before_a_row_was_lost_is_not_announced_again() -> None:
    engine = Engine()
    engine.take(events([sent("order-1", at(seconds=1)), feedback("Delivery", "order-1", at(seconds=2))]))
    engine.lose(["order-1"])
    engine.replay()
    engine.take(events([feedback("Open", "order-1", at(seconds=3), part={"isBotEvent": "Unlikely"})]))
    assert [each.status for each in engine.projector.announcements] == ["delivered", "opened"]


def test_a_dry_run_writes_and_reminds_of_nothing_and_counts_what_it_would() -> None:
    engine = Engine()
    engine.take(events([sent("order-1", at(seconds=1)), sent("order-2", at(seconds=1))]))
    engine.lose(["order-1"])
    assert engine.replay(dry=True).all()["written"] == 1
    assert engine.mails.rows.keys() == {"order-2"}


def test_rows_past_their_time_are_not_written_again() -> None:
    engine = Engine()
    engine.take(events([sent("order-1", at(seconds=1))]))
    engine.lose(["order-1"])
    counts = engine.replay(retention=timedelta(days=90), now=datetime(2040, 1, 1, tzinfo=UTC))
    assert counts.all()["past"] == 1
    assert engine.mails.rows == {}


def test_a_fault_of_one_chunk_ends_the_replay() -> None:
    replaying: Any = Replaying(None, None, None, None, RULES)  # type: ignore[arg-type]

    def fail(chunk: Sequence[int]) -> None:
        if 500 in chunk:
            raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        replaying._each(iter(range(100_000)), fail)
