"""What a table takes: keys of their types, not empty, not too long, for its indexes too; items of 400 KB."""

from collections.abc import Iterable, Sequence

from moto.dynamodb.exceptions import (
    EmptyKeyAttributeException,
    HashKeyTooLong,
    InvalidAttributeTypeError,
    ItemSizeTooLarge,
    ItemSizeToUpdateTooLarge,
    KeyIsEmptyStringException,
    MockValidationException,
    ProvidedKeyDoesNotExist,
    RangeKeyTooLong,
)
from moto.dynamodb.limits import HASH_KEY_MAX_LENGTH, RANGE_KEY_MAX_LENGTH
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from infra.embedded.partiql.terms import Attributes
from infra.embedded.partiql.values import invalid

__all__ = ["Key", "key_given", "key_of", "require_index_keys", "require_size"]

Key = tuple[DynamoType, DynamoType | None]

_ITEM_LIMIT = 400 * 1024
_KEY_LIMITS = ((HASH_KEY_MAX_LENGTH, HashKeyTooLong), (RANGE_KEY_MAX_LENGTH, RangeKeyTooLong))


def key_of(table: Table, item: Attributes) -> Key:
    """The key that a new item has."""
    for name, expected in zip(table.table_key_attrs, _key_types(table), strict=True):
        if name not in item:
            raise invalid(f"Missing the key {name} in the item")
        if item[name].type != expected:
            raise InvalidAttributeTypeError(name, expected, item[name].type)
    return _sized(table, [item[name] for name in table.table_key_attrs])


def key_given(table: Table, values: Sequence[DynamoType]) -> Key:
    """The key that a statement names."""
    if [value.type for value in values] != _key_types(table):
        raise ProvidedKeyDoesNotExist
    return _sized(table, values)


def _key_types(table: Table) -> list[str]:
    return [kind for kind in (table.hash_key_type, table.range_key_type) if kind]


def _sized(table: Table, key: Sequence[DynamoType]) -> Key:
    for name, value, (limit, too_long) in zip(table.table_key_attrs, key, _KEY_LIMITS, strict=False):
        if not value.value:
            raise KeyIsEmptyStringException(name)
        if value.size() > limit:
            raise too_long
    return key[0], key[1] if len(key) > 1 else None


def require_index_keys(table: Table, item: Attributes, touched: Iterable[str], *, update: bool) -> None:
    """Only what the statement touches: an index may be younger than an attribute that doesn't fit it."""
    expected = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
    for name in touched:
        value = item.get(name) if name in expected else None
        if value is None or (value.type == expected[name] and value.value):
            continue
        raise _unfit_index_key(table, name, expected[name], value, update=update)


def _unfit_index_key(
    table: Table, name: str, expected: str, value: DynamoType, *, update: bool
) -> MockValidationException:
    index = min(index.name for index in table.all_indexes() if name in index.schema_key_attrs)
    if value.type != expected:
        return invalid(
            f"Type mismatch for Index Key {name} Expected: {expected} Actual: {value.type} IndexName: {index}"
        )
    if update:
        return EmptyKeyAttributeException(key_in_index=True)
    return MockValidationException(
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        "The AttributeValue for a key attribute cannot contain an empty string value. "
        f"IndexName: {index}, IndexKey: {name}"
    )


def require_size(item: Attributes, *, update: bool) -> None:
    size = sum(len(name.encode()) + _size(value) for name, value in item.items())
    if size > _ITEM_LIMIT:
        raise ItemSizeToUpdateTooLarge if update else ItemSizeTooLarge


def _size(value: DynamoType) -> int:
    text = value.value
    return len(text) if isinstance(text, str) and text.isascii() else value.size()
