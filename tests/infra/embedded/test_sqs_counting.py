import json

import pytest

from tests.infra.embedded.clients import ClientOf, messages, queue

COUNTS = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
]


def test_messages_are_counted_by_what_they_wait_for(client: ClientOf) -> None:
    url, _ = queue(client, "q")
    for delay in (0, 0, 0, 900, 900):
        client("sqs").send_message(QueueUrl=url, MessageBody="x", DelaySeconds=delay)
    client("sqs").receive_message(QueueUrl=url)
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
    assert [found[name] for name in COUNTS] == ["2", "2", "1"]


def test_attributes_are_those_that_were_set(client: ClientOf) -> None:
    _, dlq = queue(client, "dlq")
    redrive = {"deadLetterTargetArn": dlq, "maxReceiveCount": 3}
    url, arn = queue(client, "q", VisibilityTimeout="7", RedrivePolicy=json.dumps(redrive))
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(found.pop("RedrivePolicy")) == redrive
    assert (found["QueueArn"], found["VisibilityTimeout"], found["SqsManagedSseEnabled"]) == (
        arn,
        "7",
        "true",
    )
    assert {"Policy", "FifoQueue", "KmsMasterKeyId"}.isdisjoint(found)


def test_a_fifo_queue_has_those_of_its_kind_and_drops_what_it_has_had(client: ClientOf) -> None:
    url, _ = queue(client, "q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["FifoQueue"], found["ContentBasedDeduplication"]) == ("true", "true")
    for _ in range(2):
        client("sqs").send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
    assert len(messages(client, url)) == 1


@pytest.mark.parametrize(("timeout", "again"), [("0", 1), ("30", 0)])
def test_a_received_message_is_hidden_as_long_as_the_queue_says(
    client: ClientOf, timeout: str, again: int
) -> None:
    url, _ = queue(client, "q", VisibilityTimeout=timeout)
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert [len(messages(client, url)) for _ in range(2)] == [1, again]
