"""JSON that every store of the engine can hold: UTF-8, whole characters, and no deeper than code can follow.

RFC 8259 lets a reader set limits; these are the same for every consumer, whatever its stack looks like.
"""

import json
import math
import re
from typing import Any

__all__ = ["MAX_DEPTH", "loads"]

MAX_DEPTH = 100
LONGEST_INTEGER = 4000  # digits; Python refuses those of more than 4300
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str | bytes) -> Any:
    """A number that is too large for the machine is kept as text, half a surrogate pair becomes U+FFFD.

    Raises:
        ValueError: no JSON in UTF-8 (NaN and Infinity are none), or nested deeper than `MAX_DEPTH`.
        RecursionError: nested very much deeper.
    """
    if isinstance(text, bytes):
        text = text.decode()
    value = _DECODER.decode(text)
    if text.count("[") + text.count("{") > MAX_DEPTH and not _within(value, MAX_DEPTH):
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
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
