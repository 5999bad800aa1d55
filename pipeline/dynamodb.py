"""DynamoDB's wire form, and the two calls that carry many items.

Attributes: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
Statements: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.aws import service_errors, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "CONDITION_FAILED",
    "DUPLICATE",
    "Statement",
    "execute",
    "insert",
    "marshal",
    "read_items",
    "unmarshal",
    "unmarshal_item",
    "update",
]

KEYS_A_READ = 100
STATEMENTS_A_CALL = 25
CONDITION_FAILED = "ConditionalCheckFailed"
DUPLICATE = "DuplicateItem"

Item = Mapping[str, Any]
Raw = dict[str, Any]

LEVELS = 30  # of 32, for the item around them
EXPONENTS = range(-130, 126)
_DIGITS = Context(prec=38, traps=[])


def marshal(value: Any, levels: int = LEVELS) -> Raw:
    """A JSON value as an attribute; a number or nesting that DynamoDB can't hold exactly is kept as text."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal():
            return _number(value)
        case None:
            return {"NULL": True}
        case _:
            return _nested(value, levels)


def _nested(value: Any, levels: int) -> Raw:
    if not levels:
        return {"S": json.dumps(value, separators=(",", ":"))}
    if isinstance(value, Mapping):
        return {"M": {str(key): marshal(each, levels - 1) for key, each in value.items()}}
    return {"L": [marshal(each, levels - 1) for each in value]}


def _number(value: float | Decimal) -> Raw:
    exact = Decimal(str(value))
    fits = exact.is_finite() and (not exact or exact.adjusted() in EXPONENTS)
    return {"N": str(exact)} if fits and _DIGITS.create_decimal(exact) == exact else {"S": str(value)}


def unmarshal(raw: Item) -> Any:
    ((kind, value),) = raw.items()
    match kind:
        case "N":
            return float(value) if {".", "E", "e"} & set(value) else int(value)
        case "NULL":
            return None
        case "M":
            return {key: unmarshal(each) for key, each in value.items()}
        case "L":
            return [unmarshal(each) for each in value]
        case _:
            return value


def unmarshal_item(raw: Item) -> dict[str, Any]:
    return {name: unmarshal(value) for name, value in raw.items()}


def read_items(
    client: "DynamoDBClient",
    table: str,
    key: str,
    values: Collection[str],
    attributes: Collection[str] | None = None,
) -> Iterator[Item]:
    """The items that exist under these keys, read consistently, in no order; whole, or the key and `attributes`."""
    wanted: Any = {"ConsistentRead": True}
    if attributes is not None:
        names = {f"#{number}": name for number, name in enumerate([key, *attributes])}
        wanted |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    for chunk in _chunks(sorted(set(values)), KEYS_A_READ):
        asked: Any = {table: {"Keys": [{key: {"S": value}} for value in chunk], **wanted}}
        while asked:
            with service_errors("DynamoDB"):
                answer = client.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(table, ())
            asked = answer.get("UnprocessedKeys")
            if asked:
                time.sleep(0.05)


class Statement(NamedTuple):
    """One conditional write in PartiQL."""

    text: str
    parameters: list[Raw]


def insert(table: str, item: Item) -> Statement:
    """Fails with DUPLICATE where the key exists."""
    names = ", ".join(f"'{name}': ?" for name in item)
    return Statement(f'INSERT INTO "{table}" VALUE {{{names}}}', list(item.values()))


def update(table: str, key: Item, change: Item, remove: Collection[str], condition: Item) -> Statement:
    """Fails with CONDITION_FAILED where an attribute of `condition` has another value or is missing."""
    sets = " ".join(f'SET "{name}" = ?' for name in change)
    removes = " ".join(f'REMOVE "{name}"' for name in remove)
    where = " AND ".join(f'"{name}" = ?' for name in [*key, *condition])
    text = " ".join(part for part in (f'UPDATE "{table}"', sets, removes, f"WHERE {where}") if part)
    return Statement(text, [*change.values(), *key.values(), *condition.values()])


def execute(client: "DynamoDBClient", statements: Sequence[Statement]) -> list[str | None]:
    """Carry out each statement on its own; returns None or CONDITION_FAILED or DUPLICATE for each.

    Raises:
        Unavailable: at least one failed for another reason; what became of the others is not known.
    """
    outcomes: list[str | None] = []
    for chunk in _chunks(statements, STATEMENTS_A_CALL):
        asked: Any = [{"Statement": text, "Parameters": parameters} for text, parameters in chunk]
        with service_errors("DynamoDB"):
            answer = client.batch_execute_statement(Statements=asked)
        outcomes.extend(_outcome(each) for each in answer["Responses"])
    return outcomes


def _outcome(response: Any) -> str | None:
    error = response.get("Error")
    if error is None:
        return None
    if error["Code"] in (CONDITION_FAILED, DUPLICATE):
        return str(error["Code"])
    raise translated("DynamoDB", error["Code"], error.get("Message", ""))


def _chunks(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
