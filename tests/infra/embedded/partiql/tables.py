"""The tables that the statements are run on, in plain values."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = "WHERE \"emailId\" = 'a'"
CONDITION_FAILED = ("ConditionalCheckFailedException", "The conditional request failed")


class Mails:
    """The table, emptied for each test, in plain values."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client

    def put(self, **attributes: Any) -> None:
        self.client.put_item(TableName="Mail", Item=wire({"emailId": "a", **attributes}))

    def get(self, key: str = "a") -> dict[str, Any] | None:
        found = self.client.get_item(TableName="Mail", Key={"emailId": {"S": key}}).get("Item")
        return plain(found) if found else None

    def run(self, text: str, *parameters: Any) -> list[dict[str, Any]]:
        answer = self.client.execute_statement(**request(text, *parameters))
        return [plain(item) for item in answer["Items"]]

    def batch(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        answer: Any = self.client.batch_execute_statement(Statements=list(requests))  # type: ignore[arg-type]
        return list(answer["Responses"])


def request(text: str, *parameters: Any) -> dict[str, Any]:
    given = {"Parameters": [TypeSerializer().serialize(value) for value in parameters]}
    return {"Statement": text, **(given if parameters else {})}


def wire(item: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def plain(item: Any) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def refusal(run: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        run()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def changes(table: str) -> list[tuple[str, Any, Any]]:
    """What the table's stream holds: kind, old item, new item."""
    shard = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].tables[table].stream_shard
    assert shard is not None
    return [
        (record.record["eventName"], *(_image(record, side) for side in ("OldImage", "NewImage")))
        for record in shard.items
    ]


def _image(record: Any, side: str) -> dict[str, Any] | None:
    image = record.to_json()["dynamodb"].get(side)
    return plain(image) if image else None
