from moto.kinesis.models import Stream
from moto.sns.models import sns_backends
from moto.sqs.models import Message

from infra.embedded import ACCOUNT, EmbeddedAws
from tests.infra.embedded.clients import queue, stream


def test_messages_and_notifications_are_not_remembered(aws: EmbeddedAws) -> None:
    url, arn = queue(aws.client, "q")
    topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    stream(aws.client)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    aws.client("sns").publish(TopicArn=topic, Message="x")
    assert sns_backends[ACCOUNT]["us-east-1"].topics[topic].sent_notifications == []
    assert [vars(model)["instances_tracked"] for model in (Message, Stream)] == [[], []]
