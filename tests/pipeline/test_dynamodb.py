"""The wire form of values, and calls that carry many of them: on a scripted client and in the embedded AWS."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded import EmbeddedAws
from pipeline.dynamodb import (
    CONDITION_FAILED,
    DUPLICATE,
    LEVELS,
    Statement,
    execute,
    insert,
    marshal,
    read_items,
    unmarshal,
    update,
)
from pipeline.errors import Misconfigured, Unavailable
from tests.pipeline.laws import json_values, law

TABLE = "mails"

# ── Values ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("a", {"S": "a"}),
        ("", {"S": ""}),
        (True, {"BOOL": True}),
        (False, {"BOOL": False}),
        (0, {"N": "0"}),
        (42, {"N": "42"}),
        (-1.5, {"N": "-1.5"}),
        (None, {"NULL": True}),
        ([], {"L": []}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ((1,), {"L": [{"N": "1"}]}),
        ({}, {"M": {}}),
        ({"a": {"b": None}}, {"M": {"a": {"M": {"b": {"NULL": True}}}}}),
    ],
)
def test_a_json_value_has_one_wire_form(value: object, raw: dict[str, Any]) -> None:
    assert marshal(value) == raw


def fits(number: float) -> bool:
    """Whether DynamoDB's 38 digits and its exponents hold the number."""
    exact = Decimal(str(number))
    digits = "".join(map(str, exact.as_tuple().digits)).strip("0")
    return not exact or (len(digits) <= 38 and -130 <= exact.adjusted() <= 125)


def as_held(value: Any) -> Any:
    """The value as DynamoDB can hold it."""
    if isinstance(value, dict):
        return {key: as_held(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_held(each) for each in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and not fits(value):
        return str(value)
    return value


@law
@given(json_values | st.integers(-(10**42), 10**42))
def test_a_json_value_comes_back_from_its_wire_form(value: Any) -> None:
    assert unmarshal(marshal(value)) == as_held(value)


@law
@given(st.integers(-(10**37), 10**37))
def test_an_integer_comes_back_whole(number: int) -> None:
    found = unmarshal(marshal(number))
    assert (found, type(found)) == (number, int)


@law
@given(st.floats(min_value=1e-129, max_value=1e125) | st.floats(min_value=-1e125, max_value=-1e-129))
def test_a_fraction_comes_back_exactly(number: float) -> None:
    assert unmarshal(marshal(number)) == number


@pytest.mark.parametrize("number", [10**38 - 1, 10**50, -(10**125), 9.9e125, 1e-130, Decimal("1.50"), 0.0])
def test_a_number_that_fits_is_a_number(number: float | Decimal) -> None:
    (raw,) = marshal(number).items()
    assert raw[0] == "N"
    assert Decimal(raw[1]) == Decimal(str(number))


@pytest.mark.parametrize(
    "number",
    [
        10**38 + 1,
        10**126,
        1e126,
        1e200,
        -1e308,
        1e-131,
        1e-140,
        5e-324,
        float("nan"),
        float("inf"),
        -float("inf"),
    ],
)
def test_a_number_that_does_not_fit_is_kept_as_text(number: float) -> None:
    assert marshal(number) == {"S": str(number)}


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


def test_nesting_that_fits_is_kept_as_it_is() -> None:
    assert unmarshal(marshal(nested(LEVELS))) == nested(LEVELS)


def test_nesting_that_is_too_deep_ends_in_text() -> None:
    found = unmarshal(marshal(nested(LEVELS + 2)))
    for _ in range(LEVELS):
        found = found["a"]
    assert found == '{"a":{"a":"x"}}'


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"N": "1E+2"}, 100.0),
        ({"N": "1.0"}, 1.0),
        ({"N": "-7"}, -7),
        ({"SS": ["a"]}, ["a"]),
        ({"B": b"x"}, b"x"),
    ],
)
def test_forms_that_only_dynamodb_writes_are_read(raw: dict[str, Any], value: object) -> None:
    assert unmarshal(raw) == value


# ── Statements ────────────────────────────────────────────────────────────────────────────────────────────


class Scripted:
    """A client that answers each statement by its text, or every call with an error."""

    def __init__(self, codes: Mapping[str, str] | None = None, error: Exception | None = None) -> None:
        self._codes, self._error = codes or {}, error
        self.calls: list[list[str]] = []

    def batch_execute_statement(self, *, Statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803  as boto3 calls it
        self.calls.append([each["Statement"] for each in Statements])
        if self._error:
            raise self._error
        return {"Responses": [self._response(text) for text in self.calls[-1]]}

    def _response(self, text: str) -> dict[str, Any]:
        code = self._codes.get(text)
        return {"Error": {"Code": code, "Message": "said so"}} if code else {"TableName": TABLE}


def statements(count: int) -> list[Statement]:
    return [Statement(str(number), []) for number in range(count)]


def carry_out(client: Any, count: int) -> list[str | None]:
    return execute(client, statements(count))


@pytest.mark.parametrize(
    ("count", "calls"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (60, [25, 25, 10])]
)
def test_a_call_carries_at_most_25_statements(count: int, calls: list[int]) -> None:
    client = Scripted()
    assert carry_out(client, count) == [None] * count
    assert [len(call) for call in client.calls] == calls


def test_each_statement_has_its_own_outcome_in_its_place() -> None:
    client = Scripted({"1": CONDITION_FAILED, "26": DUPLICATE})
    outcomes = carry_out(client, 28)
    assert {n: outcome for n, outcome in enumerate(outcomes) if outcome} == {
        1: CONDITION_FAILED,
        26: DUPLICATE,
    }


@pytest.mark.parametrize(
    "code", ["ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError", "TransactionConflict"]
)
def test_a_statement_that_was_not_carried_out_is_unavailable(code: str) -> None:
    with pytest.raises(Unavailable, match=f"DynamoDB: {code}: said so"):
        carry_out(Scripted({"3": code}), 5)


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFound"])
def test_a_statement_that_may_not_be_carried_out_is_misconfigured(code: str) -> None:
    with pytest.raises(Misconfigured):
        carry_out(Scripted({"3": code}), 5)


def test_a_call_that_fails_whole_is_translated() -> None:
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "BatchExecuteStatement")
    with pytest.raises(Unavailable):
        carry_out(Scripted(error=error), 1)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────


