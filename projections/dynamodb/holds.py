"""Holds on DynamoDB, in rows of `{stack}-Reputation`, which has no key that a client chooses."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws import service_errors
from pipeline.dynamodb import Statement, execute, insert, marshal, unmarshal_item, update
from projections.holds import Hold, selector
from projections.store import Stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["HoldsTable"]

DAY = "holds"


class HoldsTable:
    """One row for each selector that anything was ever said about. The token of a hold is its event's id."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def standing(self) -> list[Hold]:
        """What is paused, the oldest first."""
        return sorted(hold for hold in self._all() if hold.paused)

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[Hold]]:
        found = {hold.selector.key: Stored(hold, hold.id) for hold in self._all()}
        return {key: found[key] for key in keys if key in found}

    def save(self, changes: Mapping[str, Stored[Hold]]) -> Collection[str]:
        outcomes = execute(self._client, [self._statement(*change) for change in changes.items()])
        return [key for key, failed in zip(changes, outcomes, strict=True) if failed]

    def _statement(self, key: str, change: Stored[Hold]) -> Statement:
        place = {"day": marshal(DAY), "minute": marshal(key)}
        item = {name: marshal(value) for name, value in change.state._asdict().items()}
        item["selector"] = marshal(change.state.selector._asdict())
        if change.token is None:
            return insert(self._table, place | item)
        return update(self._table, place, item, (), {"id": marshal(change.token)})

    def _all(self) -> Iterator[Hold]:
        asked = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#day = :day",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": {":day": marshal(DAY)},
        }
        with service_errors("DynamoDB"):
            for page in self._client.get_paginator("query").paginate(**asked):  # type: ignore[arg-type]
                yield from (_hold(unmarshal_item(raw)) for raw in page["Items"])


def _hold(row: Mapping[str, Any]) -> Hold:
    about = row["selector"]
    selected = selector(about["source"], about["template"], dict(about["metadata"]))
    return Hold(row["time"], row["paused"], row["id"], row["reason"], selected)
