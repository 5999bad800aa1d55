"""What a PartiQL expression means on one item: operands give a value (or none), conditions hold or don't.

A statement is compiled to these closures once and run for each call with its parameters. Semantics are those of
DynamoDB's condition expressions: a missing attribute equals nothing and is not in order with anything, nor are
values of different types.
"""

import copy
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from moto.dynamodb.models.dynamo_type import DynamoType

__all__ = [
    "COMPARISONS",
    "CONTAINERS",
    "PREDICATES",
    "SETS",
    "TYPES",
    "Attributes",
    "Condition",
    "Getter",
    "Operand",
    "Parameters",
    "Path",
    "all_of",
    "any_of",
    "attribute",
    "between",
    "compared",
    "contained",
    "is_type",
    "literal",
    "negated",
    "parameter",
    "predicate",
    "resolve",
    "size",
]

Path = tuple[str | int, ...]
Attributes = Mapping[str, DynamoType]
Parameters = Sequence[dict[str, Any]]
Getter = Callable[[Attributes, Parameters], DynamoType | None]
Test = Callable[[Attributes, Parameters], bool]
Comparison = Callable[[DynamoType | None, DynamoType | None], bool]

CONTAINERS: dict[type, str] = {str: "M", int: "L"}
_SCALARS = frozenset({"S", "N", "B", "BOOL", "NULL"})
_ORDERED = frozenset({"S", "N", "B"})
SETS = frozenset({"SS", "NS", "BS"})
_COUNTED = frozenset({"S", "B", "L", "M"}) | SETS


class Operand(NamedTuple):
    get: Getter
    path: Path | None = None
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    test: Test
    parts: tuple["Condition", ...] = ()
    pins: tuple[str, Operand] | None = None
    """The attribute that must equal a value which doesn't depend on the item: a candidate for the key."""


def resolve(attributes: Attributes, path: Path) -> DynamoType | None:
    node = attributes.get(str(path[0]))
    for step in path[1:]:
        node = _child(node, step)
    return node


def _child(node: DynamoType | None, step: str | int) -> DynamoType | None:
    if node is None or node.type != CONTAINERS[type(step)]:
        return None
    try:
        child: DynamoType = node.value[step]
    except (KeyError, IndexError):
        return None
    return child


def parameter(index: int) -> Operand:
    return Operand(lambda _, parameters: DynamoType(parameters[index]), constant=True)


def literal(wire: dict[str, Any]) -> Operand:
    value = DynamoType(wire)
    if value.type in _SCALARS:
        return Operand(lambda *_: value, constant=True)
    # A new one each time: moto's UpdateItem changes an item's lists and sets in place.
    return Operand(lambda *_: copy.deepcopy(value), constant=True)


def attribute(path: Path) -> Operand:
    if len(path) > 1:
        return Operand(lambda attributes, _: resolve(attributes, path), path)
    name = str(path[0])
    return Operand(lambda attributes, _: attributes.get(name), path)


def size(of: Operand) -> Operand:
    def get(attributes: Attributes, parameters: Parameters) -> DynamoType | None:
        value = of.get(attributes, parameters)
        if value is None or value.type not in _COUNTED:
            return None
        return DynamoType({"N": str(len(value.value))})

    return Operand(get)


def _equal(left: DynamoType | None, right: DynamoType | None) -> bool:
    return left is not None and right is not None and left == right


def _ordering(holds: Callable[[Any, Any], bool]) -> Comparison:
    def test(left: DynamoType | None, right: DynamoType | None) -> bool:
        if left is None or right is None or left.type != right.type or left.type not in _ORDERED:
            return False
        return holds(left.cast_value, right.cast_value)

    return test


def _contains(whole: DynamoType, part: DynamoType) -> bool:
    if whole.type == "L":
        return part in whole.value
    if whole.type in SETS:
        return whole.type[0] == part.type and part.cast_value in whole.cast_value
    return whole.type in {"S", "B"} and whole.type == part.type and part.value in whole.value


def _begins_with(whole: DynamoType, part: DynamoType) -> bool:
    return whole.type in {"S", "B"} and whole.type == part.type and whole.value.startswith(part.value)


COMPARISONS: dict[str, Comparison] = {
    "=": _equal,
    "<>": lambda left, right: not _equal(left, right),
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
}
PREDICATES: dict[str, Callable[[DynamoType, DynamoType], bool]] = {
    "BEGINS_WITH": _begins_with,
    "CONTAINS": _contains,
    "ATTRIBUTE_TYPE": lambda whole, name: whole.type == name.value,
}

TYPES: dict[str, frozenset[str | None]] = {
    "MISSING": frozenset({None}),
    "NULL": frozenset({"NULL"}),
    "BOOLEAN": frozenset({"BOOL"}),
    "BLOB": frozenset({"B"}),
    "STRING": frozenset({"S"}),
    "NUMERIC": frozenset({"N"}),
    "STRUCT": frozenset({"M"}),
    "TUPLE": frozenset({"M"}),
    "LIST": frozenset({"L"}),
}
"""What IS asks of a value's type; none is a missing one's."""


def compared(sign: str, left: Operand, right: Operand) -> Condition:
    holds, of_left, of_right = COMPARISONS[sign], left.get, right.get
    pins = _pins(left, right) or _pins(right, left) if sign == "=" else None
    return Condition(
        lambda attributes, values: holds(of_left(attributes, values), of_right(attributes, values)), pins=pins
    )


def _pins(name: Operand, value: Operand) -> tuple[str, Operand] | None:
    return (str(name.path[0]), value) if value.constant and name.path and len(name.path) == 1 else None


def predicate(name: str, whole: Operand, part: Operand) -> Condition:
    holds = PREDICATES[name]

    def test(attributes: Attributes, values: Parameters) -> bool:
        left, right = whole.get(attributes, values), part.get(attributes, values)
        return left is not None and right is not None and holds(left, right)

    return Condition(test)


def between(of: Operand, low: Operand, high: Operand) -> Condition:
    return all_of([compared(">=", of, low), compared("<=", of, high)])


def contained(of: Operand, members: Sequence[Operand]) -> Condition:
    return any_of([compared("=", of, member) for member in members])


def is_type(of: Operand, name: str) -> Condition:
    types = TYPES[name]

    def test(attributes: Attributes, values: Parameters) -> bool:
        value = of.get(attributes, values)
        return (None if value is None else value.type) in types

    return Condition(test)


def all_of(parts: Sequence[Condition]) -> Condition:
    tests = [part.test for part in parts]
    return Condition(lambda *item: all(test(*item) for test in tests), parts=tuple(parts))


def any_of(parts: Sequence[Condition]) -> Condition:
    tests = [part.test for part in parts]
    return Condition(lambda *item: any(test(*item) for test in tests))


def negated(part: Condition) -> Condition:
    test = part.test
    return Condition(lambda *item: not test(*item))
