"""The suppression table: who must not be mailed, and the history of every address that it came from."""

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws import error_code, service_errors
from pipeline.dynamodb import marshal, read_items, unmarshal_item
from projections.store import Stored
from projections.suppression import Cause, History

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["SuppressionTable"]

Raw = dict[str, Any]

HISTORY = "HISTORY:"  # no address: a suppression key is lower-cased whole


class SuppressionTable:
    """`{stack}-Suppression`: under the address itself a row only while it is suppressed.

    Applications look an address up and take any row as a no, so the history of an address lies in a row
    of its own (`HISTORY:…`); both change in one transaction.
    """

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
        return [key for key, change in changes.items() if not self._saved(change)]

    def _saved(self, change: Stored[History]) -> bool:
        writes: Any = [{"Put": self._history_put(change)}, self._visible(change.state)]
        with service_errors("DynamoDB"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if not _lost_the_race(error):
                    raise
                return False
        return True

    def _history_put(self, change: Stored[History]) -> Raw:
        version = int(change.token or 0)
        item = {
            "email": _history_key(change.state.address),
            "history": _history_text(change.state),
            "version": version + 1,
        }
        unchanged: Raw = {"ConditionExpression": "attribute_not_exists(email)"}
        if version:
            values = {":version": marshal(version)}
            unchanged = {"ConditionExpression": "version = :version", "ExpressionAttributeValues": values}
        return {"TableName": self._table, "Item": marshal(item)["M"], **unchanged}

    def _visible(self, history: History) -> Raw:
        suppression = history.suppression
        if suppression is None:
            return {"Delete": {"TableName": self._table, "Key": {"email": marshal(history.address)}}}
        item = {
            "email": history.address,
            "reason": suppression.reason,
            "suppressionType": suppression.kind,
            "addedToSuppressionDate": suppression.since,
            "emailId": suppression.email_id,
            "history": _history_text(history),
        }
        given = {name: marshal(value) for name, value in item.items() if value is not None}
        return {"Put": {"TableName": self._table, "Item": given}}


def _lost_the_race(error: ClientError) -> bool:
    """Somebody else wrote the history first, or is writing it now."""
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = {error_code(error), *(reason.get("Code") or "None" for reason in reasons)}
    return codes <= {"TransactionCanceledException", "None", "ConditionalCheckFailed", "TransactionConflict"}


def _history_key(address: str) -> str:
    return HISTORY + address


def _history_text(history: History) -> str:
    parts = [history.released, sorted(map(list, history.causes), key=str), sorted(history.soft)]
    return json.dumps(parts, separators=(",", ":"))


def _history(raw: Mapping[str, Any]) -> History:
    released, causes, soft = json.loads(raw["history"]["S"])
    address = raw["email"]["S"].removeprefix(HISTORY)
    return History(address, released, frozenset(Cause(*c) for c in causes), frozenset(map(tuple, soft)))
