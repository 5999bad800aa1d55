"""What every table promises that is checked against the log and mended: one suite for all three."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, Phase, given, settings

from pipeline.errors import Unavailable
from projections import holds
from projections.checking import ABSENT, WHOLE, deviations
from projections.dynamodb import ReputationTable
from projections.store import merge
from tests.projections.builders import START, at, events, pause, release, sent
from tests.projections.checked import SUBJECTS, Item, Subject
from tests.projections.conftest import Tables
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.world import RETENTION

OF_INDEXES = ("toEmail", "timestamp", "originalEmailId", "sesMessageId")

numbers = count()


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, tables: Tables) -> Subject:
    return SUBJECTS[request.param](tables)


@pytest.fixture
def tracked(tables: Tables) -> Subject:
    return SUBJECTS["tracking"](tables)


@pytest.fixture
def suppressed(tables: Tables) -> Subject:
    return SUBJECTS["suppression"](tables)


@pytest.fixture
def reputed(tables: Tables) -> Subject:
    return SUBJECTS["reputation"](tables)


@pytest.fixture
def number() -> int:
    """One that no other test uses."""
    return next(numbers)


@pytest.fixture(scope="module")
def histories_of() -> dict[str, list[bytes]]:
    """By table, everything that it has got."""
    return defaultdict(list)


@settings(max_examples=10, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(30), arrival=arrivals)
def test_a_table_that_took_what_the_log_holds_does_not_differ(
    subject: Subject, histories_of: dict[str, list[bytes]], history: list[bytes], arrival: Arrival
) -> None:
    for batch in arrival.of(history):
        subject.take(events(batch))
    told = histories_of[subject.table.name]
    told.extend(history)
    expected = subject.expected(told)
    assert deviations(subject.table, expected, START) == []
    assert {key for key in subject.known() if not key.startswith(("checked-", "2026-02", "2026-01"))} <= set(
        expected
    )


# Found, named and mended


def other(value: Item) -> Item:
    """The value, changed by a hand."""
    ((kind, was),) = value.items()
    changed: dict[str, Any] = {"S": f"{was} ", "N": str(int(was if kind == "N" else 0) + 1)}
    changed |= {"M": {"other": {"S": "x"}}, "L": [{"S": "x"}], "BS": [b"123456789"]}
    return {kind: changed[kind]}


HANDS: dict[str, Callable[[Item, str], Item]] = {
    "changed": lambda item, name: {**item, name: other(item[name])},
    "taken away": lambda item, name: {each: value for each, value in item.items() if each != name},
    "of another kind": lambda item, name: {**item, name: {"M": {}}},
    "changed, with its version": lambda item, name: {**item, name: other(item[name]), "version": {"S": "x"}},
    "changed, without its version": lambda item, name: {
        each: other(value) if each == name else value for each, value in item.items() if each != "version"
    },
}


@pytest.mark.parametrize("hand", HANDS.values(), ids=HANDS)
def test_each_attribute_that_a_hand_changes_is_named_and_mended(
    subject: Subject, number: int, hand: Callable[[Item, str], Item]
) -> None:
    key = subject.key(number)
    expected = subject.told(key)
    named = {}
    for place, name in subject.attributes(key):
        changed = hand(subject.item(place) or {}, name)
        if name in OF_INDEXES and changed.get(name) == {"M": {}}:
            continue  # which DynamoDB itself refuses
        subject.put(changed)
        (found,) = subject.deviations(expected)
        named[name] = [each.field.rpartition(": ")[2] for each in found.differences]
        assert (subject.table.replace([found]), subject.deviations(expected)) == ([], [])
    assert named
    assert named == {name: [name] for name in named}


def test_every_attribute_of_the_story_is_looked_at(subject: Subject, number: int) -> None:
    subject.told(subject.key(number))
    names = {name for _, name in subject.attributes(subject.key(number))}
    assert len(names) == {"tracking": 26, "suppression": 5, "reputation": 4}[subject.table.name], names


def test_an_attribute_that_a_hand_adds_is_named_and_taken_away(subject: Subject, number: int) -> None:
    key = subject.key(number)
    expected = subject.told(key)
    subject.put({**(subject.item(subject.places(key)[0]) or {}), "note": {"NULL": True}})
    (found,) = subject.deviations(expected)
    assert [each.field for each in found.differences] == ["note"]
    assert (subject.table.replace([found]), subject.deviations(expected)) == ([], [])


@pytest.mark.parametrize("which", [[0], [-1], [0, -1]], ids=["the first", "the last", "all"])
def test_rows_that_are_gone_are_missed_and_come_back(subject: Subject, number: int, which: list[int]) -> None:
    key = subject.key(number)
    expected = subject.told(key)
    for each in which:
        subject.delete(subject.places(key)[each])
    (found,) = subject.deviations(expected)
    assert ABSENT in {each.found for each in found.differences}
    assert (subject.table.replace([found]), subject.deviations(expected)) == ([], [])


@pytest.mark.parametrize("which", [[0], [-1], [0, -1]], ids=["the first", "the last", "all"])
def test_rows_that_the_log_knows_nothing_of_are_listed_and_taken_away(
    subject: Subject, number: int, which: list[int]
) -> None:
    key = subject.key(number)
    subject.told(key)
    places = subject.places(key)
    for place in places:
        if place not in [places[each] for each in which]:
            subject.delete(place)
    assert key in subject.known()
    (found,) = subject.deviations({key: {}})
    assert {each.field for each in found.differences} == {WHOLE}
    assert subject.table.replace([found]) == []
    assert (subject.deviations({key: {}}), key in subject.known()) == ([], False)


def test_after_a_repair_what_comes_is_joined_as_ever(subject: Subject, number: int) -> None:
    key = subject.key(number)
    expected = subject.told(key)
    subject.delete(subject.places(key)[0])
    subject.table.replace(subject.deviations(expected))
    subject.take(events([subject.news(key)]))
    assert subject.deviations(subject.expected([*subject.story(key), subject.news(key)])) == []


def test_more_than_a_call_can_carry_is_compared_and_mended(subject: Subject) -> None:
    keys = [subject.key(1000 + n) for n in range(130)]
    expected = subject.expected(record for key in keys for record in subject.story(key))
    missing = subject.deviations(expected)
    assert len(missing) == len(keys)
    assert (subject.table.replace(missing), subject.deviations(expected)) == ([], [])
    assert set(keys) <= subject.known()


# What has changed since is left alone


def changed_by_a_hand(subject: Subject, key: str, place: Item) -> None:
    name = next(name for where, name in subject.attributes(key) if where == place)
    subject.put(HANDS["changed"](subject.item(place) or {}, name))


BEFORE: dict[str, Callable[[Subject, str, Item], None]] = {
    "changed": changed_by_a_hand,
    "missing": lambda subject, _, place: subject.delete(place),
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("which", [0, -1], ids=["the first", "the last"])
def test_rows_that_change_between_reading_and_replacing_are_left_alone(
    subject: Subject, number: int, which: int, before: Callable[[Subject, str, Item], None]
) -> None:
    key = subject.key(number)
    expected = subject.told(key)
    before(subject, key, subject.places(key)[which])
    found = subject.deviations(expected)
    subject.take(events([subject.news(key)]))
    after = [subject.item(place) for place in subject.places(key)]
    assert subject.table.replace(found) == [key]
    assert [subject.item(place) for place in subject.places(key)] == after


def test_rows_that_come_between_reading_and_replacing_are_left_alone(subject: Subject, number: int) -> None:
    key = subject.key(number)
    found = subject.deviations(subject.expected(subject.story(key)))
    subject.take(events([subject.news(key)]))
    assert subject.table.replace(found) == [key]
    assert subject.deviations(subject.expected([subject.news(key)])) == []


def test_rows_that_change_before_they_are_deleted_are_left_alone(subject: Subject, number: int) -> None:
    key = subject.key(number)
    subject.told(key)
    found = subject.deviations({key: {}})
    subject.take(events([subject.news(key)]))
    assert subject.table.replace(found) == [key]
    assert subject.deviations(subject.expected([*subject.story(key), subject.news(key)])) == []


def test_one_that_has_changed_keeps_no_other_from_being_mended(subject: Subject) -> None:
    keys = [subject.key(2000 + n) for n in range(4)]
    expected = subject.expected(record for key in keys for record in subject.story(key))
    found = subject.deviations(expected)
    subject.take(events([subject.news(keys[2])]))
    assert subject.table.replace(found) == [keys[2]]
    assert [each.key for each in subject.deviations(expected)] == [keys[2]]


# Expired rows


def expire(subject: Subject, key: str) -> None:
    for place in subject.places(key):
        subject.put({**(subject.item(place) or {}), "ttl": {"N": "1"}})


def test_what_has_expired_in_the_table_is_not_in_it(subject: Subject, number: int) -> None:
    key = subject.key(number)
    subject.told(key)
    expire(subject, key)
    assert subject.deviations({key: {}}) == []


def test_what_has_expired_too_early_is_replaced(subject: Subject, number: int) -> None:
    key = subject.key(number)
    expected = subject.told(key)
    expire(subject, key)
    (found,) = subject.deviations(expected)
    assert {each.field for each in found.differences} == {WHOLE}
    assert (subject.table.replace([found]), subject.deviations(expected)) == ([], [])


@pytest.mark.parametrize("name", ["tracking", "reputation"])
def test_what_has_expired_by_the_log_is_not_missed(tables: Tables, number: int, name: str) -> None:
    subject = SUBJECTS[name](tables)
    expected = subject.expected(subject.story(subject.key(number)))
    assert deviations(subject.table, expected, START + 2 * RETENTION) == []


# Mails


def test_a_mended_row_keeps_what_was_done_and_what_the_log_says_was(tracked: Subject, number: int) -> None:
    key = tracked.key(number)
    tracked.told(key)
    (place,) = tracked.places(key)
    item = tracked.item(place) or {}
    tracked.put({**item, "status": {"S": "x"}, "done": {"L": [{"S": "retry"}, {"S": "failed"}]}})
    mails = [replace(mail, done=frozenset(["failed", "complained"])) for mail in told_of(tracked, key)]
    tracked.table.replace(tracked.deviations(tracked.table.expected(mails)))
    done = (tracked.item(place) or {})["done"]
    assert done == {"L": [{"S": "complained"}, {"S": "failed"}, {"S": "retry"}]}


def told_of(subject: Subject, key: str) -> list[Any]:
    return list(subject.fold(events(subject.story(key))))


@pytest.mark.parametrize("done", [{"S": "retry"}, {"L": [{"N": "1"}]}, {"NULL": True}])
def test_what_a_hand_made_of_the_done_is_nothing(tracked: Subject, number: int, done: Item) -> None:
    key = tracked.key(number)
    expected = tracked.told(key)
    (place,) = tracked.places(key)
    tracked.put({**(tracked.item(place) or {}), "status": {"S": "x"}, "done": done})
    assert tracked.table.replace(tracked.deviations(expected)) == []
    assert "done" not in (tracked.item(place) or {})


def test_a_mended_row_has_the_next_version(tracked: Subject, number: int) -> None:
    key = tracked.key(number)
    expected = tracked.told(key)
    (place,) = tracked.places(key)
    tracked.put({**(tracked.item(place) or {}), "status": {"S": "x"}, "version": {"N": "41"}})
    tracked.table.replace(tracked.deviations(expected))
    assert (tracked.item(place) or {})["version"] == {"N": "42"}


def test_a_row_without_a_version_is_left_alone_when_any_attribute_has_changed(
    tracked: Subject, number: int
) -> None:
    key = tracked.key(number)
    expected = tracked.told(key)
    (place,) = tracked.places(key)
    item = {name: value for name, value in (tracked.item(place) or {}).items() if name != "version"}
    tracked.put({**item, "status": {"S": "x"}})
    found = tracked.deviations(expected)
    tracked.put({**item, "status": {"S": "y"}})
    assert tracked.table.replace(found) == [key]


def test_values_that_dynamodb_keeps_otherwise_are_no_difference(tracked: Subject) -> None:
    deep: Any = "deep"
    for _ in range(40):
        deep = [deep]
    metadata = {
        "huge": int("12345" * 10),
        "tiny": 1e-200,
        "zero": -0.0,
        "one": 1.0,
        "yes": True,
        "none": None,
        "d": deep,
    }
    told = [sent("checked-odd", at(), metadata=metadata)]
    tracked.take(events(told))
    assert tracked.deviations(tracked.expected(told)) == []


# Addresses


def test_a_row_is_not_brought_back_for_an_address_that_was_released_meanwhile(
    suppressed: Subject, number: int
) -> None:
    """Its own row is missing before and after: only its history tells."""
    key = suppressed.key(number)
    expected = suppressed.told(key)
    suppressed.delete({"email": {"S": key}})
    found = suppressed.deviations(expected)
    suppressed.take(events([release(key, at(days=9))]))
    assert suppressed.table.replace(found) == [key]
    assert suppressed.item({"email": {"S": key}}) is None


def test_an_address_that_is_not_suppressed_must_have_no_row(suppressed: Subject, number: int) -> None:
    key = suppressed.key(number)
    suppressed.told(key)
    row = suppressed.item({"email": {"S": key}}) or {}
    told = [*suppressed.story(key), release(key, at(days=9))]
    suppressed.take(events(told))
    suppressed.put(row)
    (found,) = suppressed.deviations(suppressed.expected(told))
    assert [(each.key, each.field) for each in found.differences] == [(key, WHOLE)]
    assert suppressed.table.replace([found]) == []
    assert suppressed.item({"email": {"S": key}}) is None


# Minutes


@pytest.fixture
def alone(reputed: Subject) -> Iterator[str]:
    """A day that no key is of, and on which nothing is left."""
    day = "2026-01-07"
    yield day
    reputed.table.replace(reputed.deviations({key: {} for key in reputed.known() if key.startswith(day)}))
    assert not {key for key in reputed.known() if key.startswith(day)}


@pytest.mark.parametrize("name", ["a15", "b15", "a75", "b1", "about"])
def test_a_count_of_a_minute_that_nothing_is_known_of_is_found(
    reputed: Subject, alone: str, name: str
) -> None:
    """Whatever it is called: the day's rate adds them all."""
    reputed.put({"day": {"S": alone}, "minute": {"S": "hour 09"}, name: {"N": "5"}})
    (key,) = {key for key in reputed.known() if key.startswith(alone)}
    (found,) = reputed.deviations({key: {}})
    assert (key, found.found.state[key]) == (f"{alone} 09:{name[1:]}", {f"hour 09: {name}": 5})


