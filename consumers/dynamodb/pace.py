"""The grants of the senders' pace on DynamoDB."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumers.pace import Block
from pipeline.aws import error_code, service_errors
from pipeline.dynamodb import marshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["PaceTable"]


class PaceTable:
    """The grants of sending, in one item of `{stack}-Reputation`, which has no key that a client chooses."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def take(self, number: int, wanted: int, most: int) -> Block:
        wanted = min(wanted, most)
        while wanted > 0:
            there = self._add(number, wanted, most)
            if there is None or (there.number < number and self._begin(number, wanted)):
                return Block(number, wanted)
            if there.number >= number:
                number, wanted = there.number, min(wanted, most - there.granted)
        return Block(number, 0)

    def _add(self, number: int, wanted: int, most: int) -> Block | None:
        """None once it is granted, else the block that is there."""
        return self._update(
            "SET granted = granted + :wanted",
            "#block = :block AND granted <= :room",
            {":block": marshal(number), ":wanted": marshal(wanted), ":room": marshal(most - wanted)},
        )

    def _begin(self, number: int, wanted: int) -> bool:
        values = {":block": marshal(number), ":wanted": marshal(wanted)}
        condition = "attribute_not_exists(#block) OR #block < :block"
        return self._update("SET #block = :block, granted = :wanted", condition, values) is None

    def _update(self, update: str, condition: str, values: Mapping[str, Any]) -> Block | None:
        with service_errors("DynamoDB"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"day": {"S": "pace"}, "minute": {"S": "sending"}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#block": "block"},
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                item: Any = error.response.get("Item") or {}
                return Block(*(int(item[name]["N"]) if name in item else -1 for name in ("block", "granted")))
        return None
