import json
from typing import Any

import pytest

from infra import stack
from infra.embedded import EmbeddedAws
from infra.embedded.existence import PROBES, missing_resources
from tests.infra.embedded.clients import ClientOf

SENDER = {"DefaultSenderEmail": "orders@acme.example"}


def deploy(aws: EmbeddedAws, resources: dict[str, Any], **more: Any) -> None:
    template = json.dumps({"Resources": resources, **more})
    aws.client("cloudformation").create_stack(StackName="s", TemplateBody=template)


def test_every_resource_of_the_stack_exists(aws: EmbeddedAws, client: ClientOf) -> None:
    stack.deploy(client("cloudformation"), "mail", SENDER)
    assert missing_resources(client, "mail") == []
    assert len(stack.resources(client("cloudformation"), "mail")) == stack.template_body().count(
        "    Type: AWS::"
    )


def test_every_type_of_the_stack_has_a_probe(aws: EmbeddedAws, client: ClientOf) -> None:
    stack.deploy(aws.client("cloudformation"), "mail", SENDER)
    found = stack.resources(aws.client("cloudformation"), "mail").values()
    assert {resource.type for resource in found} <= PROBES.keys()


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..SQS..Qeueu")
def test_a_misspelt_type_is_missed(aws: EmbeddedAws) -> None:
    deploy(aws, {"Q": {"Type": "AWS::SQS::Qeueu"}})
    assert missing_resources(aws.client, "s") == ["Q (AWS::SQS::Qeueu): nobody knows how to look for one"]


GONE: list[tuple[str, Any]] = [
    ("Stream", lambda client: client("kinesis").delete_stream(StreamName="mail-EmailEvents")),
    ("FeedbackPipe", lambda client: client("pipes").delete_pipe(Name="mail-FeedbackPipe")),
    (
        "ConfigurationSet",
        lambda client: client("sesv2").delete_configuration_set(ConfigurationSetName="mail"),
    ),
    (
        "FeedbackDestination",
        lambda client: client("sesv2").delete_configuration_set_event_destination(
            ConfigurationSetName="mail", EventDestinationName="Feedback"
        ),
    ),
    (
        "RequestRule",
        lambda client: client("events").remove_targets(
            Rule="mail-EmailRequests", EventBusName="mail-EmailBus", Ids=["Log"]
        ),
    ),
    (
        "FeedbackSubscription",
        lambda client: client("sns").unsubscribe(
            SubscriptionArn=client("sns").list_subscriptions()["Subscriptions"][0]["SubscriptionArn"]
        ),
    ),
    (
        "RequestDLQPolicy",
        lambda client: client("sqs").set_queue_attributes(
            QueueUrl=client("sqs").get_queue_url(QueueName="mail-RequestDLQ")["QueueUrl"],
            Attributes={"Policy": ""},
        ),
    ),
]


@pytest.mark.parametrize(("name", "remove"), GONE)
def test_what_has_gone_since_is_missed(aws: EmbeddedAws, name: str, remove: Any) -> None:
    stack.deploy(aws.client("cloudformation"), "mail", SENDER)
    remove(aws.client)
    missing = [line.split(" ")[0] for line in missing_resources(aws.client, "mail")]
    assert missing in ([name], ["ConfigurationSet", "FeedbackDestination"])


def test_what_a_condition_leaves_out_is_not_missed(aws: EmbeddedAws) -> None:
    resources = {
        "In": {"Type": "AWS::SQS::Queue", "Condition": "Yes", "Properties": {"QueueName": "in"}},
        "Out": {"Type": "AWS::SQS::Queue", "Condition": "No", "Properties": {"QueueName": "out"}},
    }
    conditions = {"Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Equals": ["a", "b"]}}
    deploy(aws, resources, Conditions=conditions)
    assert missing_resources(aws.client, "s") == []
