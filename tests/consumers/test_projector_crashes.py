"""The projector dies at every step of a history, and another begins at the last checkpoint.

    suppressions ─► holds ─► reputation ─► announcements, retries ─► rows ─► (durable) ─► checkpoint

In the end everything stands as if none had died; what was done twice bears the same id both times.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import pytest

from consumers.projector import Aftermath, Projector
from consumers.projector import Reputation as Joins
from consumers.runner import Runner
from pipeline import ids
from pipeline.codec import Event
from pipeline.envelope import Envelope
from pipeline.log import Record
from projections import reputation
from projections.effects import due, marked
from projections.reputation import Minute, Reputation
from projections.tracking import Mail
from tests.builders import record
from tests.consumers.mortal import NOTIFY, Life, MortalBus, MortalQueue, MortalReputation, Standing, World
from tests.projections.builders import (
    again,
    at,
    complaint,
    delivered,
    failed,
    hard_bounce,
    needless,
    opened,
    pause,
    release,
    resume,
    sent,
    soft_bounce,
    suppress,
)

CAROL, DAN = "carol@customer.example", "dan@customer.example"
OF_FULL: dict[str, Any] = {"original": "full", "attempt": 1}
OF_BUSY: dict[str, Any] = {"original": "busy", "attempt": 1}
RETRY_OF_FULL, RETRY_OF_BUSY = ids.retry_id("full", 1), ids.retry_id("busy", 1)
NEXT_DAY = {"mail_time": at(days=1)}

HISTORY: Sequence[bytes] = [
    sent("read", at()),
    delivered("read", at(minutes=1)),
    sent("full", at(), toEmail=CAROL),
    soft_bounce("full", at(minutes=1), to=CAROL),
    sent("busy", at()),
    again(soft_bounce("busy", at(minutes=1))),
    soft_bounce("busy", at(minutes=1)),
    failed("refused", at()),
    delivered("early", at(minutes=2)),
    opened("early", at(minutes=3), "Likely"),
    suppress(DAN, at(minutes=4)),
    pause(at(minutes=5)),
    b"no event",
    opened("read", at(minutes=6)),
    sent("gone", at(), toEmail=DAN),
    hard_bounce("gone", at(minutes=6), to=DAN),
    sent("early", at()),
    sent(RETRY_OF_FULL, at(minutes=16), toEmail=CAROL, originalEmailId="full", retryAttempt=1),
    soft_bounce(RETRY_OF_FULL, at(minutes=17), to=CAROL, **OF_FULL),
    delivered(RETRY_OF_BUSY, at(minutes=17), **OF_BUSY),
    sent(RETRY_OF_BUSY, at(minutes=16), originalEmailId="busy", retryAttempt=1),
    again(hard_bounce("gone", at(minutes=6), to=DAN)),
    sent("away", at(days=1)),
    delivered("away", at(days=1), **NEXT_DAY),
    soft_bounce("away", at(days=1), "General", **NEXT_DAY),
    needless("away", at(days=1, minutes=15)),
    complaint("read", at(days=1)),
    hard_bounce(None, at(days=1), to=CAROL, message_id="foreign", **NEXT_DAY),
    release(CAROL, at(days=2)),
    resume(at(days=2)),
    opened("away", at(days=2), **NEXT_DAY),
]
LOG = [record(each, 7 * number) for number, each in enumerate(HISTORY, 1)]

# Records in a batch: of the projector that dies, and of those that come after it.
BATCHES = [(1, 1), (4, 4), (7, 5), (100, 100)]


def lived_through(batch: int, world: type[World] = World) -> tuple[Standing, list[str]]:
    """What stands when nobody dies, and the steps of it."""
    whole, life = world(LOG), Life()
    assert whole.live(life, batch)
    return whole.standing(), life.steps


@cache
def undisturbed() -> Standing:
    return lived_through(4)[0]


def after_deaths(world: World, deaths: Sequence[int], batches: tuple[int, int]) -> Standing:
    """One life after the other, each of so many steps, and then one to the end."""
    first, others = batches
    for number, steps in enumerate(deaths):
        world.live(Life(steps), others if number else first)
    assert world.live(Life(), others)
    return world.standing()


def differences(
    batches: tuple[int, int],
    world: type[World] = World,
    deaths: Callable[[int], Sequence[int]] = lambda n: [n],
) -> dict[str, Standing]:
    """The steps in whose place a death changes what stands in the end, and what stands then."""
    wanted, steps = lived_through(batches[0], world)
    stood = {n: after_deaths(world(LOG), deaths(n), batches) for n in range(len(steps))}
    return {f"{n}: {steps[n]}": found for n, found in stood.items() if found != wanted}


# ── The history itself ────────────────────────────────────────────────────────────────────────────────────


def test_the_history_ends_in_every_status() -> None:
    assert {key: row["status"] for key, row in undisturbed().rows.items()} == {
        "read": "opened",
        "full": "soft_bounced",
        RETRY_OF_FULL: "failed",
        "busy": "soft_bounced",
        RETRY_OF_BUSY: "delivered",
        "refused": "failed",
        "early": "delivered",
        "gone": "bounced",
        "away": "opened",
    }


def test_the_history_is_announced() -> None:
    assert sorted((mail, status) for _, mail, status in undisturbed().announced) == sorted(
        [
            *(("read", status) for status in ("delivered", "opened", "complained")),
            *(("full", "soft_bounced"), (RETRY_OF_FULL, "failed")),
            *(("busy", "soft_bounced"), (RETRY_OF_BUSY, "delivered")),
            *(("refused", "failed"), ("early", "delivered"), ("gone", "bounced")),
            *(("away", status) for status in ("delivered", "opened", "soft_bounced")),
        ]
    )


def test_the_soft_bounces_of_the_history_are_retried() -> None:
    retried = {(mail, original, attempt) for mail, original, attempt, _ in undisturbed().retried}
    assert retried == {(ids.retry_id(mail, 1), mail, 1) for mail in ("full", "busy", "away")}


def test_the_days_of_the_history_are_counted() -> None:
    """First day: read, full, busy, early, gone and two retries. Second day: away, and a foreign mail."""
    assert undisturbed().days == {"2026-03-01": Reputation(7, 1), "2026-03-02": Reputation(2, 1)}


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_nobody_who_lives_announces_or_retries_twice(batch: int) -> None:
    world = World(LOG)
    world.live(Life(), batch)
    assert len(world.published) == len(undisturbed().announced)
    assert len(world.deferred) == len(undisturbed().retried)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_the_size_of_batches_changes_nothing(batch: int) -> None:
    assert lived_through(batch)[0] == undisturbed()


def test_a_death_is_tried_at_every_effect_and_write() -> None:
    _, steps = lived_through(4)
    standing = undisturbed()
    wanted = [
        *(f"announcing {status} of {mail}" for _, mail, status in standing.announced),
        *(f"deferring {mail}" for mail, *_ in standing.retried),
        *(f"writing mail {mail}" for mail in standing.rows),
        *(f"writing address {address}" for address in standing.addresses),
        *(f"writing hold {hold}" for hold in standing.holds),
        *(f"{doing} {Minute(day, '09:00')}" for day in standing.days for doing in ("joining", "counting")),
        *(f"checkpoint {each.sequence}" for each in LOG[3::4]),
    ]
    assert {f"{when} {each}" for each in wanted for when in ("before", "after")} <= set(steps)


# ── Deaths ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batches", BATCHES)
def test_a_death_at_any_step_changes_nothing_in_the_end(batches: tuple[int, int]) -> None:
    assert differences(batches) == {}


@pytest.mark.parametrize("batches", BATCHES)
def test_one_death_after_the_other_changes_nothing_in_the_end(batches: tuple[int, int]) -> None:
    """The second dies as far from the checkpoint as the first, the third a little earlier."""
    assert differences(batches, deaths=lambda n: [n, n, n * 2 // 3]) == {}


@pytest.mark.parametrize("batches", BATCHES[1:])
def test_a_death_repeats_no_effect_more_than_once(batches: tuple[int, int]) -> None:
    _, steps = lived_through(batches[0])
    for length in range(len(steps)):
        world = World(LOG)
        after_deaths(world, [length], batches)
        told = [each.id for each in world.published] + [each.email_id for each in world.deferred]
        assert max(map(told.count, told)) <= 2


# ── Tests of the test: each of these mistakes is found ────────────────────────────────────────────────────


class LateAftermath(Aftermath):
    """Marks what it hasn't done yet."""

    later: Sequence[Mail] = ()

    def carry_out(self, mails: Sequence[Mail]) -> list[Mail]:
        self.later = mails
        return [marked(mail, list(due(mail, NOTIFY))) for mail in mails]

    def catch_up(self) -> None:
        super().carry_out(self.later)
        self.later = ()