class Reading:
    """A client that has every key, and answers at most `portion` of those it is asked for."""

    def __init__(self, portion: int) -> None:
        self._portion = portion
        self.calls: list[int] = []

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803  as boto3 calls it
        asked = RequestItems[TABLE]
        assert asked["ConsistentRead"]
        self.calls.append(len(asked["Keys"]))
        left = asked["Keys"][self._portion :]
        unprocessed = {TABLE: {**asked, "Keys": left}} if left else {}
        return {"Responses": {TABLE: asked["Keys"][: self._portion]}, "UnprocessedKeys": unprocessed}


def found(client: Any, keys: Sequence[str]) -> list[str]:
    return sorted(item["id"]["S"] for item in read_items(client, TABLE, "id", keys))


def test_a_call_asks_for_at_most_100_keys() -> None:
    client = Reading(100)
    keys = [f"{number:03d}" for number in range(250)]
    assert found(client, keys) == keys
    assert client.calls == [100, 100, 50]


def test_keys_that_were_not_processed_are_asked_for_again() -> None:
    client = Reading(2)
    assert found(client, ["a", "b", "c"]) == ["a", "b", "c"]
    assert client.calls == [3, 1]


def test_a_key_is_asked_for_once() -> None:
    client = Reading(100)
    assert found(client, ["a", "a", "b"]) == ["a", "b"]
    assert client.calls == [2]


def test_no_keys_ask_nothing() -> None:
    client = Reading(100)
    assert found(client, []) == []
    assert client.calls == []


# ── In the embedded AWS ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def table() -> Iterator[Any]:
    with EmbeddedAws() as aws:
        client = aws.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        yield client


def item(key: str = "a", **values: Any) -> dict[str, Any]:
    return {name: marshal(value) for name, value in ({"id": key} | values).items()}


def rows(client: Any, *keys: str) -> list[dict[str, Any]]:
    raw = read_items(client, TABLE, "id", keys)
    return [{name: unmarshal(value) for name, value in each.items()} for each in raw]


def test_an_insert_puts_what_is_not_there(table: Any) -> None:
    assert execute(table, [insert(TABLE, item(n=1, nested={"a": [None, True]}))]) == [None]
    assert rows(table, "a", "missing") == [{"id": "a", "n": 1, "nested": {"a": [None, True]}}]


def test_an_insert_of_what_is_there_is_a_duplicate_and_changes_nothing(table: Any) -> None:
    execute(table, [insert(TABLE, item(n=1))])
    assert execute(table, [insert(TABLE, item(n=2))]) == [DUPLICATE]
    assert rows(table, "a") == [{"id": "a", "n": 1}]


KEY = {"id": {"S": "a"}}


def test_an_update_changes_and_removes_where_its_condition_holds(table: Any) -> None:
    execute(table, [insert(TABLE, item(version=1, old=True, kept="x"))])
    change = update(TABLE, KEY, {"version": {"N": "2"}, "new": {"S": "y"}}, ["old"], {"version": {"N": "1"}})
    assert execute(table, [change]) == [None]
    assert rows(table, "a") == [{"id": "a", "version": 2, "new": "y", "kept": "x"}]


@pytest.mark.parametrize("condition", [{"version": {"N": "7"}}, {"missing": {"N": "1"}}])
def test_an_update_whose_condition_fails_changes_nothing(table: Any, condition: dict[str, Any]) -> None:
    execute(table, [insert(TABLE, item(version=1))])
    assert execute(table, [update(TABLE, KEY, {"version": {"N": "2"}}, (), condition)]) == [CONDITION_FAILED]
    assert rows(table, "a") == [{"id": "a", "version": 1}]


def test_an_update_of_what_is_not_there_fails_and_makes_nothing(table: Any) -> None:
    change = update(TABLE, KEY, {"version": {"N": "2"}}, (), {"version": {"N": "1"}})
    assert execute(table, [change]) == [CONDITION_FAILED]
    assert rows(table, "a") == []


def test_one_statements_failure_is_not_anothers(table: Any) -> None:
    execute(table, [insert(TABLE, item("b"))])
    assert execute(table, [insert(TABLE, item(key)) for key in ("a", "b", "c")]) == [None, DUPLICATE, None]
    assert len(rows(table, "a", "b", "c")) == 3


@pytest.mark.parametrize("number", [10**38 - 1, -1.5, 1e125, 1e-130, 0.1])
def test_the_table_holds_a_number_exactly(table: Any, number: float) -> None:
    execute(table, [insert(TABLE, item(n=number))])
    assert rows(table, "a")[0]["n"] == number
