"""JSON that every store of the engine can hold: UTF-8, whole characters, and no deeper than code can follow.

RFC 8259 lets a reader set limits; these are the same for every consumer, whatever its stack looks like.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["MAX_DEPTH", "TooDeep", "loads"]

MAX_DEPTH = 100
LONGEST_INTEGER = 4000  # digits; Python refuses those of more than 4300
_TEXT_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


class TooDeep(ValueError):
    """JSON that is nested deeper than `MAX_DEPTH`."""

    def __init__(self, text: str) -> None:
        super().__init__(f"nested more than {MAX_DEPTH} levels deep")
        self._text = text

    def shallow(self) -> Any:
        """The same with null for what lies deeper. Raises ValueError: it is no JSON besides."""
        return loads("".join(_pruned(self._text)))


def _pruned(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for found in _TEXT_OR_BRACKET.finditer(text):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}")
        if mark in "[{" and depth == MAX_DEPTH + 1:
            yield text[start : found.start()] + "null"
        if mark in "]}" and depth == MAX_DEPTH:
            start = found.end()
    if depth:
        raise ValueError("it ends in the middle")
    yield text[start:]


def loads(text: str | bytes) -> Any:
    """A number that is too large for the machine is kept as text, half a surrogate pair becomes U+FFFD.

    Raises:
        TooDeep: nested deeper than `MAX_DEPTH`.
        ValueError: no JSON in UTF-8 (NaN and Infinity are none).
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise TooDeep(text) from error
    if text.count("[") + text.count("{") > MAX_DEPTH and not _within(value, MAX_DEPTH):
        raise TooDeep(text)
    return _without_surrogates(value) if _HALF_OF_A_PAIR.search(text) else value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits


def _fraction(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=_no_number)


def _within(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_within(each, levels - 1) for each in inside)


def _without_surrogates(value: Any) -> Any:
    """Halves of surrogate pairs are legal in JSON and in no store."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return value
