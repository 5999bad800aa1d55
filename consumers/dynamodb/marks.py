"""How far each shard is heard, on DynamoDB."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws import service_errors
from pipeline.dynamodb import unmarshal_item
from pipeline.log import sequence_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["MarksTable"]

DAY = "heard"


class MarksTable:
    """An item for each shard in `{stack}-Reputation`, which has no key that a client chooses."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def write(self, shard: str, sequence: int) -> None:
        item = {"day": {"S": DAY}, "minute": {"S": shard}, "sequence": {"S": sequence_text(sequence)}}
        with service_errors("DynamoDB"):
            self._client.put_item(TableName=self._table, Item=item)

    def read(self) -> Mapping[str, int]:
        asked: Any = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#day = :day",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": {":day": {"S": DAY}},
        }
        with service_errors("DynamoDB"):
            pages = self._client.get_paginator("query").paginate(**asked)
            rows = [unmarshal_item(raw) for page in pages for raw in page["Items"]]
        return {row["minute"]: int(row["sequence"]) for row in rows}
