"""What every store of a projection promises: one suite for the memory and for the tables."""

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from threading import Barrier
from typing import Any, Generic, TypeVar

import pytest

from projections import suppression, tracking
from projections.store import MemoryStore, Store, Stored, merge
from projections.suppression import Cause, History
from projections.tracking import Mail
from tests.projections.builders import at, bounced, complaint, delivered, events, sent, soft_bounce, suppress
from tests.projections.conftest import Tables

State = TypeVar("State")

WRITERS, UPDATES = 4, 200


@dataclass(frozen=True)
class Subject(Generic[State]):
    """A store, and how to make states for it. `state(key, n)` differs for each n, and a join keeps them all."""

    store: Store[State]
    state: Callable[[str, int], State]
    join: Callable[[State, State], State]
    rich: Callable[[str], State]

    def stored(self, *keys: str) -> dict[str, State]:
        return {key: found.state for key, found in self.store.load(keys).items()}

    def write(self, key: str, n: int = 0) -> State:
        state = self.state(key, n)
        assert not self.store.save({key: Stored(state)})
        return state


def mail(email_id: str, n: int) -> Mail:
    """The mark is what tells them apart."""
    told = tracking.fold(events([sent(email_id, at()), delivered(email_id, at(minutes=n))]))
    return replace(told[email_id], done=frozenset([f"mark-{n}"]))


def rich_mail(email_id: str) -> Mail:
    metadata = {"größe": "🎈 ≥ 1", "rate": 0.1, "huge": 12345678901234567890123456789012345678901234567890}
    metadata["deep"] = {"": [None, True, {"a": [1e-7, -0.0, 1e300, []]}], "empty": {}}
    told = sent(email_id, at(), metadata=metadata, subject='„Zeile“ 1\n"2"\u2028\\', unknownFields=["x", "y"])
    bounce = bounced(email_id, at(minutes=1), "Transient", "Général", recipients=["ана@почта.example"])
    return tracking.fold(events([told, bounce, delivered(email_id, at(minutes=2))]))[email_id]


def past(address: str, n: int) -> History:
    cause = Cause(at(minutes=n), f"event-{n}", "manual", f"reason {n}")
    return History(address, causes=frozenset([cause]))


def rich_past(address: str) -> History:
    records = [
        suppress(address, at(days=1), 'said „nie wieder“\n"2"\u2028 🎈'),
        complaint("größe-1", at(days=2), to=address),
        *(soft_bounce(None, at(days=2, minutes=n), to=address, message_id=f"ses-{n}") for n in range(20)),
    ]
    (found,) = suppression.fold(events(records)).values()
    return replace(found, released=at(hours=1))


