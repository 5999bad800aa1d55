"""What an operation of a template would make, and how long C code would be at it, bounded before it begins.

Only operations that can make far more than they are given, or take far longer than it is long, are here:
what they make is weighed afterwards all the same. The parameters have Jinja2's and Python's names.
"""

from collections.abc import Callable, Mapping, Sized
from typing import Any

from markupsafe import Markup

from consumers.budget import CONTAINERS, ENTRY, TooLarge, afford, weight
from consumers.formats import percent

__all__ = ["FILTERS", "METHODS", "OPERATORS"]

WIDEST = 1_000
LONGEST_WORD = 4_000
LONGEST_SOUGHT = 100
MOST_PLACES = 100
BITS = 4_096
ESCAPED = 6
"""Characters that one may become by escaping."""
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # str.splitlines

Measure = Callable[..., None]


def _nothing(*_: Any, **__: Any) -> None:
    pass


# ── Operators ─────────────────────────────────────────────────────────────────────────────────────────────


def _product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _few_bits(left.bit_length() + right.bit_length())
    for value, times in ((left, right), (right, left)):
        if isinstance(value, str | list | tuple) and isinstance(times, int):
            afford((len(value) if isinstance(value, str) else weight(value)) * max(times, 0))


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _few_bits(left.bit_length() * abs(right))


def _few_bits(bits: int) -> None:
    if bits > BITS:
        raise TooLarge(f"it makes a number of more than {BITS} bits")


def _remainder(left: Any, right: Any) -> None:
    if isinstance(left, str):
        percent(left, right)


OPERATORS: Mapping[str, Measure] = {"+": _nothing, "*": _product, "**": _power, "%": _remainder}

# ── Texts ─────────────────────────────────────────────────────────────────────────────────────────────────


def _widths(_: Any, *arguments: Any, **named: Any) -> None:
    for each in (*arguments, *named.values()):
        _narrow(each)


def _narrow(width: Any) -> None:
    if isinstance(width, int) and abs(width) > WIDEST:
        raise TooLarge(f"it asks for a width of more than {WIDEST}")


def _tabs(text: str, tabsize: Any = 8) -> None:
    _narrow(tabsize)
    if isinstance(tabsize, int):
        afford(text.count("\t") * max(tabsize, 0))


def _replaced(s: Any, old: Any, new: Any, *_: Any, **__: Any) -> None:
    s, old, new = str(s), str(old), str(new)
    afford((s.count(old) if old else len(s) + 1) * ESCAPED * len(new))


def _joined(joiner: Any, values: Any, *_: Any) -> None:
    _listed(values)
    if isinstance(values, Sized):
        afford(len(values) * ESCAPED * len(str(joiner)))


def _joined_by(value: Any, d: Any = "", *_: Any, **__: Any) -> None:
    _joined(d, value)


def _listed(value: Any, *_: Any, **__: Any) -> None:
    """Something that becomes a list of its parts."""
    if isinstance(value, Sized):
        afford(len(value) * ENTRY)


def _grouped(value: Any, _attribute: Any, default: Any = "", *_: Any, **__: Any) -> None:
    """Each gets a key of its own, which may be the default."""
    _listed(value)
    if isinstance(value, Sized):
        afford(len(value) * weight(default))


def _in_pieces(value: Any, *_: Any, **__: Any) -> None:
    """A text that is taken apart: each letter may become a piece."""
    afford(ENTRY * _length(value))


def _in_codes(value: Any, *_: Any, **__: Any) -> None:
    """A text each letter of which may be written as twelve."""
    afford(12 * _length(value))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else weight(value) if isinstance(value, CONTAINERS) else 0


def _sought(_: Any, chars: Any = None, *__: Any, **___: Any) -> None:
    """What Python looks for at every place of a text, one place after the other."""
    if isinstance(chars, str) and len(chars) > LONGEST_SOUGHT:
        raise TooLarge(f"it searches for more than {LONGEST_SOUGHT} characters at once")


