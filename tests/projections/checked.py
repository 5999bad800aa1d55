"""The three tables as they are checked against the log, each with a story for a key and where its rows lie."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipeline import times
from pipeline.codec import Event
from projections import reputation, suppression, tracking
from projections.checking import NO_STATEMENT, Checked, Deviation, Rows, deviations
from projections.dynamodb import ReputationTable
from projections.store import merge
from tests.projections.builders import START, at, complaint, delivered, events, failed, hard_bounce, sent
from tests.projections.conftest import Tables
from tests.projections.world import RETENTION

__all__ = ["NOW", "SUBJECTS", "Item", "Subject"]

NOW = START + timedelta(days=1)
FEBRUARY = times.parse("2026-02-01")
Item = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """`story` tells of a key, `news` what comes later; `places` are where its rows lie."""

    table: Checked[Any]
    client: Any
    table_name: str
    fold: Callable[[Iterable[Event]], Iterable[Any]]
    take: Callable[[Iterable[Event]], None]
    story: Callable[[str], list[bytes]]
    news: Callable[[str], bytes]
    key: Callable[[int], str]
    places: Callable[[str], list[Item]]
    own: Callable[[Item, str, str], bool] = lambda _place, _key, _name: True

    def expected(self, records: Iterable[bytes]) -> Mapping[str, Rows]:
        return self.table.expected(self.fold(events(records)))

    def told(self, key: str) -> Mapping[str, Rows]:
        """What the story of the key demands, which the table has taken, too."""
        self.take(events(self.story(key)))
        return self.expected(self.story(key))

    def deviations(self, expected: Mapping[str, Rows]) -> list[Deviation]:
        return deviations(self.table, expected, NOW)

    def known(self) -> set[str]:
        return {key for page in self.table.key_pages() for key in page}

    def item(self, place: Item) -> Item | None:
        found: Item | None = self.client.get_item(TableName=self.table_name, Key=place).get("Item")
        return found

    def put(self, item: Item) -> None:
        self.client.put_item(TableName=self.table_name, Item=item)

    def delete(self, place: Item) -> None:
        self.client.delete_item(TableName=self.table_name, Key=place)

    def attributes(self, key: str) -> list[tuple[Item, str]]:
        """Those that state something of this key, and where."""
        return [
            (place, name)
            for place in self.places(key)
            for name in sorted(self.item(place) or {})
            if name not in {*NO_STATEMENT, *place} and self.own(place, key, name)
        ]


def _tracking(tables: Tables) -> Subject:
    table = tables.tracking
    return Subject(
        table,
        tables.client,
        tables.tracking_name,
        lambda told: tracking.fold(told).values(),
        lambda told: merge(table, tracking.fold(told), tracking.join),
        lambda key: [
            sent(key, at(seconds=1), unknownFields=["colour"]),
            failed(key, at(seconds=2), unknownFields=["colour"]),
            hard_bounce(key, at(seconds=3)),
            complaint(key, at(seconds=4)),
        ],
        lambda key: delivered(key, at(seconds=5)),
        lambda number: f"checked-{number}",
        lambda key: [{"emailId": {"S": key}}],
    )


def _suppression(tables: Tables) -> Subject:
    table = tables.suppression
    return Subject(
        table,
        tables.client,
        tables.suppression_name,
        lambda told: suppression.fold(told).values(),
        lambda told: merge(table, suppression.fold(told), suppression.join),
        lambda key: [hard_bounce("m", at(seconds=1), to=key)],
        lambda key: complaint("m", at(), to=key),
        lambda number: f"checked-{number}@x.example",
        lambda key: [{"email": {"S": f"HISTORY:{key}"}}, {"email": {"S": key}}],
    )


def _reputation(tables: Tables) -> Subject:
    """Its keys share hours, so that what is done to a minute meets its neighbours."""
    table = ReputationTable(tables.client, tables.reputation_name, RETENTION)

    def mail(key: str, name: str) -> bytes:
        return hard_bounce(f"{key} {name}", at(), mail_time=f"{key.replace(' ', 'T')}:00.000Z")

    return Subject(
        table,
        tables.client,
        tables.reputation_name,
        lambda told: reputation.fold(told).items(),
        table.add,
        lambda key: [mail(key, "one"), mail(key, "two")],
        lambda key: mail(key, "three"),
        lambda number: f"{FEBRUARY + timedelta(minutes=number):%Y-%m-%d %H:%M}",
        lambda key: [
            {"day": {"S": key[:10]}, "minute": {"S": key[11:]}},
            {"day": {"S": key[:10]}, "minute": {"S": f"hour {key[11:13]}"}},
        ],
        lambda place, key, name: (
            not place["minute"]["S"].startswith("hour") or name in {f"a{key[-2:]}", f"b{key[-2:]}"}
        ),
    )


SUBJECTS: Mapping[str, Callable[[Tables], Subject]] = {
    "tracking": _tracking,
    "suppression": _suppression,
    "reputation": _reputation,
}
