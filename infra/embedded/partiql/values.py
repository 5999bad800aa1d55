"""DynamoDB's rules for a value, whether it came as a parameter or as a literal."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from moto.dynamodb.exceptions import MockValidationException

__all__ = ["Wire", "checked", "invalid"]

Wire = dict[str, Any]
"""A value as the API carries it: `{"S": "x"}`."""

_DIGITS = 38
_MAGNITUDES = range(-130, 126)


def invalid(what: str) -> MockValidationException:
    return MockValidationException(f"One or more parameter values were invalid: {what}")


def checked(value: Wire) -> Wire:
    """The value itself.

    Raises:
        MockValidationException: a number that isn't one, or is too large, too small or too long; an empty or
            repeating set; a false NULL.
    """
    ((kind, content),) = value.items()
    if kind in _CHECKS:
        _CHECKS[kind](content)
    return value


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or text != text.strip():
        raise MockValidationException(f"The parameter cannot be converted to a numeric value: {text}")
    if number and number.adjusted() not in _MAGNITUDES:
        flow, size = ("overflow", "larger") if number.adjusted() > 0 else ("underflow", "smaller")
        raise MockValidationException(
            f"Number {flow}. Attempting to store a number with magnitude {size} than supported range"
        )
    if len(text) > _DIGITS and len("".join(map(str, number.as_tuple().digits)).strip("0")) > _DIGITS:
        raise MockValidationException("Attempting to store more than 38 significant digits in a Number")
    return number


def _distinct(kind: str, read: Callable[[Any], object]) -> Callable[[list[Any]], None]:
    def check(members: list[Any]) -> None:
        if not members:
            raise invalid(f"An {kind} set  may not be empty")
        if len({read(member) for member in members}) < len(members):
            raise invalid(f"Input collection [{', '.join(map(str, members))}] contains duplicates.")

    return check


def _true(content: bool) -> None:
    if content is not True:
        raise invalid("Null attribute value types must have the value of true")


def _each(members: list[Wire]) -> None:
    for member in members:
        checked(member)


_CHECKS: dict[str, Callable[[Any], object]] = {
    "N": _number,
    "SS": _distinct("string", str),
    "NS": _distinct("number", _number),
    "BS": _distinct("binary", bytes),
    "NULL": _true,
    "L": _each,
    "M": lambda members: _each(list(members.values())),
}
