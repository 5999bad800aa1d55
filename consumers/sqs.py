"""Queues: the delay queue, from which a Pipe brings `Send Due` into the log, and the parked letters."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from consumers.parking import Letter, letter_text
from pipeline.aws import service_errors
from pipeline.errors import Unavailable
from pipeline.events import SendDue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["DelayQueue", "ParkedQueue"]

MESSAGES_A_CALL = 10
LONGEST_DELAY = 900


class DelayQueue:
    """Delivery guarantee: at-least-once, not before the delay (at most 15 minutes a round)."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client, self._url = client, url

    def defer(self, due: Sequence[SendDue], seconds: int) -> None:
        for start in range(0, len(due), MESSAGES_A_CALL):
            self._send(due[start : start + MESSAGES_A_CALL], min(max(seconds, 0), LONGEST_DELAY))

    def _send(self, due: Sequence[SendDue], seconds: int) -> None:
        entries: Any = [
            {
                "Id": str(index),
                "MessageBody": json.dumps(each.model_dump(by_alias=True, exclude_none=True)),
                "DelaySeconds": seconds,
            }
            for index, each in enumerate(due)
        ]
        with service_errors("SQS"):
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        if answer.get("Failed"):
            raise Unavailable(f"SQS: refused {len(answer['Failed'])} of {len(due)} deferred requests")


class ParkedQueue:
    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client, self._url = client, url

    def put(self, letter: Letter) -> None:
        with service_errors("SQS"):
            self._client.send_message(QueueUrl=self._url, MessageBody=letter_text(letter))
