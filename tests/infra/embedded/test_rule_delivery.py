import json
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.infra.embedded.clients import ClientOf, envelopes, messages, queue, records, stream

MEMBERS = ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
ENTRY: dict[str, Any] = {
    "Source": "shop",
    "DetailType": "Email Request",
    "Detail": json.dumps({"emailId": "e1", "text": '<id> <source> é " \\', "n": 1}),
    "Resources": ["arn:x"],
}


def rule(client: ClientOf, *targets: dict[str, Any], name: str = "r", **more: Any) -> None:
    events = client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"detail-type": ["Email Request"]}), **more)
    events.put_targets(Rule=name, Targets=[{"Id": str(n), **target} for n, target in enumerate(targets)])


def put(client: ClientOf, **more: Any) -> str:
    answer = client("events").put_events(Entries=[{**ENTRY, **more}])
    assert answer["FailedEntryCount"] == 0
    return str(answer["Entries"][0]["EventId"])


def test_a_stream_gets_the_whole_envelope(client: ClientOf) -> None:
    rule(client, {"Arn": stream(client)})
    event_id = put(client, Time=1_764_000_000)
    (envelope,) = envelopes(client)
    assert list(envelope) == MEMBERS
    assert envelope == {
        "version": "0",
        "id": event_id,
        "detail-type": "Email Request",
        "source": "shop",
        "account": "123456789012",
        "time": "2025-11-24T16:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": json.loads(ENTRY["Detail"]),
    }


def test_the_partition_key_is_the_events_id(client: ClientOf) -> None:
    rule(client, {"Arn": stream(client)})
    event_id = put(client)
    assert records(client)[0]["PartitionKey"] == event_id


@pytest.mark.parametrize(
    ("path", "key"), [("$.detail.emailId", "e1"), ("$.detail.n", "1"), ("$.source", "shop")]
)
def test_or_what_the_path_leads_to(client: ClientOf, path: str, key: str) -> None:
    rule(client, {"Arn": stream(client), "KinesisParameters": {"PartitionKeyPath": path}})
    put(client)
    assert records(client)[0]["PartitionKey"] == key


def test_a_queue_gets_the_whole_envelope_too(client: ClientOf) -> None:
    url, arn = queue(client, "q")
    rule(client, {"Arn": arn})
    put(client)
    (message,) = messages(client, url)
    envelope = json.loads(message["Body"])
    assert list(envelope) == MEMBERS
    assert envelope["detail"] == json.loads(ENTRY["Detail"])


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ({"Input": '{"a": 1}'}, {"a": 1}),
        ({"InputPath": "$.detail.emailId"}, "e1"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"e": "$.detail.emailId"},
                    "InputTemplate": '{"x": "<e>"}',
                }
            },
            {"x": "e1"},
        ),
    ],
)
def test_a_target_may_ask_for_another_input(client: ClientOf, target: dict[str, Any], body: Any) -> None:
    url, arn = queue(client, "q")
    rule(client, {"Arn": arn, **target})
    put(client)
    assert json.loads(messages(client, url)[0]["Body"]) == body


def test_an_event_goes_to_all_targets_of_all_matching_rules(client: ClientOf) -> None:
    first, second = queue(client, "a"), queue(client, "b")
    rule(client, {"Arn": first[1]}, {"Arn": stream(client)})
    rule(client, {"Arn": second[1]}, name="other")
    put(client)
    assert [len(messages(client, url)) for url, _ in (first, second)] == [1, 1]
    assert len(records(client)) == 1


def test_an_event_that_does_not_match_goes_nowhere(client: ClientOf) -> None:
    rule(client, {"Arn": stream(client)})
    put(client, DetailType="Other")
    assert records(client) == []


def test_a_disabled_rule_delivers_nothing(client: ClientOf) -> None:
    rule(client, {"Arn": stream(client)}, State="DISABLED")
    put(client)
    assert records(client) == []