def _split_from_the_end(text: Any, sep: Any = None, *_: Any, **named: Any) -> None:
    _sought(text, named.get("sep", sep))
    _in_pieces(text)


def _indented(s: Any, width: Any = 4, *_: Any, **__: Any) -> None:
    _narrow(width)
    _in_pieces(s)
    lines = 1 + sum(str(s).count(mark) for mark in LINE_ENDS)
    afford(lines * ESCAPED * _size(width))


def _size(width: Any) -> int:
    return len(width) if isinstance(width, str) else abs(int(width))


def _wrapped(s: Any, _width: Any = 79, _long: Any = True, wrapstring: Any = None, *_: Any, **__: Any) -> None:
    _in_pieces(s)
    afford(_length(s) * len(wrapstring or ""))


def _linked(
    value: Any,
    _limit: Any = None,
    _nofollow: Any = False,
    target: Any = "",
    rel: Any = "",
    *_: Any,
    **__: Any,
) -> None:
    """Its regular expressions are quadratic in the length of a word."""
    words = str(value).split()
    if any(len(word) > LONGEST_WORD for word in words):
        raise TooLarge(f"it looks for links in a word of more than {LONGEST_WORD} letters")
    _in_pieces(value)
    afford(len(words) * (100 + ESCAPED * (len(str(target)) + len(str(rel)))))


def _as_json(value: Any, indent: Any = None) -> None:
    _in_codes(value)
    if indent is not None:
        _narrow(indent)
        afford(weight(value) // ENTRY * _depth(value) * _size(indent))


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(part, CONTAINERS):
            inside = part.values() if isinstance(part, dict) else part
            waiting += ((each, depth + 1) for each in inside)
    return deepest


# ── Numbers ───────────────────────────────────────────────────────────────────────────────────────────────


def _rounded(_: Any, precision: Any = 0, *__: Any, **___: Any) -> None:
    if isinstance(precision, int) and abs(precision) > MOST_PLACES:
        raise TooLarge(f"it rounds to more than {MOST_PLACES} places")


def _summed(_: Any, attribute: Any = None, start: Any = 0) -> None:  # noqa: ARG001  Jinja2's name
    if not isinstance(start, int | float):
        raise TooLarge("only numbers can be summed up")


_OF_TEXTS: Mapping[str, Measure] = {
    **dict.fromkeys(
        (
            *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha"),
            *("isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "lower"),
            *("partition", "removeprefix", "removesuffix", "startswith", "swapcase", "title", "upper"),
        ),
        _nothing,
    ),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _widths),
    **dict.fromkeys(("lstrip", "rstrip", "strip", "rfind", "rindex", "rpartition"), _sought),
    **dict.fromkeys(("split", "splitlines", "striptags", "unescape"), _in_pieces),
    "expandtabs": _tabs,
    "join": _joined,
    "replace": _replaced,
    "rsplit": _split_from_the_end,
}
METHODS: Mapping[type, Mapping[str, Measure]] = {
    str: _OF_TEXTS,
    Markup: _OF_TEXTS,
    list: dict.fromkeys(("copy", "count", "index"), _nothing),
    tuple: dict.fromkeys(("count", "index"), _nothing),
    dict: dict.fromkeys(("copy", "get", "items", "keys", "values"), _nothing),
}
"""The methods that a template may call, by the type they belong to."""

FILTERS: Mapping[str, Measure] = {
    **dict.fromkeys(("batch", "center", "slice"), _widths),
    **dict.fromkeys(("list", "map", "reject", "reverse", "select", "sort", "unique"), _listed),
    **dict.fromkeys(("striptags", "title", "wordcount"), _in_pieces),
    **dict.fromkeys(("urlencode", "xmlattr"), _in_codes),
    "format": percent,
    "groupby": _grouped,
    "indent": _indented,
    "join": _joined_by,
    "replace": _replaced,
    "round": _rounded,
    "sum": _summed,
    "tojson": _as_json,
    "trim": _sought,
    "urlize": _linked,
    "wordwrap": _wrapped,
}
