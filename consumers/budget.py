"""What a template may make: a budget of characters and entries, spent as things come into being, or before.

Everything is weighed as it would be written out, so nothing that exists is larger than the budget, however
often its parts are shared; and nothing that C code is given in one piece takes it long.
"""

import threading
from collections.abc import Iterable
from typing import Any, TypeVar

from jinja2.exceptions import SecurityError

__all__ = ["BUDGET", "TooLarge", "afford", "gathered", "made", "renew", "spend", "weight"]

BUDGET = 5_000_000
ENTRY = 8
"""What a thing costs besides its characters."""
LARGEST_NUMBER = 16_384  # bits; JSON's are smaller
CONTAINERS: tuple[Any, ...] = (list, tuple, dict, type({}.keys()), type({}.values()), type({}.items()))

Made = TypeVar("Made")


class TooLarge(SecurityError):
    """The template would make more than a mail can hold."""


class _Left(threading.local):
    amount = BUDGET


_left = _Left()


def renew(amount: int = BUDGET) -> None:
    """A fresh budget for what this thread makes from now on."""
    _left.amount = amount


def spend(amount: int) -> None:
    """Raises TooLarge once the budget is spent."""
    left = _left.amount - amount
    if left < 0:
        raise TooLarge("it makes more than a mail can hold")
    _left.amount = left


def afford(amount: int) -> None:
    """Spends nothing: for what is made and at once let go of. Raises TooLarge."""
    if amount > _left.amount:
        raise TooLarge("it makes more than a mail can hold")


def made(value: Made) -> Made:
    """The value, once its weight is spent."""
    spend(weight(value))
    return value


def gathered(values: Iterable[Made]) -> list[Made]:
    """What comes one after the other, each spent as it comes."""
    return [made(value) for value in values]


def weight(value: Any) -> int:
    """Characters and entries of a value as it would be written out. Raises TooLarge above the budget."""
    if isinstance(value, str):
        return len(value) + ENTRY
    if isinstance(value, CONTAINERS):
        return _weight_of_parts(value)
    return _weight_of_number(value)


def _weight_of_parts(value: Any) -> int:
    total, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            total += len(part) + ENTRY
        elif isinstance(part, CONTAINERS):
            total += ENTRY * (1 + len(part))
            if total <= BUDGET:
                waiting += part
                waiting += part.values() if isinstance(part, dict) else ()
        else:
            total += _weight_of_number(part)
        if total > BUDGET:
            raise TooLarge("it makes more than a mail can hold")
    return total


def _weight_of_number(value: Any) -> int:
    if isinstance(value, int):
        bits = value.bit_length()
        if bits > LARGEST_NUMBER:
            raise TooLarge(f"it makes a number of more than {LARGEST_NUMBER} bits")
        return bits + ENTRY
    if isinstance(value, float):
        return ENTRY + (25 if abs(value) < 1e16 else 330)  # as formats write it
    return ENTRY
