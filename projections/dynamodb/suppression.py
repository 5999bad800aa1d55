"""The suppression table: who must not be mailed, and the history of every address that it came from."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws import service_errors
from pipeline.chunks import chunks
from pipeline.dynamodb import marshal, read_items, unmarshal_item
from projections.checking import Deviation, Rows
from projections.dynamodb.items import BYTES, key_pages, replacement, successor, written, written_in_groups
from projections.store import Stored
from projections.suppression import Cause, History

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["SuppressionTable"]

Raw = dict[str, Any]

HISTORY = "HISTORY:"  # no address: a suppression key is lower-cased whole
ADDRESSES = 50  # a transaction, of two writes each: DynamoDB takes 100


class SuppressionTable:
    """`{stack}-Suppression`: under the address itself a row only while it is suppressed.

    Applications look an address up and take any row as a no, so the history of an address lies in a row
    of its own (`HISTORY:…`); both change in one transaction.
    """

    name = "suppression"

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def suppressed(self, addresses: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """The rows of those that are suppressed, by suppression key."""
        rows = read_items(self._client, self._table, "email", addresses)
        return {raw["email"]["S"]: unmarshal_item(raw) for raw in rows}

    def all_suppressed(self) -> list[dict[str, Any]]:
        """Every row of a suppressed address; reads the whole table."""
        with service_errors("DynamoDB"):
            pages = self._client.get_paginator("scan").paginate(TableName=self._table)
            rows = [unmarshal_item(raw) for page in pages for raw in page["Items"]]
        return [row for row in rows if not row["email"].startswith(HISTORY)]

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[History]]:
        rows = read_items(self._client, self._table, "email", [_history_key(key) for key in keys])
        stored = (Stored(_history(raw), raw["version"]["N"]) for raw in rows)
        return {each.state.address: each for each in stored}

    def save(self, changes: Mapping[str, Stored[History]]) -> Collection[str]:
        groups = chunks(changes.items(), ADDRESSES, BYTES, lambda item: 2 * len(_history_text(item[1].state)))
        return [key for group in groups for key in written(self._client, self._writes(group))]

    def _writes(self, changes: Iterable[tuple[str, Stored[History]]]) -> Mapping[str, list[Raw]]:
        return {
            key: [{"Put": self._history_put(change)}, self._visible_write(change.state)]
            for key, change in changes
        }

    def _history_put(self, change: Stored[History]) -> Raw:
        version = int(change.token or 0)
        item = _history_row(change.state) | {"version": version + 1}
        unchanged: Raw = {"ConditionExpression": "attribute_not_exists(email)"}
        if version:
            values = {":version": marshal(version)}
            unchanged = {"ConditionExpression": "version = :version", "ExpressionAttributeValues": values}
        return {"TableName": self._table, "Item": marshal(item)["M"], **unchanged}

    def _visible_write(self, history: History) -> Raw:
        row = _visible_row(history)
        if row is None:
            return {"Delete": {"TableName": self._table, "Key": {"email": marshal(history.address)}}}
        return {"Put": {"TableName": self._table, "Item": marshal(row)["M"]}}

    def expected(self, states: Iterable[History]) -> Mapping[str, Rows]:
        """The history, and only while the address is suppressed its own row."""
        pairs = ((_history_row(history), _visible_row(history)) for history in states)
        return {
            past["email"].removeprefix(HISTORY): {row["email"]: row for row in (past, visible) if row}
            for past, visible in pairs
        }

    def found(self, keys: Collection[str]) -> Mapping[str, Stored[Rows]]:
        names = [name for key in keys for name in (key, _history_key(key))]
        items = {raw["email"]["S"]: raw for raw in read_items(self._client, self._table, "email", names)}
        own = {key: [items[name] for name in (key, _history_key(key)) if name in items] for key in keys}
        return {key: _as_found(found) for key, found in own.items()}

    def key_pages(self) -> Iterator[Collection[str]]:
        for page in key_pages(self._client, self._table, "email"):
            yield {raw["email"]["S"].removeprefix(HISTORY) for raw in page}

    def replace(self, deviations: Iterable[Deviation]) -> Collection[str]:
        writes = {
            each.key: [self._replacement(each, name) for name in (_history_key(each.key), each.key)]
            for each in deviations
        }
        return written_in_groups(self._client, writes)

    def _replacement(self, deviation: Deviation, name: str) -> Raw:
        row, old = deviation.expected.get(name), deviation.found.token.get(name)
        new = marshal(row)["M"] if row else None
        if new and name.startswith(HISTORY):
            new["version"] = successor(old)
        return replacement(self._table, {"email": marshal(name)}, old, new)


def _as_found(items: Iterable[Mapping[str, Any]]) -> Stored[Rows]:
    token = {raw["email"]["S"]: raw for raw in items}
    return Stored({name: unmarshal_item(raw) for name, raw in token.items()}, token)


def _history_row(history: History) -> dict[str, Any]:
    return {"email": _history_key(history.address), "history": _history_text(history)}


def _visible_row(history: History) -> dict[str, Any] | None:
    suppression = history.suppression
    if suppression is None:
        return None
    row = {
        "email": history.address,
        "reason": suppression.reason,
        "suppressionType": suppression.kind,
        "addedToSuppressionDate": suppression.since,
        "emailId": suppression.email_id,
        "history": _history_text(history),
    }
    return {name: value for name, value in row.items() if value is not None}


def _history_key(address: str) -> str:
    return HISTORY + address


def _history_text(history: History) -> str:
    causes = sorted(map(list, history.causes), key=str)
    parts = [history.released, causes, sorted(history.soft), sorted(history.arrived)]
    return json.dumps(parts, separators=(",", ":"))


def _history(raw: Mapping[str, Any]) -> History:
    released, causes, soft, arrived = json.loads(raw["history"]["S"])
    address = raw["email"]["S"].removeprefix(HISTORY)
    pairs = [frozenset((time, message_id) for time, message_id in each) for each in (soft, arrived)]
    return History(address, released, frozenset(Cause(*cause) for cause in causes), *pairs)
