"""The tracking table: a row for each mail."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.aws import service_errors
from pipeline.dynamodb import Statement, execute, insert, marshal, read_items, unmarshal_item, update
from projections.rows import mail_of, row_of
from projections.store import Stored
from projections.tracking import Mail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["TrackingTable"]

Raw = dict[str, Any]


class TrackingTable:
    """`{stack}-EmailTracking`. The token of a state is the raw row it was read from."""

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
        new = {name: marshal(value) for name, value in row_of(change.state, self._retention).items()}
        if change.token is None:
            return insert(self._table, new | {"version": {"N": "1"}})
        old: Raw = change.token
        key = {"emailId": new["emailId"]}
        changed = {name: value for name, value in new.items() if old.get(name) != value}
        gone = [name for name in old if name not in new and name != "version"]
        version = {"N": str(int(old["version"]["N"]) + 1)}
        return update(self._table, key, changed | {"version": version}, gone, {"version": old["version"]})
