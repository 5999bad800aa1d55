"""The checkpoints of the one-machine host on DynamoDB."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws import error_code, service_errors
from pipeline.dynamodb import marshal, unmarshal
from pipeline.log import sequence_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["CheckpointTable"]


class CheckpointTable:
    """Checkpoints of the one-machine host, in a table of its own that it makes when it is missing."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def create(self) -> None:
        with service_errors("DynamoDB"):
            try:
                self._client.create_table(
                    TableName=self._table,
                    BillingMode="PAY_PER_REQUEST",
                    KeySchema=[
                        {"AttributeName": "consumer", "KeyType": "HASH"},
                        {"AttributeName": "shard", "KeyType": "RANGE"},
                    ],
                    AttributeDefinitions=[
                        {"AttributeName": "consumer", "AttributeType": "S"},
                        {"AttributeName": "shard", "AttributeType": "S"},
                    ],
                )
            except ClientError as error:
                if error_code(error) != "ResourceInUseException":
                    raise
            self._client.get_waiter("table_exists").wait(TableName=self._table)

    def read(self, consumer: str, shard: str) -> tuple[int | None, bool]:
        """The checkpointed sequence number, and whether the shard was read to its end."""
        with service_errors("DynamoDB"):
            found = self._client.get_item(
                TableName=self._table, Key=_checkpoint_key(consumer, shard), ConsistentRead=True
            )
        row = {name: unmarshal(value) for name, value in found.get("Item", {}).items()}
        return (int(row["sequence"]) if "sequence" in row else None), bool(row.get("ended"))

    def write(self, consumer: str, shard: str, sequence: int | None, at: datetime, *, ended: bool) -> None:
        item = _checkpoint_key(consumer, shard) | {"ended": marshal(ended), "at": marshal(at.isoformat())}
        if sequence is not None:
            item["sequence"] = marshal(sequence_text(sequence))
        with service_errors("DynamoDB"):
            self._client.put_item(TableName=self._table, Item=item)


def _checkpoint_key(consumer: str, shard: str) -> dict[str, Any]:
    return {"consumer": {"S": consumer}, "shard": {"S": shard}}
