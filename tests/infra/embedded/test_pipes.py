import json
import threading
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.infra.embedded.clients import (
    ClientOf,
    envelopes,
    eventually,
    messages,
    queue,
    records,
    stream,
)

ENVELOPE = (
    '{"id":"<$.messageId>","sent":"<$.attributes.SentTimestamp>","time":"<aws.pipes.event.ingestion-time>",'
    '"detail":<$.body>}'
)


def pipe(client: ClientOf, source: str, target: str, template: str | None = ENVELOPE, **more: Any) -> None:
    parameters: dict[str, Any] = {"KinesisStreamParameters": {"PartitionKey": "$.messageId"}}
    if template is not None:
        parameters["InputTemplate"] = template
    client("pipes").create_pipe(
        Name=more.pop("name", "p"),
        Source=source,
        SourceParameters={"SqsQueueParameters": {"BatchSize": 2}},
        Target=target,
        TargetParameters=parameters | more.pop("parameters", {}),
        RoleArn="arn:aws:iam::123456789012:role/pipe",
        **more,
    )


def send(client: ClientOf, url: str, *bodies: Any, **more: Any) -> list[str]:
    """Message ids; what isn't text is sent as JSON."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return [client("sqs").send_message(QueueUrl=url, MessageBody=text, **more)["MessageId"] for text in texts]


def counts(client: ClientOf, url: str) -> tuple[int, int]:
    """Messages that can be received, messages that have been."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_a_message_becomes_a_record_as_the_template_says(client: ClientOf) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client))
    (message_id,) = send(client, url, {"eventType": "Bounce", "é": ['"']})
    (record,) = eventually(lambda: records(client))
    found = json.loads(record["Data"])
    assert record["PartitionKey"] == message_id
    assert found["id"] == message_id
    assert found["sent"].isdigit()
    assert found["time"][-5:-4] + found["time"][-1] == ".Z"
    assert found["detail"] == {"eventType": "Bounce", "é": ['"']}


def test_messages_that_were_there_before_the_pipe_are_moved_and_deleted(client: ClientOf) -> None:
    url, source = queue(client, "q")
    sent = send(client, url, *({"n": n} for n in range(7)))
    pipe(client, source, stream(client))
    eventually(lambda: counts(client, url) == (0, 0))
    assert [envelope["id"] for envelope in envelopes(client)] == sent


def test_without_a_template_the_record_is_the_message(client: ClientOf) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client), template=None)
    attribute = {"DataType": "String", "StringValue": "v"}
    (message_id,) = send(client, url, "text", MessageAttributes={"a": attribute})
    (found,) = eventually(lambda: envelopes(client))
    assert (found["messageId"], found["body"], found["eventSource"]) == (message_id, "text", "aws:sqs")
    assert found["messageAttributes"]["a"]["stringValue"] == "v"
    assert found["attributes"]["ApproximateReceiveCount"] == "1"


def test_a_body_that_is_no_json_arrives_as_a_string(client: ClientOf) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client))
    send(client, url, "Successfully validated")
    assert eventually(lambda: envelopes(client))[0]["detail"] == "Successfully validated"


@pytest.mark.parametrize(
    ("path", "key"), [("$.body.mail.id", "m-1"), ("constant", "constant"), ("$.body.n", "7")]
)
def test_the_partition_key_is_a_path_into_the_body_or_a_constant(
    client: ClientOf, path: str, key: str
) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client), parameters={"KinesisStreamParameters": {"PartitionKey": path}})
    send(client, url, {"mail": {"id": "m-1"}, "n": 7})
    assert eventually(lambda: records(client))[0]["PartitionKey"] == key


def test_a_delayed_message_waits_and_holds_up_no_other(client: ClientOf) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client))
    late = send(client, url, {}, DelaySeconds=1)
    early = send(client, url, {})
    assert [envelope["id"] for envelope in eventually(lambda: envelopes(client))] == early
    eventually(lambda: [envelope["id"] for envelope in envelopes(client)] == early + late)


def test_what_comes_by_a_topic_goes_on(client: ClientOf) -> None:
    _, source = queue(client, "q")
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=source, Attributes={"RawMessageDelivery": "true"}
    )
    pipe(client, source, stream(client))
    client("sns").publish(TopicArn=topic, Message='{"eventType":"Send"}')
    assert eventually(lambda: envelopes(client))[0]["detail"] == {"eventType": "Send"}


def test_a_failing_message_stays_until_its_dlq_takes_it_and_holds_up_no_other(client: ClientOf) -> None:
    grave, dlq = queue(client, "dlq")
    redrive = json.dumps({"deadLetterTargetArn": dlq, "maxReceiveCount": 3})
    url, source = queue(client, "q", VisibilityTimeout="0", RedrivePolicy=redrive)
    pipe(
        client, source, stream(client), parameters={"KinesisStreamParameters": {"PartitionKey": "$.body.key"}}
    )
    (bad,) = send(client, url, {"no": "key"})
    (good,) = send(client, url, {"key": "k"})
    (buried,) = eventually(lambda: messages(client, grave))
    assert (buried["MessageId"], buried["Attributes"]["ApproximateReceiveCount"]) == (bad, "4")
    assert [envelope["id"] for envelope in eventually(lambda: envelopes(client))] == [good]


def test_messages_wait_in_the_queue_for_a_stream_that_is_not_there(client: ClientOf) -> None:
    url, source = queue(client, "q", VisibilityTimeout="1")
    pipe(client, source, "arn:aws:kinesis:us-east-1:123456789012:stream/log")
    sent = send(client, url, {})
    eventually(lambda: counts(client, url) == (0, 1))
    stream(client)
    assert [envelope["id"] for envelope in eventually(lambda: envelopes(client))] == sent


def test_a_stopped_pipe_moves_nothing_until_it_is_started(client: ClientOf) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client), DesiredState="STOPPED")
    send(client, url, {})
    assert (counts(client, url), records(client)) == ((1, 0), [])
    client("pipes").start_pipe(Name="p")
    eventually(lambda: records(client))


def test_a_deleted_pipe_ends(client: ClientOf) -> None:
    url, source = queue(client, "q")
    pipe(client, source, stream(client))
    assert "pipe-p" in {thread.name for thread in threading.enumerate()}
    client("pipes").delete_pipe(Name="p")
    eventually(lambda: "pipe-p" not in {thread.name for thread in threading.enumerate()})
    send(client, url, {})
    assert (counts(client, url), records(client)) == ((1, 0), [])


def test_a_pipe_of_another_kind_exists_and_does_nothing(client: ClientOf) -> None:
    _, source = queue(client, "q")
    pipe(client, source, queue(client, "other")[1])
    assert client("pipes").describe_pipe(Name="p")["CurrentState"] == "RUNNING"
    assert "pipe-p" not in {thread.name for thread in threading.enumerate()}


def test_no_message_is_lost_between_two_pipes_and_many_senders(aws: EmbeddedAws) -> None:
    log = stream(aws.client, shards=2)
    urls = []
    for name in ("a", "b"):
        url, source = queue(aws.client, name)
        pipe(aws.client, source, log, name=name)
        urls.append(url)
    sent: list[str] = []

    def sender(url: str) -> None:
        sent.extend(send(aws.client, url, *({"n": n} for n in range(30))))

    threads = [threading.Thread(target=sender, args=(url,)) for url in urls * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: [counts(aws.client, url) for url in urls] == [(0, 0), (0, 0)])
    assert sorted(envelope["id"] for envelope in envelopes(aws.client)) == sorted(sent)
