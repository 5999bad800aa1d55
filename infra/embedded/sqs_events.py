"""A message as EventBridge Pipes (and Lambda) hand it on."""

import json
from base64 import b64encode
from typing import Any

from moto.sqs.models import Message, Queue

__all__ = ["as_event", "with_parsed_body"]


def as_event(queue: Queue, message: Message) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


def with_parsed_body(event: dict[str, Any]) -> dict[str, Any]:
    """The body as the object that it is in JSON, so that paths lead into it; any other body as the text it is."""
    try:
        body = json.loads(event["body"])
    except ValueError:
        return event
    return {**event, "body": body} if isinstance(body, dict | list) else event


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value.get("DataType")}
    if value.get("StringValue") is not None:
        made["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        binary = value["BinaryValue"]
        made["binaryValue"] = b64encode(binary).decode() if isinstance(binary, bytes) else binary
    return made
