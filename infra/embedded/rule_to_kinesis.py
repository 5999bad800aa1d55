"""An EventBridge rule with a Kinesis stream as target: one record an event."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from moto.kinesis.models import kinesis_backends
from moto.utilities.arns import parse_arn

from infra.embedded.atomic_requests import lock_of
from infra.embedded.json_path import at
from infra.embedded.kinesis_records import append

__all__ = ["deliver"]


def deliver(target: Mapping[str, Any], envelope: dict[str, Any], body: str) -> None:
    """The partition key is what PartitionKeyPath leads to, without one the event's id."""
    path = target.get("KinesisParameters", {}).get("PartitionKeyPath")
    key = at(envelope, path) if path else envelope["id"]
    arn = parse_arn(target["Arn"])
    with lock_of("kinesis"):
        stream = kinesis_backends[arn.account][arn.region].describe_stream(target["Arn"], None)
        append(stream, key if isinstance(key, str) else json.dumps(key), b64encode(body.encode()).decode())
