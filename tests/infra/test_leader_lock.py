"""The lock of a dead leader is taken away, and nobody else's."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumers.kcl.properties import Application
from infra.embedded import EmbeddedAws
from infra.leader_lock import release

DEAD = Application("engine-projector", "stream", "us-east-1", "worker-1", "command", 1000)
TABLE = "engine-projector-CoordinatorState"
KEY = {"key": {"S": "Leader"}}


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with EmbeddedAws() as aws:
        client = aws.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        )
        yield client


@pytest.mark.parametrize(("owner", "is_left"), [("worker-1", False), ("worker-2", True)])
def test_only_the_lock_of_the_dead_is_taken_away(dynamodb: Any, owner: str, is_left: bool) -> None:
    dynamodb.put_item(TableName=TABLE, Item=KEY | {"ownerName": {"S": owner}})
    release(dynamodb, DEAD)
    assert ("Item" in dynamodb.get_item(TableName=TABLE, Key=KEY)) == is_left


@pytest.mark.parametrize("name", ["engine-projector", "engine-without-a-table"])
def test_where_there_is_no_lock_there_is_nothing_to_do(
    dynamodb: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    dynamodb.delete_item(TableName=TABLE, Key=KEY)
    release(dynamodb, Application(name, "stream", "us-east-1", "worker-1", "command", 1000))
    assert caplog.records == []
