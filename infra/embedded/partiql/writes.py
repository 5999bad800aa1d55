"""INSERT, UPDATE and DELETE on moto's tables.

An UPDATE puts a new item in the old one's place, so a statement happens whole or not at all, and who holds the
old item (a stream record, a response on its way) keeps it as it was.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    ConditionalCheckFailed,
    DynamodbException,
    MockValidationException,
    UpdateHashRangeKeyException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table

from infra.embedded.partiql.grammar import Statement
from infra.embedded.partiql.rules import Key, key_given, key_of, require_index_keys, require_size
from infra.embedded.partiql.terms import Condition, Operand, Parameters, Test
from infra.embedded.partiql.updates import project, updated
from infra.embedded.partiql.values import checked

__all__ = ["ConditionFailed", "DuplicateItem", "Row", "Write", "perform", "prepare"]

Row = dict[str, DynamoType]


class DuplicateItem(DynamodbException):
    def __init__(self) -> None:
        super().__init__(
            f"{ERROR_TYPE_PREFIX}DuplicateItemException", "Duplicate primary key exists in table"
        )


class ConditionFailed(ConditionalCheckFailed):
    """Carries the item as it is, if the statement asked for it and there is one."""

    def __init__(self, item: Row | None = None) -> None:
        super().__init__(item=item)
        self.item = item


class Plan(NamedTuple):
    """A statement on a table with such a key: what gives each key attribute, and what is left to check."""

    key: tuple[tuple[Operand, ...], ...]
    tests: tuple[Test, ...]


class Write(NamedTuple):
    """One statement with its parameters, bound to the one item it is about."""

    statement: Statement
    parameters: Parameters
    table: Table
    key: Key
    tests: tuple[Test, ...]
    item: Row
    returns_old: bool


def prepare(
    backend: DynamoDBBackend, statement: Statement, parameters: Parameters, *, returns_old: bool = False
) -> Write:
    """The write to perform.

    Raises:
        MockValidationException: a parameter is invalid, or there are too few or too many; the statement doesn't
            name one item by its whole key, or would change the key.
        ResourceNotFoundException: there is no such table.
    """
    for value in parameters:
        checked(value)
    if len(parameters) != statement.parameters:
        raise MockValidationException("Number of parameters in request and statement don't match.")
    table = backend.get_table(statement.table)
    if statement.verb == "INSERT":
        item = {name: _given(operand, parameters) for name, operand in statement.item}
        return Write(statement, parameters, table, key_of(table, item), (), item, returns_old)
    key_names = tuple(table.table_key_attrs)
    plan = _plan(statement, key_names)
    values = [_one(name, operands, parameters) for name, operands in zip(key_names, plan.key, strict=True)]
    return Write(statement, parameters, table, key_given(table, values), plan.tests, {}, returns_old)


@lru_cache(maxsize=2048)
def _plan(statement: Statement, key_names: tuple[str, ...]) -> Plan:
    conjuncts = list(_conjuncts(statement.where))
    key = [[part.pins[1] for part in conjuncts if part.pins and part.pins[0] == name] for name in key_names]
    if not all(key):
        raise MockValidationException(
            "Where clause does not contain a mandatory equality on all key attributes"
        )
    for path, _ in statement.actions:
        if path[0] in key_names:
            raise UpdateHashRangeKeyException(str(path[0]))
    rest = [part.test for part in conjuncts if not part.pins or part.pins[0] not in key_names]
    return Plan(tuple(map(tuple, key)), tuple(rest))


def _conjuncts(condition: Condition | None) -> Iterator[Condition]:
    if condition and condition.parts:
        for part in condition.parts:
            yield from _conjuncts(part)
    elif condition:
        yield condition


def _given(operand: Operand, parameters: Parameters) -> DynamoType:
    value = operand.get({}, parameters)
    assert value is not None, "a parameter or a literal always gives a value"
    return value


def _one(name: str, operands: tuple[Operand, ...], parameters: Parameters) -> DynamoType:
    value, *others = [_given(operand, parameters) for operand in operands]
    if any(other != value for other in others):
        raise MockValidationException(
            f"Multiple conditions on same key {name}. Only single item Update/Insert/Delete are supported"
        )
    return value


def perform(write: Write) -> list[Row]:
    """The rows that RETURNING asks for: one or none. The caller sees to it that no other write comes between.

    Raises:
        ConditionFailed: an UPDATE's item is missing, or a condition doesn't hold.
        DuplicateItem: an INSERT's item is there already.
        MockValidationException: the new item isn't one that the table takes.
    """
    old = write.table.get_item(*write.key)
    new = _PERFORM[write.statement.verb](write, old)
    if write.statement.returning is None:
        return []
    extent, side = write.statement.returning
    row = new if side == "NEW" else dict(old.attrs) if old else {}
    row = row if extent == "ALL" else project(row, write.statement.actions)
    return [row] if row else []


def _insert(write: Write, old: Item | None) -> Row:
    if old is not None:
        raise DuplicateItem
    return _store(write, old, write.item, list(write.item))


def _update(write: Write, old: Item | None) -> Row:
    if old is None:
        raise ConditionFailed
    _require_conditions(write, old)
    new = updated(old.attrs, write.statement.actions, write.parameters)
    return _store(write, old, new, [str(path[0]) for path, _ in write.statement.actions])


def _delete(write: Write, old: Item | None) -> Row:
    """An item that isn't there counts as deleted, whatever the conditions."""
    if old is not None:
        _require_conditions(write, old)
        write.table.delete_item(*write.key)
    return {}


_PERFORM: dict[str, Callable[[Write, Item | None], Row]] = {
    "INSERT": _insert,
    "UPDATE": _update,
    "DELETE": _delete,
}


def _require_conditions(write: Write, old: Item) -> None:
    for test in write.tests:
        if not test(old.attrs, write.parameters):
            raise ConditionFailed(dict(old.attrs) if write.returns_old else None)


def _store(write: Write, old: Item | None, new: Row, touched: list[str]) -> Row:
    table, (hash_key, range_key) = write.table, write.key
    require_index_keys(table, new, touched, update=old is not None)
    require_size(new, update=old is not None)
    item = Item(hash_key, range_key, {})
    item.attrs = LimitedSizeDict(new)  # whole: entry by entry it would measure every entry each time
    place: dict[DynamoType, Any] = table.items if range_key is None else table.items[hash_key]
    place[range_key or hash_key] = item
    if table.stream_shard is not None:
        table.stream_shard.add(old, item)
    return new
