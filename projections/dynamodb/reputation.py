"""The reputation table: the bounce rate of each day."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline import times
from pipeline.aws import error_code, service_errors
from pipeline.codec import Event
from pipeline.dynamodb import marshal
from projections.reputation import Minute, Reputation, Tally, fold

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["ReputationTable"]

Raw = dict[str, Any]

HOUR = "hour "


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
