"""What a template may make: a budget of characters and entries, spent before or as things come into being.

Everything that is made is weighed as it would be written out, so nothing that exists can be larger than the
budget, however often its parts are shared.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jinja2.exceptions import SecurityError

__all__ = ["TooLarge", "budgeted", "spend", "spent_on", "weight"]

BUDGET = 5_000_000
_CONTAINERS = (dict, list, tuple)


class TooLarge(SecurityError):
    """The template would make more than a mail can hold."""


class _Left(threading.local):
    amount = BUDGET


_left = _Left()


@contextmanager
def budgeted() -> Iterator[None]:
    """One mail's budget, for what this thread makes inside."""
    _left.amount = BUDGET
    try:
        yield
    finally:
        _left.amount = BUDGET


def spend(amount: int) -> None:
    """Raises TooLarge once the budget is spent."""
    _left.amount -= amount
    if _left.amount < 0:
        raise TooLarge("it makes more than a mail can hold")


def spent_on(value: Any) -> Any:
    """The value, after its weight was taken from the budget."""
    spend(weight(value))
    return value


def weight(value: Any) -> int:
    """Characters and entries of a value as it would be written out. Raises TooLarge above the budget."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() // 3
    return _weight_of_parts(value) if isinstance(value, _CONTAINERS) else 0


def _weight_of_parts(value: Any) -> int:
    total, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        total += 1
        if isinstance(part, str):
            total += len(part)
        elif isinstance(part, dict):
            waiting += part
            waiting += part.values()
        elif isinstance(part, _CONTAINERS):
            waiting += part
        if total > BUDGET:
            raise TooLarge("it makes more than a mail can hold")
    return total