class Hasty(Projector):
    def process(self, records: Sequence[Record]) -> None:
        super().process(records)
        assert isinstance(self._aftermath, LateAftermath)
        self._aftermath.catch_up()


class MarksFirst(World):
    def projector(self, life: Life) -> Projector:
        made = super().projector(life)
        assert isinstance(made, Projector)
        return Hasty(made._mails, made._addresses, made._aftermath, made._reputation, made._holds)

    def aftermath(self, life: Life) -> Aftermath:
        return LateAftermath(self.bus(life), MortalQueue(life, self.deferred), NOTIFY, 900)


class ChecksOffFirst(World):
    """The checkpoint goes ahead of the work."""

    def step(self, life: Life, runner: Runner, records: Sequence[Record]) -> None:
        self.write_checkpoint(life, records[-1].sequence)
        runner.process(records)


class NewIdEachTime(World):
    def bus(self, life: Life) -> MortalBus:
        return NumberingBus(life, self.published)


class NumberingBus(MortalBus):
    def publish(self, envelopes: Sequence[Envelope]) -> None:
        for each in envelopes:
            detail = each.detail | {"eventId": f"event-{len(self._published)}"}
            super().publish([each.model_copy(update={"detail": detail})])


class CountsUp(World):
    """Adds to the numbers of a day; sets would know a mail again."""

    def joins(self, life: Life) -> Joins:
        return Adding(life, self.reputation)