@pytest.mark.parametrize("row", ["noon", "hour noon", "09:15:00", "hour 09:15", " "])
def test_a_row_that_is_no_minute_is_found(reputed: Subject, alone: str, row: str) -> None:
    reputed.put({"day": {"S": alone}, "minute": {"S": row}, "a1": {"N": "5"}})
    (key,) = {key for key in reputed.known() if key.startswith(alone)}
    assert reputed.deviations({key: {}})


def test_what_else_the_table_holds_is_no_row_of_the_projection(reputed: Subject, tables: Tables) -> None:
    days = {"pace", "in hand", "heard"}
    for day in days:
        reputed.put({"day": {"S": day}, "minute": {"S": "09:15"}, "accepted": {"BS": [b"1"]}})
    merge(tables.holds, holds.fold(events([pause(at(), source="x")])), holds.join)
    assert tables.holds.standing()
    assert not {key for key in reputed.known() if not key.startswith("20")}


def test_a_bounce_that_comes_for_a_known_mail_is_not_undone(reputed: Subject, number: int) -> None:
    """The set of the accepted stands as it was read; that of the bounced was not there."""
    key = reputed.key(number)
    reputed.told(key)
    place, hour = reputed.places(key)
    item = {name: value for name, value in (reputed.item(place) or {}).items() if name != "bounced"}
    reputed.put(item)
    found = reputed.deviations({key: {}})
    reputed.put({**item, "bounced": item["accepted"]})
    assert reputed.table.replace(found) == [key]
    assert reputed.item(hour)