SUBJECTS: dict[str, Callable[[Callable[[], Tables]], Subject[Any]]] = {
    "mails in memory": lambda _: Subject(MemoryStore[Mail](), mail, tracking.join, rich_mail),
    "addresses in memory": lambda _: Subject(MemoryStore[History](), past, suppression.join, rich_past),
    "tracking table": lambda tables: Subject(tables().tracking, mail, tracking.join, rich_mail),
    "suppression table": lambda tables: Subject(tables().suppression, past, suppression.join, rich_past),
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject[Any]:
    return SUBJECTS[request.param](lambda: request.getfixturevalue("tables"))


@pytest.fixture
def key() -> str:
    """One that no other test uses."""
    return f"{uuid.uuid4()}@customer.example"


@pytest.fixture
def keys() -> list[str]:
    return [f"{uuid.uuid4()}@customer.example" for _ in range(110)]


def test_what_isnt_stored_is_left_out(subject: Subject[Any], key: str) -> None:
    assert subject.store.load([key]) == {}


def test_loading_nothing_gives_nothing(subject: Subject[Any]) -> None:
    assert subject.store.load([]) == {}


def test_saving_nothing_refuses_nothing(subject: Subject[Any]) -> None:
    assert list(subject.store.save({})) == []


def test_a_state_is_loaded_as_it_was_saved(subject: Subject[Any], key: str) -> None:
    state = subject.write(key)
    assert subject.stored(key) == {key: state}


def test_unicode_nesting_and_numbers_come_back_as_they_were(subject: Subject[Any], key: str) -> None:
    state = subject.rich(key)
    subject.store.save({key: Stored(state)})
    assert subject.stored(key) == {key: state}


def test_a_state_that_was_loaded_can_be_replaced(subject: Subject[Any], key: str) -> None:
    subject.write(key)
    token = subject.store.load([key])[key].token
    subject.store.save({key: Stored(subject.state(key, 1), token)})
    assert subject.stored(key) == {key: subject.state(key, 1)}


def test_a_second_first_write_is_refused(subject: Subject[Any], key: str) -> None:
    subject.write(key)
    assert list(subject.store.save({key: Stored(subject.state(key, 1))})) == [key]


def test_a_refused_write_changes_nothing(subject: Subject[Any], key: str) -> None:
    state = subject.write(key)
    subject.store.save({key: Stored(subject.state(key, 1))})
    assert subject.stored(key) == {key: state}


def test_a_write_from_what_stands_no_more_is_refused(subject: Subject[Any], key: str) -> None:
    subject.write(key)
    token = subject.store.load([key])[key].token
    writes = [subject.store.save({key: Stored(subject.state(key, n), token)}) for n in (1, 2)]
    assert [list(refused) for refused in writes] == [[], [key]]


def test_of_many_writes_only_the_conflicting_ones_are_refused(subject: Subject[Any], keys: list[str]) -> None:
    for key in keys[:3]:
        subject.write(key)
    refused = subject.store.save({key: Stored(subject.state(key, 1)) for key in keys[:30]})
    assert set(refused) == set(keys[:3])


def test_of_many_writes_those_without_conflict_are_carried_out(
    subject: Subject[Any], keys: list[str]
) -> None:
    subject.write(keys[20])
    subject.store.save({key: Stored(subject.state(key, 1)) for key in keys[:30]})
    assert subject.stored(*keys[:30]) == {key: subject.state(key, int(key != keys[20])) for key in keys[:30]}


def test_more_than_a_call_can_carry_is_written_and_read(subject: Subject[Any], keys: list[str]) -> None:
    states = {key: subject.state(key, n % 7) for n, key in enumerate(keys)}
    subject.store.save({key: Stored(state) for key, state in states.items()})
    assert subject.stored(*keys) == states


def test_keys_that_are_asked_for_twice_are_given_once(subject: Subject[Any], key: str) -> None:
    subject.write(key)
    assert list(subject.store.load([key, key])) == [key]


@pytest.mark.parametrize("number", [1, 3])
def test_history_survives_every_further_merge(subject: Subject[Any], key: str, number: int) -> None:
    states = [subject.state(key, n) for n in range(number + 1)]
    for state in states:
        merge(subject.store, {key: state}, subject.join)
    assert subject.stored(key) == {key: reduce(subject.join, states)}


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that give way all the time: a race shows where there is one."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_200_concurrent_updates_of_one_row_lose_nothing(subject: Subject[Any], key: str) -> None:
    states = [subject.state(key, n) for n in range(UPDATES)]

    together = Barrier(WRITERS)

    def write(own: Sequence[Any]) -> None:
        together.wait()
        for state in own:
            merge(subject.store, {key: state}, subject.join)

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, [states[n::WRITERS] for n in range(WRITERS)]))
    assert subject.stored(key) == {key: reduce(subject.join, states)}


def test_concurrent_batches_over_many_rows_lose_nothing(subject: Subject[Any], keys: list[str]) -> None:
    """Each writer brings news of every row."""
    rows = keys[:10]

    def write(n: int) -> None:
        merge(subject.store, {key: subject.state(key, n) for key in rows}, subject.join)

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    assert subject.stored(*rows) == {
        key: reduce(subject.join, [subject.state(key, n) for n in range(4)]) for key in rows
    }


def test_the_states_of_this_suite_differ(subject: Subject[Any], key: str) -> None:
    assert (
        subject.state(key, 0)
        != subject.state(key, 1)
        != subject.join(subject.state(key, 0), subject.state(key, 1))
    )
