"""Ways into an embedded AWS, and what tests of it do again and again."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from infra.embedded import EmbeddedAws

Json = dict[str, Any]
ClientOf = Callable[[str], Any]
DEADLINE = 20.0


@cache
def _session() -> boto3.Session:
    return boto3.Session("x", "y", region_name="us-east-1")


def over_http(aws: EmbeddedAws, service: str, config: Config | None = None) -> Any:
    made: Any = _session().client(service, endpoint_url=aws.endpoint, config=config)  # type: ignore[call-overload]
    return made


def eventually(what: Callable[[], Any]) -> Any:
    """What it returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE
    while not (found := what()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.005)
    return found


def queue(client: ClientOf, name: str, **attributes: str) -> tuple[str, str]:
    """Its URL and its ARN."""
    url = client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def messages(client: ClientOf, url: str) -> list[Json]:
    """What can be received now; it is not deleted."""
    found = client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    received: list[Json] = found.get("Messages", [])
    return received


def stream(client: ClientOf, name: str = "log", shards: int = 1, **more: Any) -> str:
    """Its ARN."""
    client("kinesis").create_stream(StreamName=name, ShardCount=shards, **more)
    return str(summary(client, name)["StreamARN"])


def summary(client: ClientOf, name: str = "log") -> Json:
    described: Json = client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return described


def iterator(client: ClientOf, shard: str, kind: str = "TRIM_HORIZON", name: str = "log", **more: Any) -> str:
    found = client("kinesis").get_shard_iterator(
        StreamName=name, ShardId=shard, ShardIteratorType=kind, **more
    )
    return str(found["ShardIterator"])


def read(client: ClientOf, shard: str, kind: str = "TRIM_HORIZON", name: str = "log", **more: Any) -> Json:
    found: Json = client("kinesis").get_records(ShardIterator=iterator(client, shard, kind, name, **more))
    return found


def shards(client: ClientOf, name: str = "log") -> list[Json]:
    found: list[Json] = client("kinesis").list_shards(StreamName=name)["Shards"]
    return found


def records(client: ClientOf, name: str = "log") -> list[Json]:
    """All of them, shard by shard."""
    return [
        record
        for shard in shards(client, name)
        for record in read(client, shard["ShardId"], name=name)["Records"]
    ]


def envelopes(client: ClientOf, name: str = "log") -> list[Json]:
    return [json.loads(record["Data"]) for record in records(client, name)]
