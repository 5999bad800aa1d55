"""The loop that joins a batch into a store: nothing is lost to rivals or crashes, effects come before writes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.memory import Crash
from projections.store import MemoryStore, Stored, merge
from projections.suppression import History
from projections.tracking import Mail
from tests.projections import oracle
from tests.projections.builders import at, delivered, events, opened, sent, soft_bounce
from tests.projections.histories import histories
from tests.projections.world import NOTIFY, RETENTION, Contested, World, standing

Words = frozenset[str]
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def union(one: Words, other: Words) -> Words:
    return one | other


def words(*given: str) -> Words:
    return frozenset(given)


@dataclass
class Watched(MemoryStore[Words]):
    """A store that tells what was asked of it, and refuses the first writes of a key as often as it is told to."""

    refuse: dict[str, int] = field(default_factory=dict)
    loads: list[set[str]] = field(default_factory=list)
    saves: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[Words]]:
        self.loads.append(set(keys))
        return super().load(keys)

    def save(self, changes: Mapping[str, Stored[Words]]) -> Collection[str]:
        self.saves.append(set(changes))
        refused = [key for key in changes if self.refuse.get(key, 0) > 0]
        for key in refused:
            self.refuse[key] -= 1
        taken = {key: change for key, change in changes.items() if key not in refused}
        return [*refused, *super().save(taken)]

    @property
    def states(self) -> dict[str, Words]:
        return {key: stored.state for key, stored in self.rows.items()}


# Joining


def test_what_is_said_is_stored() -> None:
    store = Watched()
    merge(store, {"a": words("x")}, union)
    assert store.states == {"a": words("x")}


def test_what_is_said_is_joined_into_what_is_stored() -> None:
    store = Watched()
    merge(store, {"a": words("x"), "b": words("u")}, union)
    merge(store, {"a": words("y")}, union)
    assert store.states == {"a": words("x", "y"), "b": words("u")}


def test_a_batch_is_one_read_and_one_write() -> None:
    store = Watched()
    merge(store, {"a": words("x"), "b": words("y")}, union)
    assert (store.loads, store.saves) == ([{"a", "b"}], [{"a", "b"}])


def test_what_is_known_already_is_not_written_again() -> None:
    store = Watched()
    merge(store, {"a": words("x", "y"), "b": words("z")}, union)
    merge(store, {"a": words("x"), "b": words("new")}, union)
    assert store.saves[1:] == [{"b"}]


def test_a_batch_that_says_nothing_new_writes_nothing() -> None:
    store = Watched()
    merge(store, {"a": words("x")}, union)
    merge(store, {"a": words("x")}, union)
    assert len(store.saves) == 1


def test_an_empty_batch_asks_for_nothing() -> None:
    store = Watched()
    merge(store, {}, union)
    assert (store.loads, store.saves) == ([], [])


def test_a_refused_key_is_read_and_joined_anew() -> None:
    store = Watched(refuse={"a": 2})
    merge(store, {"a": words("x"), "b": words("y")}, union)
    assert store.states == {"a": words("x"), "b": words("y")}


def test_only_the_refused_keys_are_tried_again() -> None:
    store = Watched(refuse={"a": 1})
    merge(store, {"a": words("x"), "b": words("y")}, union)
    assert (store.loads, store.saves) == ([{"a", "b"}, {"a"}], [{"a", "b"}, {"a"}])


def test_what_a_rival_writes_in_between_is_kept() -> None:
    store: Contested[Words] = Contested()
    store.rivals.append(lambda: merge(store, {"a": words("rival")}, union))
    merge(store, {"a": words("own")}, union)
    assert store.inner.rows["a"].state == words("rival", "own")


# Effects before writes


def test_effects_see_the_joined_states() -> None:
    store, seen = Watched(), list[Words]()

    def see(states: Sequence[Words]) -> Sequence[Words]:
        seen.extend(states)
        return states

    merge(store, {"a": words("x")}, union)
    merge(store, {"a": words("y")}, union, see)
    assert seen == [words("x", "y")]


def test_effects_come_before_the_write() -> None:
    store = Watched()

    def expect_nothing_written(states: Sequence[Words]) -> Sequence[Words]:
        assert store.saves == []
        return states

    merge(store, {"a": words("x")}, union, expect_nothing_written)
    assert store.saves == [{"a"}]


def test_what_effects_mark_is_written() -> None:
    store = Watched()
    merge(store, {"a": words("x")}, union, lambda states: [state | {"done"} for state in states])
    assert store.states == {"a": words("x", "done")}


def test_marks_alone_are_a_reason_to_write() -> None:
    store = Watched()
    merge(store, {"a": words("x")}, union)
    merge(store, {"a": words("x")}, union, lambda states: [state | {"done"} for state in states])
    assert store.states == {"a": words("x", "done")}


def test_effects_see_what_a_rival_has_written() -> None:
    store: Contested[Words] = Contested()
    store.rivals.append(lambda: merge(store, {"a": words("rival", "done")}, union))
    seen: list[Words] = []

    def see(states: Sequence[Words]) -> Sequence[Words]:
        seen.extend(states)
        return states

    merge(store, {"a": words("own")}, union, see)
    assert seen == [words("own"), words("own", "rival", "done")]


def test_nothing_is_written_when_an_effect_fails() -> None:
    store = Watched()

    def fail(_: Sequence[Words]) -> Sequence[Words]:
        raise Crash

    with pytest.raises(Crash):
        merge(store, {"a": words("x")}, union, fail)
    assert store.states == {}


# Crashes of a projector


class CrashingStore(Contested[Mail]):
    """The process dies at the given saves: before one is carried out, or after it."""

    def __init__(self, before: Collection[int], after: Collection[int]) -> None:
        super().__init__()
        self._before, self._after, self._count = before, after, 0

    def save(self, changes: Mapping[str, Stored[Mail]]) -> Collection[str]:
        self._count += 1
        if self._count in self._before:
            raise Crash
        refused = super().save(changes)
        if self._count in self._after:
            raise Crash
        return refused


class CrashingWorld(World):
    """… or between two effects."""

    between: Iterator[bool] = iter(())

    def carry_out(self, mails: Sequence[Mail]) -> list[Mail]:
        done = []
        for mail in mails:
            done.extend(super().carry_out([mail]))
            if next(self.between, False):
                raise Crash
        return done


def restarted(world: World, batch: Sequence[bytes]) -> None:
    """Takes the batch as a host does: from the beginning after each crash."""
    while True:
        try:
            return world.take(events(batch))
        except Crash:
            continue


ONE_MAIL = [sent("m", at()), delivered("m", at(minutes=1)), soft_bounce("m", at(minutes=2))]


def world_that_crashes(*, before: Collection[int] = (), after: Collection[int] = ()) -> World:
    return World(CrashingStore(before, after), MemoryStore())


def test_a_crash_between_effect_and_write_repeats_the_effects_under_the_same_ids() -> None:
    world = world_that_crashes(before=[1])
    restarted(world, ONE_MAIL)
    half = len(world.effects) // 2
    assert world.effects[:half] == world.effects[half:]


def test_a_crash_between_effect_and_write_loses_none() -> None:
    world = world_that_crashes(before=[1])
    restarted(world, ONE_MAIL)
    assert sorted(effect.mark for effect in world.effects) == sorted(
        2 * ["delivered", "soft_bounced", "retry"]
    )


def test_a_crash_after_the_write_repeats_nothing() -> None:
    world = world_that_crashes(after=[1])
    restarted(world, ONE_MAIL)
    assert sorted(effect.mark for effect in world.effects) == ["delivered", "retry", "soft_bounced"]


def test_a_crash_before_effects_loses_none() -> None:
    """The state of a first batch is stored without effects due; the second brings them, and crashes twice."""
    world = world_that_crashes(before=[2, 3])
    restarted(world, [opened("m", at(minutes=3))])
    restarted(world, ONE_MAIL)
    assert {effect.mark for effect in world.effects} == {"delivered", "opened", "soft_bounced", "retry"}


@FEW
@given(
    histories(30),
    st.integers(1, 6),
    st.sets(st.integers(1, 9)),
    st.sets(st.integers(1, 9)),
    st.lists(st.booleans(), max_size=20),
)
def test_crashes_anywhere_change_nothing_in_the_end(
    history: list[bytes], batches: int, before: set[int], after: set[int], between: list[bool]
) -> None:
    mails, addresses = CrashingStore(before, after), MemoryStore[History]()
    world = CrashingWorld(mails, addresses)
    world.between = iter(between)
    for start in range(batches):
        restarted(world, history[start::batches])
    found, expected = standing(world, mails.inner, addresses), oracle.outcome(history, NOTIFY, RETENTION)
    assert {(email_id, status) for _, email_id, status in found.announced} == expected.announced
    assert {original for _, original, _ in found.retried} == expected.retried
    assert {key: row["done"] for key, row in found.rows.items() if "done" in row} == {
        key: row["done"] for key, row in expected.rows.items() if "done" in row
    }


@FEW
@given(histories(30), st.sets(st.integers(1, 9), min_size=1))
def test_crashes_repeat_ids_and_make_no_new_ones(history: list[bytes], before: set[int]) -> None:
    calm, troubled = world_that_crashes(), world_that_crashes(before=before)
    for world in (calm, troubled):
        restarted(world, history)
    assert {each.envelope.id for each in troubled.announcements} == {
        each.envelope.id for each in calm.announcements
    }
