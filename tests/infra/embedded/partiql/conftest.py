from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from infra.embedded import partiql
from infra.embedded.patches import Patches
from tests.infra.embedded.partiql.tables import Mails

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client() -> Iterator["DynamoDBClient"]:
    patches = Patches()
    partiql.install(patches)
    with mock_aws(), pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = boto3.client("dynamodb", region_name="us-east-1")
        index = {"IndexName": "by-to", "KeySchema": key("to", "at"), "Projection": {"ProjectionType": "ALL"}}
        create(client, "Mail", key("emailId"), {"emailId": "S", "to": "S", "at": "S"}, [index])
        create(client, "Pairs", key("pk", "sk"), {"pk": "S", "sk": "N"})
        yield client
    patches.undo()


def key(*names: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]


def create(
    client: "DynamoDBClient", name: str, schema: Any, types: dict[str, str], indexes: Any = ()
) -> None:
    attributes: Any = [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=schema,
        AttributeDefinitions=attributes,
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )


@pytest.fixture
def mails(client: "DynamoDBClient") -> Mails:
    for item in client.scan(TableName="Mail")["Items"]:
        client.delete_item(TableName="Mail", Key={"emailId": item["emailId"]})
    return Mails(client)