class Adding(MortalReputation):
    def add(self, events: Sequence[Event]) -> None:
        for minute, said in reputation.fold(events).items():
            self._life.lived("adding", partial(self._table.add, minute, said))


class CountsWhatIsNew(World):
    """Takes sets that have nothing new in them for counted."""

    def joins(self, life: Life) -> Joins:
        return Trusting(life, self.reputation)


class Trusting(MortalReputation):
    def add(self, events: Sequence[Event]) -> None:
        for minute, said in reputation.fold(events).items():
            if self._life.lived("joining", partial(self._table.join, minute, said)):
                self._life.lived("counting", partial(self._table.count, minute))


@pytest.mark.parametrize("mistaken", [MarksFirst, ChecksOffFirst, NewIdEachTime, CountsUp, CountsWhatIsNew])
def test_a_mistake_shows_when_a_projector_dies(mistaken: type[World]) -> None:
    assert differences((4, 4), mistaken) != {}


def test_marks_before_effects_lose_the_announcements_and_the_retries() -> None:
    left, wanted = differences((4, 4), MarksFirst).values(), undisturbed()
    lost = {told for after in left for told in wanted.announced - after.announced}
    assert {status for _, _, status in lost} == set(NOTIFY)
    assert {retry for after in left for retry in wanted.retried - after.retried} == wanted.retried
