"""The delay queue and the queue of parked letters, as they are in the stack."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from consumers.parking import LETTER_BYTES, Letter, letter_text
from consumers.sqs import DelayQueue, ParkedQueue
from pipeline.errors import Misconfigured, Unavailable
from pipeline.events import SendDue
from tests import builders
from tests.consumers.conftest import Deployed

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"


def due(number: int) -> SendDue:
    return SendDue(
        email_id=f"retry-{number}",
        original_email_id=f"order-{number}",
        retry_attempt=1,
        place=builders.place(number),
        reason="soft bounce",
    )


@pytest.fixture(scope="module")
def sqs() -> Any:
    return boto3.client(
        "sqs", region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


class Calls:
    """A client that notes the batches it is asked to send, and takes them."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append(Entries)
        return {"Successful": [], "Failed": []}


def sent(count: int, seconds: int) -> list[list[dict[str, Any]]]:
    calls: Any = Calls()
    DelayQueue(calls, URL).defer([due(number) for number in range(count)], seconds)
    batches: list[list[dict[str, Any]]] = calls.batches
    return batches


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])]
)
def test_at_most_ten_go_in_a_call(count: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in sent(count, 5)] == sizes


def test_every_one_goes_once_and_in_order() -> None:
    bodies = [json.loads(entry["MessageBody"]) for batch in sent(25, 5) for entry in batch]
    assert [body["emailId"] for body in bodies] == [f"retry-{number}" for number in range(25)]


def test_the_ids_in_a_call_are_distinct() -> None:
    assert all(len({entry["Id"] for entry in batch}) == len(batch) for batch in sent(25, 5))


@pytest.mark.parametrize(("asked", "delay"), [(-1, 0), (0, 0), (641, 641), (900, 900), (3600, 900)])
def test_the_delay_is_one_that_the_queue_can_have(asked: int, delay: int) -> None:
    assert sent(1, asked)[0][0]["DelaySeconds"] == delay


def test_a_part_that_was_refused_is_all_to_be_deferred_again(sqs: Any) -> None:
    refused = {"Id": "1", "SenderFault": False, "Code": "InternalError"}
    with Stubber(sqs) as stubber:
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": [refused]})
        with pytest.raises(Unavailable, match="refused 1 of 2"):
            DelayQueue(sqs, URL).defer([due(1), due(2)], 5)


def test_a_queue_that_is_missing_is_an_operators_business(deployed: Deployed) -> None:
    missing = f"{deployed.settings.delay_queue_url}-missing"
    with pytest.raises(Misconfigured):
        DelayQueue(deployed.client("sqs"), missing).defer([due(1)], 5)


def test_what_was_deferred_comes_back_as_it_was(deployed: Deployed) -> None:
    """Straight from a queue; in the stack a Pipe brings it into the log."""
    sqs = deployed.client("sqs")
    url = sqs.create_queue(QueueName="delays")["QueueUrl"]
    DelayQueue(sqs, url).defer([due(1)], 0)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert SendDue.model_validate_json(message["Body"]) == due(1)


def test_a_parked_letter_lies_in_the_queue(deployed: Deployed) -> None:
    sqs, url = deployed.client("sqs"), deployed.settings.parked_queue_url
    letter = Letter("projector", builders.record(b"{}", 5), "ValueError: no", 3)
    ParkedQueue(sqs, url).put(letter)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert message["Body"] == letter_text(letter)


def test_the_largest_record_of_the_log_can_be_parked(deployed: Deployed) -> None:
    sqs, url = deployed.client("sqs"), deployed.settings.parked_queue_url
    ParkedQueue(sqs, url).put(Letter("projector", builders.record(b"x" * 10_485_760), "why", 3))
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert len(message["Body"]) <= LETTER_BYTES
