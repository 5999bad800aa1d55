"""The suppression table: who must not be mailed, and the history of every address that it came from."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws import error_code, service_errors
from pipeline.chunks import chunks
from pipeline.dynamodb import marshal, read_items, unmarshal_item
from projections.store import Stored
from projections.suppression import Cause, History

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["SuppressionTable"]

Raw = dict[str, Any]

HISTORY = "HISTORY:"  # no address: a suppression key is lower-cased whole
ADDRESSES = 50  # a transaction, of two writes each: DynamoDB takes 100
BYTES = 2_000_000  # a transaction: DynamoDB takes 4 MB
LOST = ("ConditionalCheckFailed", "TransactionConflict")


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
        groups = chunks(changes.items(), ADDRESSES, BYTES, lambda item: 2 * len(_history_text(item[1].state)))
        return [key for group in groups for key in self._lost(dict(group))]

    def _lost(self, changes: Mapping[str, Stored[History]]) -> Collection[str]:
        """The keys that others wrote first; all others stand then. One loser cancels the transaction of all."""
        if not changes:
            return []
        writes: Any = [
            write
            for change in changes.values()
            for write in ({"Put": self._history_put(change)}, self._visible(change.state))
        ]
        with service_errors("DynamoDB"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                lost = _losers(error, list(changes))
            else:
                return []
        return [*lost, *self._lost({key: changes[key] for key in changes if key not in lost})]

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


def _losers(error: ClientError, keys: Sequence[str]) -> set[str]:
    """The histories that somebody else wrote first, or is writing now. Raises the error where it is another."""
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = [reason.get("Code") or "None" for reason in reasons]
    if not {error_code(error), *codes} <= {"TransactionCanceledException", "None", *LOST}:
        raise error
    return {keys[number // 2] for number, code in enumerate(codes) if code in LOST} or set(keys)


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
