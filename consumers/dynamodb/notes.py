"""The hosts' notes of what is in hand on DynamoDB."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumers.in_hand import Note
from pipeline.aws import error_code, service_errors
from pipeline.dynamodb import marshal, unmarshal
from pipeline.log import sequence_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["NotesTable"]


class NotesTable:
    """Notes of what is in hand, in items of `{stack}-Reputation`, which has no key that a client chooses."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def read(self, consumer: str, shard: str) -> Note | None:
        with service_errors("DynamoDB"):
            found = self._client.get_item(
                TableName=self._table, Key=_note_key(consumer, shard), ConsistentRead=True
            )
        row = {name: unmarshal(value) for name, value in found.get("Item", {}).items()}
        if not row:
            return None
        checkpoint, record = (int(row[name]) if name in row else None for name in ("checkpoint", "record"))
        return Note(checkpoint, row["starts"], record, row.get("attempts", 0), row.get("beat", 0))

    def write(self, consumer: str, shard: str, note: Note, owner: str) -> None:
        with service_errors("DynamoDB"):
            self._client.put_item(TableName=self._table, Item=_note_item(consumer, shard, note, owner))

    def change(self, consumer: str, shard: str, note: Note, owner: str) -> bool:
        with service_errors("DynamoDB"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_note_item(consumer, shard, note, owner),
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _note_item(consumer: str, shard: str, note: Note, owner: str) -> dict[str, Any]:
    item = _note_key(consumer, shard) | {"starts": marshal(note.starts), "owner": {"S": owner}}
    if note.checkpoint is not None:
        item["checkpoint"] = marshal(sequence_text(note.checkpoint))
    if note.record is not None:
        item |= {"record": marshal(sequence_text(note.record)), "attempts": marshal(note.attempts)}
        item["beat"] = marshal(note.beat)
    return item


def _note_key(consumer: str, shard: str) -> dict[str, Any]:
    return {"day": {"S": "in hand"}, "minute": {"S": f"{consumer} {shard}"}}
