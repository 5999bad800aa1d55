"""Many threads at once, half of them in this process and half over HTTP."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.infra.embedded.clients import ClientOf, over_http, queue, records, stream
from tests.infra.embedded.test_server import TABLE

THREADS = 8
ROUNDS = 15


@pytest.fixture
def kinds(aws: EmbeddedAws) -> list[ClientOf]:
    """A client factory for each thread."""
    return [aws.client, lambda service: over_http(aws, service)] * (THREADS // 2)


def together(work: Callable[[int], Any]) -> list[Any]:
    """What each thread got, all of them having started at the same moment."""
    results: list[Any] = [None] * THREADS
    gate = threading.Barrier(THREADS)

    def run(index: int) -> None:
        gate.wait()
        results[index] = work(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_of_many_conditional_puts_wins(aws: EmbeddedAws, kinds: list[ClientOf]) -> None:
    aws.client("dynamodb").create_table(**TABLE)
    clients = [kind("dynamodb") for kind in kinds]

    def claim(index: int) -> list[int]:
        won = []
        for number in range(ROUNDS):
            item = {"pk": {"S": str(number)}, "owner": {"N": str(index)}}
            try:
                clients[index].put_item(
                    TableName="t", Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
            except clients[index].exceptions.ConditionalCheckFailedException:
                continue
            won.append(number)
        return won

    assert sorted(number for won in together(claim) for number in won) == list(range(ROUNDS))


def test_no_increment_is_lost_while_others_scan(aws: EmbeddedAws, kinds: list[ClientOf]) -> None:
    aws.client("dynamodb").create_table(**TABLE)
    clients = [kind("dynamodb") for kind in kinds]

    def count(index: int) -> None:
        for number in range(ROUNDS):
            clients[index].update_item(
                TableName="t",
                Key={"pk": {"S": "counter"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
            clients[index].put_item(TableName="t", Item={"pk": {"S": f"{index} {number}"}})
            clients[index].scan(TableName="t")

    together(count)
    found = aws.client("dynamodb").get_item(TableName="t", Key={"pk": {"S": "counter"}})["Item"]
    assert found["n"] == {"N": str(THREADS * ROUNDS)}


def test_a_message_is_received_by_one(aws: EmbeddedAws, kinds: list[ClientOf]) -> None:
    url, _ = queue(aws.client, "q")
    clients = [kind("sqs") for kind in kinds]
    for number in range(ROUNDS * 4):
        clients[0].send_message(QueueUrl=url, MessageBody=str(number))

    def receive(index: int) -> list[str]:
        bodies = []
        while found := clients[index].receive_message(QueueUrl=url, MaxNumberOfMessages=3).get("Messages"):
            bodies += [message["Body"] for message in found]
        return bodies

    received = [body for bodies in together(receive) for body in bodies]
    assert sorted(received, key=int) == [str(number) for number in range(ROUNDS * 4)]


def test_every_record_has_a_number_of_its_own_in_the_order_of_the_shard(
    aws: EmbeddedAws, kinds: list[ClientOf]
) -> None:
    stream(aws.client)
    clients = [kind("kinesis") for kind in kinds]

    def put(index: int) -> list[str]:
        return [
            clients[index].put_record(StreamName="log", PartitionKey=str(index), Data=b"x")["SequenceNumber"]
            for _ in range(ROUNDS)
        ]

    returned = together(put)
    stored = [record["SequenceNumber"] for record in records(aws.client)]
    assert stored == sorted({number for numbers in returned for number in numbers}, key=int)
    assert len(stored) == THREADS * ROUNDS
    assert all(numbers == sorted(numbers, key=int) for numbers in returned)


def test_an_object_that_must_not_exist_is_created_once(aws: EmbeddedAws, kinds: list[ClientOf]) -> None:
    aws.client("s3").create_bucket(Bucket="archive")
    clients = [kind("s3") for kind in kinds]

    def create(index: int) -> list[int]:
        won = []
        for number in range(ROUNDS):
            try:
                clients[index].put_object(
                    Bucket="archive", Key=str(number), Body=str(index).encode(), IfNoneMatch="*"
                )
            except clients[index].exceptions.ClientError:
                continue
            won.append(number)
        return won

    assert sorted(number for won in together(create) for number in won) == list(range(ROUNDS))
