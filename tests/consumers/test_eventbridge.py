"""The bus takes announcements in batches, and every one at least once."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from consumers.eventbridge import EventBus
from pipeline.errors import Unavailable
from tests.builders import NINE, envelope, envelopes
from tests.consumers.conftest import Deployed


@pytest.fixture(scope="module")
def events() -> Any:
    return boto3.client(
        "events", region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


class Calls:
    """A client that notes the entries it is asked to put, and takes them."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append(Entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "x"} for _ in Entries]}


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])]
)
def test_at_most_ten_go_in_a_call(count: int, sizes: list[int]) -> None:
    calls: Any = Calls()
    EventBus(calls, "bus").publish(envelopes(count))
    assert [len(batch) for batch in calls.batches] == sizes


def test_an_entry_is_the_envelope() -> None:
    calls: Any = Calls()
    told = envelope("Email Status Changed", {"status": "delivered", "größe": [1]}, source="sesmailengine")
    EventBus(calls, "bus").publish([told])
    ((entry,),) = calls.batches
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"], entry["Time"]) == (
        "bus",
        "sesmailengine",
        "Email Status Changed",
        NINE,
    )
    assert json.loads(entry["Detail"]) == told.detail


def test_a_part_that_failed_is_all_to_be_published_again(events: Any) -> None:
    taken, failed = {"EventId": "x"}, {"ErrorCode": "InternalFailure", "ErrorMessage": "sorry"}
    with Stubber(events) as stubber:
        stubber.add_response("put_events", {"FailedEntryCount": 1, "Entries": [taken, failed]})
        with pytest.raises(Unavailable, match="InternalFailure: sorry"):
            EventBus(events, "bus").publish(envelopes(2))


def test_a_failure_of_one_call_leaves_the_calls_behind_it_undone(events: Any) -> None:
    failed = {"ErrorCode": "ThrottlingException"}
    with Stubber(events) as stubber:
        stubber.add_response("put_events", {"FailedEntryCount": 1, "Entries": [failed]})
        with pytest.raises(Unavailable):
            EventBus(events, "bus").publish(envelopes(11))
        stubber.assert_no_pending_responses()


def test_a_bus_that_is_down_is_waited_for(events: Any) -> None:
    with Stubber(events) as stubber:
        stubber.add_client_error("put_events", "InternalException", "sorry", 500)
        with pytest.raises(Unavailable):
            EventBus(events, "bus").publish(envelopes(1))


def test_a_rule_on_the_stacks_bus_sees_what_was_published(deployed: Deployed) -> None:
    bus = deployed.settings.event_bus_name
    sqs, events = deployed.client("sqs"), deployed.client("events")
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"detail-type": ["Email Status Changed"]})
    events.put_rule(Name="listen", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="listen", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    told = envelope("Email Status Changed", {"status": "delivered"}, source="sesmailengine")
    EventBus(events, bus).publish([told])
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["detail"] == told.detail
