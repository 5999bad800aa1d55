"""What the tables must hold by the log, and how they differ from it.

A key is what the log speaks of: a mail, an address, a minute. Its rows are read, compared and replaced together.
Pure; the tables themselves are behind `Checked`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import takewhile
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from projections.store import Stored

__all__ = [
    "ABSENT",
    "WHOLE",
    "Checked",
    "Deviation",
    "Difference",
    "Row",
    "Rows",
    "deviations",
    "differences",
]

Row = Mapping[str, Any]
Rows = Mapping[str, Row]  # by the names that a difference calls them by

NO_STATEMENT = frozenset({"version", "ttl", "done"})  # of these the log says nothing
WHOLE: Final = "(row)"
WIDTH = 60

State_contra = TypeVar("State_contra", contravariant=True)


class Absence(Enum):
    ABSENT = "absent"


ABSENT: Final = Absence.ABSENT


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one row, or a row as a WHOLE where only one side has it: the other is ABSENT then."""

    table: str
    key: str
    field: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        """In one line, of any values."""
        place = f"{self.table} {_printable(self.key)}:"
        if self.field == WHOLE:
            return f"{place} the row {'is missing' if self.found is ABSENT else 'is not in the log'}"
        found, expected = _told(self.found, self.expected), _told(self.expected, self.found)
        return f"{place} {_printable(self.field)} is {found}, by the log {expected}"


class Deviation(NamedTuple):
    """A key whose rows aren't what they must be: what a repair writes, and what it puts it in the place of."""

    key: str
    expected: Rows
    found: Stored[Rows]
    differences: Sequence[Difference]


class Checked(Protocol[State_contra]):
    """A projection's table as it is checked against the log, the same for all of them.

    The states are `Mail`, `History` and `(Minute, Tally)`; their keys are emailId, suppression key and
    `2026-11-24 09:15`.
    """

    @property
    def name(self) -> str:
        """As a difference names the table."""
        ...

    def expected(self, states: Iterable[State_contra]) -> Mapping[str, Rows]:
        """For each state's key the rows that it demands, expired or not, as the table would give them."""
        ...

    def found(self, keys: Collection[str]) -> Mapping[str, Stored[Rows]]:
        """For each of the keys the rows that the table holds, if any; read consistently."""
        ...

    def key_pages(self) -> Iterator[Collection[str]]:
        """All keys of which the table holds anything, page by page; one may come more than once."""
        ...

    def replace(self, deviations: Iterable[Deviation]) -> Collection[str]:
        """Write what is expected in the place of exactly what was found, all rows of a key or none.

        Returns the keys whose rows have changed since, which are left alone.
        """
        ...


def deviations(checked: Checked[Any], expected: Mapping[str, Rows], now: datetime) -> list[Deviation]:
    """The keys among these whose rows differ; without rows are those that the log knows nothing of."""
    found = checked.found(expected)
    standing = {key: _standing(rows, now) for key, rows in expected.items()}
    compared = (
        Deviation(key, rows, found[key], differences(checked.name, rows, found[key].state, now))
        for key, rows in standing.items()
    )
    return [each for each in compared if each.differences]


def differences(table: str, expected: Rows, found: Rows, now: datetime) -> list[Difference]:
    """By row and field. A row past its `ttl` counts as absent, on both sides."""
    one, other = _standing(expected, now), _standing(found, now)
    return [
        Difference(table, name, *difference)
        for name in sorted(one.keys() | other.keys())
        for difference in _of_row(one.get(name), other.get(name))
    ]


def _standing(rows: Rows, now: datetime) -> Rows:
    return {name: row for name, row in rows.items() if not _has_expired(row, now)}


def _has_expired(row: Row, now: datetime) -> bool:
    """As DynamoDB judges: what is no number expires nothing."""
    ttl = row.get("ttl")
    return isinstance(ttl, int | float) and ttl <= now.timestamp()


def _of_row(expected: Row | None, found: Row | None) -> Iterator[tuple[str, Any, Any]]:
    if expected is None or found is None:
        yield WHOLE, ABSENT if expected is None else expected, ABSENT if found is None else found
        return
    for name in sorted((expected.keys() | found.keys()) - NO_STATEMENT):
        one, other = expected.get(name, ABSENT), found.get(name, ABSENT)
        if not _same(one, other):
            yield name, one, other


def _same(one: Any, other: Any) -> bool:
    """Equal, where true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _told(value: Any, other: Any) -> str:
    """The value in a few words, among them those that the other hasn't."""
    if isinstance(value, Absence):
        return value.value
    if isinstance(value, frozenset):
        return _told_set(value, other if isinstance(other, frozenset) else frozenset())
    text = repr(value)
    if len(text) <= WIDTH:
        return text
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, repr(other), strict=False)))
    start = max(0, shared - WIDTH // 3)
    end = start + WIDTH
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _told_set(value: frozenset[Any], other: frozenset[Any]) -> str:
    own = sorted(each.hex() if isinstance(each, bytes) else repr(each) for each in value - other)
    return f"{len(value)} entries" + (f" ({len(own)} only here: {', '.join(own)[:WIDTH]})" if own else "")


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)
