"""A simulated SES in moto, with a configuration set whose events go by SNS, raw, into an SQS queue."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from moto import mock_aws

from infra.embedded.ses import SesConfig, SimulatedSes, install, uninstall
from infra.embedded.ses.event_types import EVENT_TYPES

Json = dict[str, Any]

REGION = "us-east-1"
ACCOUNT = "123456789012"
SET = "engine"
NOON = 1_795_521_600.0
ALL_TYPES = [event.matching for event in EVENT_TYPES.values()]


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@cache
def client(service: str, endpoint: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


@dataclass(frozen=True)
class World:
    ses: SimulatedSes
    clock: Clock
    topic: str
    queue: str

    def send(self, to: str = "ana@example.com", tags: Mapping[str, str] | None = None, **more: Any) -> str:
        request = simple(to, tags) | more
        return str(client("sesv2").send_email(**request)["MessageId"])

    def events(self) -> list[Json]:
        """All that has been published since the last call, in the order of arrival."""
        assert self.ses.settle(timeout=30)
        bodies = []
        while (
            found := client("sqs")
            .receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
            .get("Messages")
        ):
            bodies += [message["Body"] for message in found]
            for message in found:
                client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(body) for body in bodies]


def simple(to: str = "ana@example.com", tags: Mapping[str, str] | None = None) -> Json:
    """A SendEmail request."""
    body = {"Html": {"Data": '<a href="https://acme.example/a?b=1&amp;c=2">x</a>'}, "Text": {"Data": "x"}}
    return {
        "FromEmailAddress": "Acme <orders@mail.acme.example>",
        "Destination": {"ToAddresses": [to]},
        "Content": {"Simple": {"Subject": {"Data": "Your order"}, "Body": body}},
        "EmailTags": [{"Name": name, "Value": value} for name, value in (tags or {}).items()],
        "ConfigurationSetName": SET,
    }


@contextmanager
def world(**config: Any) -> Iterator[World]:
    """Everything is published at once and, unless asked otherwise, once."""
    quick: Json = {"delay_scale": 0.0, "duplicates": 0.0, "max_send_rate": 1000.0}
    clock = Clock()
    with mock_aws():
        ses = install(SesConfig(**quick | config), clock)
        try:
            yield World(ses, clock, *_deploy())
        finally:
            uninstall()


def _deploy() -> tuple[str, str]:
    sns, sqs, sesv2 = client("sns"), client("sqs"), client("sesv2")
    topic = sns.create_topic(Name="feedback")["TopicArn"]
    queue = sqs.create_queue(QueueName="feedback")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:feedback",
        Attributes={"RawMessageDelivery": "true"},
    )
    sesv2.create_configuration_set(ConfigurationSetName=SET)
    sesv2.create_configuration_set_event_destination(
        ConfigurationSetName=SET,
        EventDestinationName="to-sns",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ALL_TYPES,
            "SnsDestination": {"TopicArn": topic},
        },
    )
    return topic, queue
