"""Whether all that a template names is really there. moto says CREATE_COMPLETE of types that it has never heard of."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import clean_json
from moto.core.models import DEFAULT_ACCOUNT_ID

__all__ = ["missing_resources"]

ClientOf = Callable[[str], Any]
Json = dict[str, Any]


class Different(Exception):
    """It is there, but not as the template says."""


def missing_resources(client: ClientOf, stack: str) -> list[str]:
    """One line, `logical id (type): reason`, for each resource that its service's own API doesn't show.

    `client` makes boto3 clients by service, as EmbeddedAws.client does. A type without a probe is a line, too.
    """
    client = cache(client)
    region = client("cloudformation").meta.region_name
    resources = cloudformation_backends[DEFAULT_ACCOUNT_ID][region].get_stack(stack).resource_map
    return [
        f"{name} ({json['Type']}): {reason}"
        for name, json in _wanted(resources)
        if (reason := _reason(client, resources, name, json)) is not None
    ]


def _wanted(resources: Any) -> Iterator[tuple[str, Json]]:
    for name, resource in resources._resource_json_map.items():  # noqa: SLF001  the template has no public name
        if "Condition" not in resource or resources.lazy_condition_map[resource["Condition"]]:
            yield name, resource


def _reason(client: ClientOf, resources: Any, name: str, resource: Json) -> str | None:
    probe = PROBES.get(resource["Type"])
    if probe is None:
        return "nobody knows how to look for one"
    physical_id = getattr(resources.get(name), "physical_resource_id", None)
    if not physical_id:
        return "it has no physical id"
    try:
        probe(client, physical_id, clean_json(resource.get("Properties", {}), resources))
    except Exception as error:  # noqa: BLE001  whichever way its service says no
        return str(error) or type(error).__name__
    return None


def _rule(client: ClientOf, name: str, properties: Json) -> None:
    bus = properties.get("EventBusName", "default")
    events = client("events")
    events.describe_rule(Name=name, EventBusName=bus)
    targets = events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
    _require(targets == properties.get("Targets", []), f"its targets are {targets}")


def _queue_policy(client: ClientOf, _: str, properties: Json) -> None:
    for url in properties["Queues"]:
        found = (
            client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        )
        _require_policy(found.get("Policy"), properties)


def _topic_policy(client: ClientOf, _: str, properties: Json) -> None:
    for arn in properties["Topics"]:
        found = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        _require_policy(found.get("Policy"), properties)


def _bucket_policy(client: ClientOf, bucket: str, properties: Json) -> None:
    _require_policy(client("s3").get_bucket_policy(Bucket=bucket)["Policy"], properties)


def _subscription(client: ClientOf, arn: str, properties: Json) -> None:
    found = client("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    raw = str(properties.get("RawMessageDelivery", False)).lower()
    _require(found["RawMessageDelivery"].lower() == raw, f"RawMessageDelivery is not {raw}")


def _pipe(client: ClientOf, name: str, _: Json) -> None:
    state = client("pipes").describe_pipe(Name=name)["CurrentState"]
    _require(state == "RUNNING", f"it is {state}")


def _event_destination(client: ClientOf, _: str, properties: Json) -> None:
    found = client("sesv2").get_configuration_set_event_destinations(
        ConfigurationSetName=properties["ConfigurationSetName"]
    )["EventDestinations"]
    names = [destination["Name"] for destination in found]
    _require(properties["EventDestination"].get("Name") in names, f"the set's destinations are {names}")


def _by(service: str, operation: str, parameter: str) -> Callable[[ClientOf, str, Json], None]:
    """A describe call that takes the physical id."""

    def probe(client: ClientOf, physical_id: str, _: Json) -> None:
        getattr(client(service), operation)(**{parameter: physical_id})

    return probe


def _require_policy(found: str | None, properties: Json) -> None:
    _require(json.loads(found or "null") == properties["PolicyDocument"], f"the policy is {found}")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Different(otherwise)


PROBES: dict[str, Callable[[ClientOf, str, Json], None]] = {
    "AWS::DynamoDB::Table": _by("dynamodb", "describe_table", "TableName"),
    "AWS::Events::EventBus": _by("events", "describe_event_bus", "Name"),
    "AWS::Events::Rule": _rule,
    "AWS::IAM::ManagedPolicy": _by("iam", "get_policy", "PolicyArn"),
    "AWS::IAM::Role": _by("iam", "get_role", "RoleName"),
    "AWS::KMS::Key": _by("kms", "describe_key", "KeyId"),
    "AWS::Kinesis::Stream": _by("kinesis", "describe_stream_summary", "StreamName"),
    "AWS::Pipes::Pipe": _pipe,
    "AWS::S3::Bucket": _by("s3", "head_bucket", "Bucket"),
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SES::ConfigurationSet": _by("sesv2", "get_configuration_set", "ConfigurationSetName"),
    "AWS::SES::ConfigurationSetEventDestination": _event_destination,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _by("sns", "get_topic_attributes", "TopicArn"),
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SQS::Queue": _by("sqs", "get_queue_attributes", "QueueUrl"),
    "AWS::SQS::QueuePolicy": _queue_policy,
}
