"""How rows differ from what the log demands, told by row and field."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from projections.checking import ABSENT, WHOLE, Deviation, Difference, Rows, deviations, differences
from projections.store import Stored
from tests.projections.builders import START

NOW = START
THEN = int((START - timedelta(seconds=1)).timestamp())
LATER = int((START + timedelta(seconds=1)).timestamp())

ROW = {"emailId": "m", "status": "sent", "metadata": {"a": [1, {"b": None}]}, "ttl": LATER, "version": 3}


def of_row(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    return differences("tracking", {"m": expected}, {"m": found}, NOW)


def test_equal_rows_do_not_differ() -> None:
    assert of_row(ROW, dict(ROW)) == []


def test_a_field_with_another_value_is_a_difference() -> None:
    assert of_row(ROW, {**ROW, "status": "opened"}) == [
        Difference("tracking", "m", "status", "sent", "opened")
    ]


def test_a_field_that_is_missing_is_a_difference() -> None:
    found = {name: value for name, value in ROW.items() if name != "status"}
    assert of_row(ROW, found) == [Difference("tracking", "m", "status", "sent", ABSENT)]


def test_a_field_that_should_not_be_there_is_a_difference_also_when_it_says_nothing() -> None:
    assert of_row(ROW, {**ROW, "note": None}) == [Difference("tracking", "m", "note", ABSENT, None)]


def test_every_field_that_differs_is_told() -> None:
    found = {**ROW, "status": "opened", "metadata": {}, "note": 1}
    assert [each.field for each in of_row(ROW, found)] == ["metadata", "note", "status"]


@pytest.mark.parametrize("name", ["version", "ttl", "done"])
def test_what_is_no_statement_about_the_log_is_no_difference(name: str) -> None:
    assert of_row({"x": 1, name: LATER}, {"x": 1, name: LATER + 1}) == []
    assert of_row({"x": 1, name: LATER}, {"x": 1}) == []
    assert of_row({"x": 1}, {"x": 1, name: LATER}) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (0, False),
        ({"a": True}, {"a": 1}),
        ([[False]], [[0]]),
        ([1], [1, 2]),
        ({"a": None}, {}),
        ("1", 1),
        (frozenset([b"1"]), [b"1"]),
    ],
)
def test_values_that_look_alike_differ(one: Any, other: Any) -> None:
    assert of_row({"x": one}, {"x": other})
    assert of_row({"x": other}, {"x": one})


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0, -0.0), ({"a": [100]}, {"a": [1e2]})])
def test_a_number_is_the_same_however_it_is_written(one: Any, other: Any) -> None:
    assert of_row({"x": one}, {"x": other}) == []


def test_a_missing_row_is_one_difference() -> None:
    assert differences("tracking", {"m": ROW}, {}, NOW) == [Difference("tracking", "m", WHOLE, ROW, ABSENT)]


def test_a_row_too_many_is_one_difference() -> None:
    assert differences("tracking", {}, {"m": ROW}, NOW) == [Difference("tracking", "m", WHOLE, ABSENT, ROW)]


def test_rows_of_a_key_are_compared_each_by_its_name() -> None:
    expected, found = {"a": {"x": 1}, "b": {"x": 1}}, {"b": {"x": 2}, "c": {"x": 1}}
    assert [(each.key, each.field) for each in differences("t", expected, found, NOW)] == [
        ("a", WHOLE),
        ("b", "x"),
        ("c", WHOLE),
    ]


# Expired rows


def test_a_row_is_absent_from_the_second_of_its_ttl_on() -> None:
    now = int(NOW.timestamp())
    assert [bool(differences("t", {}, {"m": {"ttl": ttl}}, NOW)) for ttl in (now - 1, now, now + 1)] == [
        False,
        False,
        True,
    ]


def test_a_row_that_the_log_demands_no_more_is_not_missed() -> None:
    assert differences("t", {"m": {"ttl": THEN}}, {}, NOW) == []


def test_a_row_that_has_expired_too_early_is_missed() -> None:
    (found,) = of_row(ROW, {**ROW, "ttl": THEN})
    assert (found.field, found.found) == (WHOLE, ABSENT)


def test_a_row_that_outlives_what_the_log_demands_is_one_too_many() -> None:
    (found,) = of_row({**ROW, "ttl": THEN}, ROW)
    assert (found.field, found.expected) == (WHOLE, ABSENT)


@pytest.mark.parametrize("ttl", ["1", None, [1]])
def test_what_is_no_number_expires_nothing(ttl: Any) -> None:
    assert of_row(ROW, {**ROW, "ttl": ttl}) == []


# In one line


@pytest.mark.parametrize(
    ("difference", "line"),
    [
        (
            Difference("tracking", "m", "status", "sent", "opened"),
            "tracking m: status is 'opened', by the log 'sent'",
        ),
        (
            Difference("tracking", "m", "subject", ABSENT, None),
            "tracking m: subject is None, by the log absent",
        ),
        (Difference("tracking", "m", WHOLE, ROW, ABSENT), "tracking m: the row is missing"),
        (Difference("tracking", "m", WHOLE, ABSENT, ROW), "tracking m: the row is not in the log"),
        (Difference("tracking", "größe", WHOLE, ABSENT, ROW), "tracking größe: the row is not in the log"),
        (
            Difference("tracking", "m\n\x1b[2J", WHOLE, ABSENT, ROW),
            r"tracking 'm\n\x1b[2J': the row is not in the log",
        ),
        (
            Difference("tracking", "m", "subject", "one\ntwo", ABSENT),
            r"tracking m: subject is absent, by the log 'one\ntwo'",
        ),
        (
            Difference(
                "reputation", "d", "accepted", frozenset([b"\x01", b"\x02"]), frozenset([b"\x02", b"\x03"])
            ),
            "reputation d: accepted is 2 entries (1 only here: 03), by the log 2 entries (1 only here: 01)",
        ),
        (
            Difference("reputation", "d", "accepted", frozenset([b"\x01", b"\x02"]), frozenset([b"\x01"])),
            "reputation d: accepted is 1 entries, by the log 2 entries (1 only here: 02)",
        ),
    ],
)
def test_a_difference_is_one_line(difference: Difference, line: str) -> None:
    assert str(difference) == line


def test_of_long_values_the_line_shows_where_they_part() -> None:
    one, other = "x" * 500 + "HERE" + "y" * 500, "x" * 500 + "THERE" + "y" * 500
    line = str(Difference("tracking", "m", "facts", one, other))
    assert len(line) < 200
    assert "xTHEREy" in line
    assert "xHEREy" in line


def test_of_many_entries_the_line_shows_a_few() -> None:
    many = frozenset(bytes([number] * 9) for number in range(200))
    assert len(str(Difference("reputation", "d", "accepted", many, ABSENT))) < 200


# A table's deviations


@dataclass
class Given:
    """A table that holds these rows."""

    rows: Mapping[str, Rows]
    name: str = "given"

    def expected(self, states: Iterable[Any]) -> Mapping[str, Rows]:
        raise NotImplementedError

    def found(self, keys: Collection[str]) -> Mapping[str, Stored[Rows]]:
        return {key: Stored(self.rows.get(key, {}), f"token of {key}") for key in keys}

    def key_pages(self) -> Iterator[Collection[str]]:
        raise NotImplementedError

    def replace(self, deviations: Iterable[Deviation]) -> Collection[str]:
        raise NotImplementedError


def test_keys_that_agree_deviate_not() -> None:
    table = Given({"a": {"a": {"x": 1}}, "b": {"b": {"x": 1}}})
    found = deviations(table, {"a": {"a": {"x": 1}}, "b": {"b": {"x": 2}}, "c": {}}, NOW)
    assert [each.key for each in found] == ["b"]


def test_a_deviation_bears_what_a_repair_needs() -> None:
    (found,) = deviations(Given({"a": {"a": {"x": 1}}}), {"a": {"a": {"x": 2}}}, NOW)
    assert found == (
        "a",
        {"a": {"x": 2}},
        Stored({"a": {"x": 1}}, "token of a"),
        [Difference("given", "a", "x", 2, 1)],
    )


def test_a_key_of_which_the_log_knows_nothing_deviates_by_all_its_rows() -> None:
    (found,) = deviations(Given({"a": {"a": {}, "b": {}}}), {"a": {}}, NOW)
    assert [each.key for each in found.differences] == ["a", "b"]


def test_a_repair_writes_no_row_that_has_expired() -> None:
    """DynamoDB would take it away again, some day."""
    (found,) = deviations(Given({"a": {"a": {"x": 1}}}), {"a": {"a": {"x": 1, "ttl": THEN}}}, NOW)
    assert found.expected == {}
