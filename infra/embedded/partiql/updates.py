"""What SET and REMOVE make of an item's attributes: new attributes, the old ones left as they were.

Values are computed from the old item; then the SETs are put in place, then the REMOVEs, the last list index first.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple

from moto.dynamodb.exceptions import (
    AttributeDoesNotExist,
    IncorrectDataType,
    InvalidUpdateExpressionInvalidDocumentPath,
    MockValidationException,
)
from moto.dynamodb.models.dynamo_type import DynamoType

from infra.embedded.partiql.terms import (
    CONTAINERS,
    SETS,
    Attributes,
    Getter,
    Operand,
    Parameters,
    Path,
    resolve,
)

__all__ = [
    "SIGNS",
    "Action",
    "arithmetic",
    "assigned",
    "in_order",
    "list_append",
    "project",
    "set_operation",
    "updated",
]

_NUMBER = Context(prec=38)
SIGNS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {"+": _NUMBER.add, "-": _NUMBER.subtract}

Members = Mapping[Any, Any]
"""A set's members, by what makes them the same."""


class Action(NamedTuple):
    """Without a value: REMOVE. A value that comes to nothing removes too: a set lost its last member."""

    path: Path
    value: Getter | None


def in_order(action: Action) -> list[tuple[bool, str | int]]:
    return [(isinstance(step, str), step) for step in action.path]


def assigned(operand: Operand) -> Getter:
    """The operand's value, one that no other attribute shares."""

    def get(attributes: Attributes, parameters: Parameters) -> DynamoType:
        value = _required(operand, attributes, parameters)
        return copy.deepcopy(value) if operand.path else value

    return get


def _required(operand: Operand, attributes: Attributes, parameters: Parameters) -> DynamoType:
    value = operand.get(attributes, parameters)
    if value is None:
        raise AttributeDoesNotExist
    return value


def _typed(function: str, kind: str, operands: Sequence[Operand]) -> Callable[..., list[Any]]:
    """The operands' values, all of that type."""

    def get(attributes: Attributes, parameters: Parameters) -> list[Any]:
        values = [_required(operand, attributes, parameters) for operand in operands]
        for value in values:
            if value.type != kind:
                raise MockValidationException(
                    "Incorrect operand type for operator or function; "
                    f"operator or function: {function}, operand type: {value.type}"
                )
        return [value.value for value in values]

    return get


def arithmetic(sign: str, left: Operand, right: Operand) -> Operand:
    numbers, compute = _typed(sign, "N", (left, right)), SIGNS[sign]

    def get(attributes: Attributes, parameters: Parameters) -> DynamoType:
        total = compute(*map(Decimal, numbers(attributes, parameters)))
        return DynamoType({"N": f"{_NUMBER.normalize(total):f}"})

    return Operand(get)


def list_append(head: Operand, tail: Operand) -> Operand:
    lists = _typed("list_append", "L", (head, tail))

    def get(attributes: Attributes, parameters: Parameters) -> DynamoType:
        first, second = lists(attributes, parameters)
        return DynamoType({"L": copy.deepcopy(first + second)})

    return Operand(get)


_SET_OPERATIONS: dict[str, Callable[[Members, Members], Members]] = {
    "SET_ADD": lambda old, given: {**given, **old},
    "SET_DELETE": lambda old, given: {key: old[key] for key in old.keys() - given.keys()},
}


def set_operation(name: str, target: Path, given: Operand) -> Getter:
    change = _SET_OPERATIONS[name]

    def get(attributes: Attributes, parameters: Parameters) -> DynamoType | None:
        members = _required(given, attributes, parameters)
        if members.type not in SETS:
            raise MockValidationException(f"The second argument to {name} must be a value with type SET")
        old = resolve(attributes, target) or DynamoType({members.type: []})
        if old.type != members.type:
            raise IncorrectDataType
        left = change(_members(old), _members(members))
        return DynamoType({members.type: list(left.values())}) if left else None

    return get


def _members(of: DynamoType) -> Members:
    return {Decimal(member) if of.type == "NS" else member: member for member in of.value}


def updated(old: Attributes, actions: Sequence[Action], parameters: Parameters) -> dict[str, DynamoType]:
    """The attributes after the actions, which come in the order of their paths."""
    new = dict(old)
    values = [(path, value and value(old, parameters)) for path, value in actions]
    for path, value in values:
        if value is not None:
            _place(new, path, value)
    for path, value in reversed(values):
        if value is None:
            _drop(new, path)
    return new


def _place(new: dict[str, DynamoType], path: Path, value: DynamoType) -> None:
    if len(path) == 1:
        new[str(path[0])] = value
    else:
        _parent(new, path)[path[-1]] = value


def _drop(new: dict[str, DynamoType], path: Path) -> None:
    if len(path) == 1:
        new.pop(str(path[0]), None)
        return
    parent = _parent(new, path)
    if resolve(new, path) is not None:
        parent.value.pop(path[-1])


def _parent(new: dict[str, DynamoType], path: Path) -> DynamoType:
    """The map or list that holds the path's end, in a copy of the attribute: the old item keeps its own."""
    root = str(path[0])
    if root in new:
        new[root] = copy.deepcopy(new[root])
    parent = resolve(new, path[:-1])
    if parent is None or parent.type != CONTAINERS[type(path[-1])]:
        raise InvalidUpdateExpressionInvalidDocumentPath
    return parent


def project(attributes: Attributes, actions: Sequence[Action]) -> dict[str, DynamoType]:
    """What stands at the actions' paths, inside the maps and lists that lead there; of a list only those members."""
    tree = DynamoType({"M": {}})
    for path, _ in actions:
        value = resolve(attributes, path)
        if value is not None:
            _graft(tree, path, value)
    found: dict[str, DynamoType] = tree.value
    return found


def _graft(tree: DynamoType, path: Path, value: DynamoType) -> None:
    head, rest = path[0], path[1:]
    branch = DynamoType({CONTAINERS[type(rest[0])]: {str: {}, int: []}[type(rest[0])]}) if rest else value
    if tree.type == "L":
        tree.value.append(branch)
    else:
        branch = tree.value.setdefault(head, branch)
    if rest:
        _graft(branch, rest, value)