def test_targets_that_moto_knows_are_still_its_own(client: ClientOf) -> None:
    client("logs").create_log_group(logGroupName="/events")
    client("events").create_event_bus(Name="second")
    url, queue_arn = queue(client, "q")
    events = client("events")
    events.put_rule(Name="r2", EventBusName="second", EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule="r2", EventBusName="second", Targets=[{"Id": "q", "Arn": queue_arn}])
    rule(
        client,
        {"Arn": "arn:aws:events:us-east-1:123456789012:event-bus/second"},
        {"Arn": "arn:aws:logs:us-east-1:123456789012:log-group:/events"},
    )
    put(client)
    assert json.loads(messages(client, url)[0]["Body"])["detail"] == json.loads(ENTRY["Detail"])
    logged = client("logs").filter_log_events(logGroupName="/events")["events"]
    assert json.loads(logged[0]["message"])["detail"] == json.loads(ENTRY["Detail"])


def test_what_fails_goes_to_the_targets_dlq_and_says_why(client: ClientOf) -> None:
    url, dlq = queue(client, "dlq")
    gone = "arn:aws:kinesis:us-east-1:123456789012:stream/gone"
    rule(client, {"Arn": gone, "DeadLetterConfig": {"Arn": dlq}})
    event_id = put(client)
    (message,) = messages(client, url)
    assert json.loads(message["Body"])["id"] == event_id
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes.pop("ERROR_MESSAGE").startswith("Stream gone")
    assert attributes == {
        "RULE_ARN": "arn:aws:events:us-east-1:123456789012:rule/r",
        "TARGET_ARN": gone,
        "ERROR_CODE": "ResourceNotFoundException",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "0",
    }


@pytest.mark.parametrize(
    "dlq", [{}, {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:gone"}}]
)
def test_a_failing_target_without_a_dlq_fails_neither_the_request_nor_other_targets(
    client: ClientOf, dlq: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    rule(
        client, {"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/gone", **dlq}, {"Arn": stream(client)}
    )
    event_id = put(client)
    assert [envelope["id"] for envelope in envelopes(client)] == [event_id]
    assert f"dropped event {event_id}" in caplog.text


def test_an_event_too_large_for_the_stream_goes_to_the_dlq(client: ClientOf) -> None:
    url, dlq = queue(client, "dlq")
    rule(client, {"Arn": stream(client), "DeadLetterConfig": {"Arn": dlq}})
    put(client, Detail='{"x":""}')
    room = 1024 * 1024 - len(records(client)[0]["Data"])
    put(
        client, Detail=json.dumps({"x": "x" * (room - 1)})
    )  # it fits without the partition key, and the queue
    assert len(records(client)) == 1
    assert messages(client, url)[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ValidationException"


def test_a_path_that_leads_nowhere_is_a_failure(client: ClientOf) -> None:
    url, dlq = queue(client, "dlq")
    target = {"Arn": stream(client), "KinesisParameters": {"PartitionKeyPath": "$.detail.missing"}}
    rule(client, {**target, "DeadLetterConfig": {"Arn": dlq}})
    put(client)
    assert messages(client, url)[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "PathNotFound"


def test_events_of_an_archive_can_be_replayed(aws: EmbeddedAws) -> None:
    events = aws.client("events")
    bus = events.describe_event_bus(Name="default")["Arn"]
    archive = events.create_archive(ArchiveName="a", EventSourceArn=bus)["ArchiveArn"]
    put(aws.client)
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 1
    rule(aws.client, {"Arn": stream(aws.client)})
    events.start_replay(
        ReplayName="again",
        EventSourceArn=archive,
        EventStartTime=0,
        EventEndTime=2_000_000_000,
        Destination={"Arn": bus},
    )
    (envelope,) = envelopes(aws.client)
    assert (envelope["replay-name"], envelope["detail"]) == ("again", json.loads(ENTRY["Detail"]))
