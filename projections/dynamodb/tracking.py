"""The tracking table: a row for each mail."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.aws import service_errors
from pipeline.dynamodb import Statement, execute, insert, marshal, read_items, unmarshal_item, update
from projections.checking import Deviation, Row, Rows
from projections.dynamodb.items import key_pages, replacement, successor, written_in_groups
from projections.rows import mail_of, row_of
from projections.store import Stored
from projections.tracking import Mail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["TrackingTable"]

Raw = dict[str, Any]


class TrackingTable:
    """`{stack}-EmailTracking`. The token of a state is the raw row it was read from."""

    name = "tracking"

    def __init__(self, client: "DynamoDBClient", table: str, retention: timedelta) -> None:
        self._client, self._table, self._retention = client, table, retention

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[Mail]]:
        rows = read_items(self._client, self._table, "emailId", keys)
        return {raw["emailId"]["S"]: Stored(mail_of(unmarshal_item(raw)), raw) for raw in rows}

    def row(self, email_id: str) -> dict[str, Any] | None:
        return next(map(unmarshal_item, read_items(self._client, self._table, "emailId", [email_id])), None)

    def to(self, address: str) -> list[dict[str, Any]]:
        """The rows of the mails to an address, the latest first."""
        with service_errors("DynamoDB"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="to-email-timestamp-index",
                KeyConditionExpression="toEmail = :to",
                ExpressionAttributeValues={":to": {"S": address}},
                ScanIndexForward=False,
            )
            return [unmarshal_item(raw) for page in pages for raw in page["Items"]]

    def failed(self, code: str, since: str, source: str | None) -> Iterator[tuple[int, list[Mail]]]:
        """Mails that failed with a code since a time; page by page, with the number of rows read for it.

        Reads the whole table.
        """
        values = {":failed": "failed", ":code": code, ":since": since} | (
            {":source": source} if source else {}
        )
        conditions = "#status = :failed AND errorCode = :code AND #timestamp >= :since"
        asked: Any = {
            "TableName": self._table,
            "FilterExpression": conditions + (" AND originalSource = :source" if source else ""),
            "ExpressionAttributeNames": {"#status": "status", "#timestamp": "timestamp"},
            "ExpressionAttributeValues": {name: marshal(value) for name, value in values.items()},
        }
        with service_errors("DynamoDB"):
            for page in self._client.get_paginator("scan").paginate(**asked):
                yield page["ScannedCount"], [mail_of(unmarshal_item(raw)) for raw in page["Items"]]

    def save(self, changes: Mapping[str, Stored[Mail]]) -> Collection[str]:
        outcomes = execute(self._client, [self._statement(change) for change in changes.values()])
        return [key for key, failed in zip(changes, outcomes, strict=True) if failed]

    def _statement(self, change: Stored[Mail]) -> Statement:
        new = _raw(row_of(change.state, self._retention))
        if change.token is None:
            return insert(self._table, new | {"version": successor(None)})
        old: Raw = change.token
        key = {"emailId": new["emailId"]}
        changed = {name: value for name, value in new.items() if old.get(name) != value}
        gone = [name for name in old if name not in new and name != "version"]
        versions = {"version": successor(old)}, {"version": old["version"]}
        return update(self._table, key, changed | versions[0], gone, versions[1])

    def expected(self, states: Iterable[Mail]) -> Mapping[str, Rows]:
        """One row each, its values as DynamoDB keeps them."""
        rows = (unmarshal_item(_raw(row_of(mail, self._retention))) for mail in states)
        return {row["emailId"]: {row["emailId"]: row} for row in rows}

    def found(self, keys: Collection[str]) -> Mapping[str, Stored[Rows]]:
        items = {raw["emailId"]["S"]: raw for raw in read_items(self._client, self._table, "emailId", keys)}
        return {key: _as_found(key, items.get(key)) for key in keys}

    def key_pages(self) -> Iterator[Collection[str]]:
        for page in key_pages(self._client, self._table, "emailId"):
            yield [raw["emailId"]["S"] for raw in page]

    def replace(self, deviations: Iterable[Deviation]) -> Collection[str]:
        """A row keeps what it says was done: nothing is announced again."""
        return written_in_groups(self._client, {each.key: [self._replacement(each)] for each in deviations})

    def _replacement(self, deviation: Deviation) -> Raw:
        key, old = deviation.key, deviation.found.token
        row, was = deviation.expected.get(key), deviation.found.state.get(key, {})
        new = {**_raw(row), **_done(row, was), "version": successor(old)} if row else None
        return replacement(self._table, {"emailId": marshal(key)}, old, new)


def _as_found(key: str, raw: Mapping[str, Any] | None) -> Stored[Rows]:
    return Stored({key: unmarshal_item(raw)} if raw else {}, raw)


def _raw(row: Row) -> Raw:
    return {name: marshal(value) for name, value in row.items()}


def _done(*rows: Row) -> Raw:
    """Joined; what a hand made of it is no list, and nothing."""
    lists = [done for row in rows if isinstance(done := row.get("done"), list)]
    marks = sorted({mark for done in lists for mark in done if isinstance(mark, str)})
    return {"done": marshal(marks)} if marks else {}
