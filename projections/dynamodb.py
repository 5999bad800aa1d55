"""The projections' tables on DynamoDB: compare-and-swap on a version, calls that carry many rows."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline import times
from pipeline.aws import error_code, service_errors
from pipeline.codec import Event
from pipeline.dynamodb import Statement, execute, insert, marshal, read_items, unmarshal, update
from projections.reputation import Minute, Reputation, Tally, fold
from projections.rows import mail_of, row_of
from projections.store import Stored
from projections.suppression import Cause, History
from projections.tracking import Mail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["ReputationTable", "SuppressionTable", "TrackingTable"]

Raw = dict[str, Any]

HOUR = "hour "
HISTORY = "HISTORY:"  # no address: a suppression key is lower-cased whole


class TrackingTable:
    """`{stack}-EmailTracking`. The token of a state is the raw row it was read from."""

    def __init__(self, client: "DynamoDBClient", table: str, retention: timedelta) -> None:
        self._client, self._table, self._retention = client, table, retention

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[Mail]]:
        rows = read_items(self._client, self._table, "emailId", keys)
        return {raw["emailId"]["S"]: Stored(mail_of(_row(raw)), raw) for raw in rows}

    def row(self, email_id: str) -> dict[str, Any] | None:
        return next(map(_row, read_items(self._client, self._table, "emailId", [email_id])), None)

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
        return {raw["email"]["S"]: _row(raw) for raw in rows}

    def all_suppressed(self) -> list[dict[str, Any]]:
        """Every row of a suppressed address; reads the whole table."""
        with service_errors("DynamoDB"):
            pages = self._client.get_paginator("scan").paginate(TableName=self._table)
            rows = [_row(raw) for page in pages for raw in page["Items"]]
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


class ReputationTable:
    """`{stack}-Reputation`: for each minute of a day a row with the sets, and a row of counts for each hour.

    DynamoDB's `ADD` joins sets by itself. What an `ADD` returns are snapshots of a growing state, so of two
    pairs of counts the greater is the later; the row of counts takes a pair only when it is.
    """

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
        sets = {"accepted": tally.accepted, "bounced": tally.bounced}
        given = {name: sorted(digests) for name, digests in sets.items() if digests}
        answer = self._client.update_item(
            TableName=self._table,
            Key=_minute_key(minute, minute.minute),
            UpdateExpression=f"SET #ttl = :ttl ADD {', '.join(f'{name} :{name}' for name in given)}",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={
                ":ttl": self._ttl(minute),
                **{f":{name}": {"BS": digests} for name, digests in given.items()},
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return Reputation(*(len(answer.get(name, {}).get("BS", ())) for name in sets))

    def _count(self, minute: Minute, seen: Reputation) -> None:
        hour, of_hour = minute.minute.split(":")
        names = {"#a": f"a{of_hour}", "#b": f"b{of_hour}", "#ttl": "ttl"}
        values = {":a": marshal(seen.accepted), ":b": marshal(seen.bounced), ":ttl": self._ttl(minute)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_minute_key(minute, HOUR + hour),
                UpdateExpression="SET #a = :a, #b = :b, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(#a) OR #a < :a OR #b < :b",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def _ttl(self, minute: Minute) -> Any:
        return marshal(int((times.parse(minute.day) + self._retention).timestamp()))


def _minute_key(minute: Minute, row: str) -> Raw:
    return {"day": {"S": minute.day}, "minute": {"S": row}}


def _total(rows: Collection[Mapping[str, Any]], letter: str) -> int:
    return sum(int(value["N"]) for row in rows for name, value in row.items() if name[0] == letter)


def _lost_the_race(error: ClientError) -> bool:
    """Somebody else wrote the history first, or is writing it now."""
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = {error_code(error), *(reason.get("Code") or "None" for reason in reasons)}
    return codes <= {"TransactionCanceledException", "None", "ConditionalCheckFailed", "TransactionConflict"}


def _row(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: unmarshal(value) for name, value in raw.items()}


def _history_key(address: str) -> str:
    return HISTORY + address


def _history_text(history: History) -> str:
    parts = [history.released, sorted(map(list, history.causes), key=str), sorted(history.soft)]
    return json.dumps(parts, separators=(",", ":"))


def _history(raw: Mapping[str, Any]) -> History:
    released, causes, soft = json.loads(raw["history"]["S"])
    address = raw["email"]["S"].removeprefix(HISTORY)
    return History(address, released, frozenset(Cause(*c) for c in causes), frozenset(map(tuple, soft)))
