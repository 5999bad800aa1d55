"""The reputation table: the bounce rate of each day."""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline import times
from pipeline.aws import error_code, service_errors
from pipeline.codec import Event
from pipeline.dynamodb import marshal, unmarshal
from projections.checking import Deviation, Row, Rows
from projections.dynamodb.items import as_read, key_pages, replacement, written
from projections.reputation import Minute, Reputation, Tally, fold
from projections.store import Stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["ReputationTable"]

Raw = dict[str, Any]
Item = Mapping[str, Any]

HOUR = "hour "
DAY = re.compile(r"\d{4}-\d\d-\d\d")  # other rows of the table aren't of the fold
KEYS_A_READ = 100
SETS = ("accepted", "bounced")


class ReputationTable:
    """`{stack}-Reputation`: for each minute of a day a row with the sets, and a row of counts for each hour.

    DynamoDB's `ADD` joins sets by itself. What an `ADD` returns are snapshots of a growing state, so of two
    pairs of counts the greater is the later; the row of counts takes a pair only when it is.
    """

    name = "reputation"

    def __init__(
        self, client: "DynamoDBClient", table: str, retention: timedelta, *, with_simulator: bool = False
    ) -> None:
        self._client, self._table, self._retention = client, table, retention
        self._with_simulator = with_simulator

    def add(self, events: Iterable[Event]) -> None:
        """Join what the events say; repetition changes nothing."""
        self.join(fold(events, with_simulator=self._with_simulator))

    def join(self, tallies: Mapping[Minute, Tally]) -> None:
        with service_errors("DynamoDB"):
            for minute, tally in tallies.items():
                self._count(minute, self._added(minute, tally))

    def of_day(self, day: str) -> Reputation:
        """From the rows of counts: at most 24 of them."""
        with service_errors("DynamoDB"):
            rows = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#day = :day AND begins_with(#minute, :hour)",
                ExpressionAttributeNames={"#day": "day", "#minute": "minute"},
                ExpressionAttributeValues={":day": {"S": day}, ":hour": {"S": HOUR}},
            )["Items"]
        return Reputation(_total(rows, "a"), _total(rows, "b"))

    def _added(self, minute: Minute, tally: Tally) -> Reputation:
        given = {name: sorted(digests) for name in SETS if (digests := getattr(tally, name))}
        answer = self._client.update_item(
            TableName=self._table,
            Key=_place_key(minute),
            UpdateExpression=f"SET #ttl = :ttl ADD {', '.join(f'{name} :{name}' for name in given)}",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={
                ":ttl": self._ttl(minute),
                **{f":{name}": {"BS": digests} for name, digests in given.items()},
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return Reputation(*(len(answer.get(name, {}).get("BS", ())) for name in SETS))

    def _count(self, minute: Minute, seen: Reputation) -> None:
        a, b = _counts(minute)
        names = {"#a": a, "#b": b, "#ttl": "ttl"}
        values = {":a": marshal(seen.accepted), ":b": marshal(seen.bounced), ":ttl": self._ttl(minute)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_place_key(_hour(minute)),
                UpdateExpression="SET #a = :a, #b = :b, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(#a) OR #a < :a OR #b < :b",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def expected(self, states: Iterable[tuple[Minute, Tally]]) -> Mapping[str, Rows]:
        """One row each: the sets, and what the row of the hour has of this minute."""
        return {_key(minute): {_key(minute): self._expected(minute, tally)} for minute, tally in states}

    def _expected(self, minute: Minute, tally: Tally) -> Row:
        sets = {name: digests for name in SETS if (digests := getattr(tally, name))}
        counts = zip(_counts(minute), (len(tally.accepted), len(tally.bounced)), strict=True)
        return {
            **sets,
            **{_field(minute, name): count for name, count in counts},
            "ttl": unmarshal(self._ttl(minute)),
        }

    def found(self, keys: Collection[str]) -> Mapping[str, Stored[Rows]]:
        minutes = {key: _minute(key) for key in keys}
        items = self._read({place for minute in minutes.values() for place in (minute, _hour(minute))})
        pairs = {key: (items.get(minute), items.get(_hour(minute))) for key, minute in minutes.items()}
        return {key: Stored(_rows(minutes[key], *pair), pair) for key, pair in pairs.items()}

    def key_pages(self) -> Iterator[Collection[str]]:
        """Of a minute that only the row of an hour counts, too."""
        for page in key_pages(self._client, self._table, "day", "minute"):
            places = [_place(raw) for raw in page if DAY.fullmatch(raw["day"]["S"])]
            hours = {place for place in places if place.minute.startswith(HOUR)}
            counted = [key for place, raw in self._read(hours).items() for key in _counted(place, raw)]
            yield {*counted, *(_key(place) for place in places if place not in hours)}

    def replace(self, deviations: Iterable[Deviation]) -> Collection[str]:
        """Each minute by itself, since those of an hour share its row."""
        lost = (written(self._client, {each.key: self._replacement(each)}) for each in deviations)
        return [key for keys in lost for key in keys]

    def _replacement(self, deviation: Deviation) -> list[Raw]:
        minute, (old, counts) = _minute(deviation.key), deviation.found.token
        row = deviation.expected.get(deviation.key)
        new = {**_place_key(minute), **_sets(row), "ttl": self._ttl(minute)} if row else None
        own = replacement(self._table, _place_key(minute), old, new, SETS)
        return [own, {"Update": self._recount(minute, counts or {}, row)}] if row or counts else [own]

    def _recount(self, minute: Minute, read: Item, row: Row | None) -> Raw:
        """The condition names the two counts `#0` and `#1`."""
        unchanged = as_read(read, _counts(minute))
        place = {"TableName": self._table, "Key": _place_key(_hour(minute))}
        if row is None:
            return {**place, **unchanged, "UpdateExpression": "REMOVE #0, #1"}
        counts = (row[_field(minute, name)] for name in _counts(minute))
        values = dict(zip((":a", ":b"), map(marshal, counts), strict=True)) | {":ttl": self._ttl(minute)}
        return {
            **place,
            **unchanged,
            "UpdateExpression": "SET #0 = :a, #1 = :b, #ttl = :ttl",
            "ExpressionAttributeNames": unchanged["ExpressionAttributeNames"] | {"#ttl": "ttl"},
            "ExpressionAttributeValues": unchanged.get("ExpressionAttributeValues", {}) | values,
        }

    def _read(self, places: Collection[Minute]) -> Mapping[Minute, Item]:
        keys, items = [_place_key(place) for place in sorted(places)], list[Item]()
        for start in range(0, len(keys), KEYS_A_READ):
            asked: Any = {self._table: {"Keys": keys[start : start + KEYS_A_READ], "ConsistentRead": True}}
            while asked:
                with service_errors("DynamoDB"):
                    answer = self._client.batch_get_item(RequestItems=asked)
                items.extend(answer["Responses"].get(self._table, ()))
                asked = answer.get("UnprocessedKeys")
                if asked:
                    time.sleep(0.05)
        return {_place(raw): raw for raw in items}

    def _ttl(self, minute: Minute) -> Any:
        return marshal(int((times.parse(minute.day) + self._retention).timestamp()))


def _key(place: Minute) -> str:
    return f"{place.day} {place.minute}"


def _minute(key: str) -> Minute:
    day, _, minute = key.partition(" ")
    return Minute(day, minute)


def _place(raw: Item) -> Minute:
    return Minute(raw["day"]["S"], raw["minute"]["S"])


def _place_key(place: Minute) -> Raw:
    return {"day": {"S": place.day}, "minute": {"S": place.minute}}


def _hour(minute: Minute) -> Minute:
    """Where the minute is counted."""
    return Minute(minute.day, HOUR + minute.minute.rpartition(":")[0])


def _counts(minute: Minute) -> tuple[str, str]:
    """The attributes that the minute has in the row of its hour."""
    number = minute.minute.rpartition(":")[2]
    return f"a{number}", f"b{number}"


def _counted(hour: Minute, raw: Item) -> set[str]:
    """The minutes that a row of counts bears, also those that no clock has: `_total` adds them all."""
    numbers = {name[1:] for name in raw if name[0] in "ab"}
    return {_key(Minute(hour.day, f"{hour.minute.removeprefix(HOUR)}:{number}")) for number in numbers}


def _field(minute: Minute, count: str) -> str:
    return f"{_hour(minute).minute}: {count}"


def _rows(minute: Minute, own: Item | None, counts: Item | None) -> Rows:
    hour = counts or {}
    counted = {_field(minute, name): unmarshal(hour[name]) for name in _counts(minute) if name in hour}
    if own is None and not counted:
        return {}
    read = own or {name: raw for name, raw in hour.items() if name == "ttl"}
    row = {name: _value(raw) for name, raw in read.items() if name not in Minute._fields}
    return {_key(minute): row | counted}


def _value(raw: Item) -> Any:
    return frozenset(raw["BS"]) if "BS" in raw else unmarshal(raw)


def _sets(row: Row) -> Raw:
    return {name: {"BS": sorted(row[name])} for name in SETS if name in row}


def _total(rows: Collection[Mapping[str, Any]], letter: str) -> int:
    return sum(int(value["N"]) for row in rows for name, value in row.items() if name[0] == letter)
