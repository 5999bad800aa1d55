"""How much a format of a template makes at most: its fields, each with its width and the largest value."""

import re
from functools import lru_cache
from string import Formatter
from typing import Any

from consumers.budget import TooLarge, afford, weight

__all__ = ["formatted", "percent"]

SHORT = 100  # characters: such formats are remembered
_FIELD = re.compile(r"[#0\- +]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?")


def percent(value: Any, *args: Any, **kwargs: Any) -> None:
    """Of `%`: https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting ."""
    template = str(value)
    count, sizes = _known_fields(template) if len(template) < SHORT else _fields(template)
    afford(count * _weight_of_all(args, kwargs) + sizes)


def _fields(template: str) -> tuple[int, int]:
    """How many there are, and the sum of their widths and precisions."""
    count, sizes, at = 0, 0, template.find("%")
    while at >= 0:
        field = _FIELD.match(template, _after_key(template, at + 1))
        assert field
        if "*" in field.groups():
            raise TooLarge("it takes the width of a format from a value")
        count, sizes = count + 1, sizes + sum(map(_number, field.groups(default="")))
        at = template.find("%", field.end() + 1)
    return count, sizes


_known_fields = lru_cache(maxsize=1_000)(_fields)


def _after_key(template: str, at: int) -> int:
    """Where the key in (round (brackets)), if there is one, has ended."""
    depth, place = 0, at
    while template.startswith("(", at) and place < len(template):
        depth += (template[place] == "(") - (template[place] == ")")
        place += 1
        if depth == 0:
            break
    return place


def formatted(template: str, args: Any, kwargs: Any) -> None:
    """Of `str.format`: https://docs.python.org/3/library/string.html#format-string-syntax ."""
    largest, total = _weight_of_all(args, kwargs), 0
    for _, name, spec, _ in Formatter().parse(template):
        if "{" in (spec or ""):
            raise TooLarge("it takes the width of a format from a value")
        if name is not None:
            total += largest + sum(map(_number, re.findall(r"\d+", spec or "")))
            afford(total)


def _weight_of_all(args: Any, kwargs: Any) -> int:
    return sum(map(weight, args)) + sum(map(weight, kwargs.values()))


def _number(digits: str) -> int:
    return int(digits[:10] or 0)