@pytest.mark.parametrize("hand", ["changed", "taken away"])
def test_a_count_that_changes_alone_is_not_undone(reputed: Subject, number: int, hand: str) -> None:
    """A projector writes the sets first; its count may come when the sets have been read."""
    key = reputed.key(number)
    expected = reputed.told(key)
    (_, name), _ = [
        (place, name) for place, name in reputed.attributes(key) if place == reputed.places(key)[1]
    ]
    hour = reputed.item(reputed.places(key)[1]) or {}
    reputed.put({**hour, name: {"N": "77"}})
    found = reputed.deviations(expected)
    reputed.put(HANDS[hand](hour, name))
    assert reputed.table.replace(found) == [key]


def test_neighbours_of_a_mended_minute_are_left_as_they_were(reputed: Subject) -> None:
    key, neighbour = reputed.key(3000), reputed.key(3001)
    expected = {**reputed.told(key), **reputed.told(neighbour)}
    reputed.table.replace(reputed.deviations({key: {}}))
    assert [each.key for each in reputed.deviations(expected)] == [key]


def test_a_mended_count_is_the_rate_of_the_day(reputed: Subject, tables: Tables, alone: str) -> None:
    table = ReputationTable(tables.client, tables.reputation_name, RETENTION)
    key = f"{alone} 23:59"
    expected = reputed.told(key)
    reputed.put({**(reputed.item(reputed.places(key)[1]) or {}), "a59": {"N": "7"}, "a75": {"N": "7"}})
    found = reputed.deviations({**expected, f"{alone} 23:75": {}})
    wrong = table.of_day(alone)
    reputed.table.replace(found)
    assert (wrong, table.of_day(alone)) == ((14, 2), (2, 2))


# When DynamoDB refuses


class Refusing:
    """A client whose every call ends so."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.example")

        return call


CALLS: dict[str, Callable[[Subject, Any], Any]] = {
    "found": lambda subject, _: subject.table.found([subject.key(0)]),
    "key_pages": lambda subject, _: list(subject.table.key_pages()),
    "replace": lambda subject, found: subject.table.replace(found),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_service_that_is_down_is_to_be_waited_for(
    tables: Tables, number: int, name: str, call: Callable[[Subject, Any], Any]
) -> None:
    subject = SUBJECTS[name](tables)
    subject.told(subject.key(number))
    found = subject.deviations({subject.key(number): {}})
    down = SUBJECTS[name](replace(tables, client=Refusing()))
    with pytest.raises(Unavailable):
        call(down, found)
