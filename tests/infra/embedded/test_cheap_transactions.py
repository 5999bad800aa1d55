"""A transaction that is cancelled leaves no trace, whatever it would have written."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.embedded import EmbeddedAws
from tests.infra.embedded.clients import ClientOf
from tests.infra.embedded.test_server import TABLE

RANGED = {
    "TableName": "ranged",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
}


def rows(dynamodb: Any) -> dict[str, list[Any]]:
    return {name: sorted(dynamodb.scan(TableName=name)["Items"], key=str) for name in ("t", "ranged")}


def update(table: str, key: dict[str, Any], **condition: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "SET tags = list_append(tags, :new), n = n + :one",
            "ExpressionAttributeValues": {":new": {"L": [{"S": "new"}]}, ":one": {"N": "1"}},
            **condition,
        }
    }


def test_what_was_put_updated_or_deleted_is_as_before_once_the_transaction_is_cancelled(
    client: ClientOf,
) -> None:
    dynamodb: Any = client("dynamodb")
    dynamodb.create_table(**TABLE)
    dynamodb.create_table(**RANGED)
    state = {"n": {"N": "1"}, "tags": {"L": [{"S": "old"}]}}
    keys = {"t": {"pk": {"S": "a"}}, "ranged": {"pk": {"S": "a"}, "sk": {"S": "b"}}}
    for table, key in keys.items():
        dynamodb.put_item(TableName=table, Item=key | state)
        dynamodb.put_item(TableName=table, Item={name: {"S": "other"} for name in key})
    before = rows(dynamodb)
    writes: list[Any] = [
        write
        for table, key in keys.items()
        for write in (
            update(table, key),
            {"Put": {"TableName": table, "Item": {name: {"S": "new"} for name in key}}},
            {"Delete": {"TableName": table, "Key": {name: {"S": "other"} for name in key}}},
        )
    ]
    refused = {"Put": {"TableName": "ranged", "Item": keys["ranged"] | {"sk": {"S": "c"}}}}
    refused["Put"] |= {"ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.transact_write_items(TransactItems=[*writes, refused])
    assert rows(dynamodb) == before
    dynamodb.transact_write_items(TransactItems=writes)
    after = rows(dynamodb)
    assert [row["n"] for row in after["t"] + after["ranged"] if "n" in row] == [{"N": "2"}, {"N": "2"}]


def test_a_transaction_takes_no_longer_among_many_rows(aws: EmbeddedAws) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(**TABLE)

    def seconds() -> float:
        begun = time.process_time()
        for number in range(5):
            put: Any = {"Put": {"TableName": "t", "Item": {"pk": {"S": f"one {number}"}}}}
            dynamodb.transact_write_items(TransactItems=[put])
        return time.process_time() - begun

    few = seconds()
    for start in range(0, 4000, 25):
        puts = [{"PutRequest": {"Item": {"pk": {"S": str(start + n)}, "v": {"S": "x"}}}} for n in range(25)]
        dynamodb.batch_write_item(RequestItems={"t": puts})
    assert seconds() < 10 * max(few, 0.05)
