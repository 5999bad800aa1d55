import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from infra import stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

SENDER = {"DefaultSenderEmail": "orders@acme.example"}
BEGAN = {"ResourceStatus": "UPDATE_IN_PROGRESS", "ResourceStatusReason": "User Initiated"}


@pytest.fixture
def cloudformation() -> "Iterator[CloudFormationClient]":
    with mock_aws():
        yield boto3.client("cloudformation", region_name="eu-west-1")


@pytest.mark.filterwarnings("ignore:Tried to parse")  # plain moto knows only some of the types
class TestDeploy:
    def test_creates_the_stack_and_returns_its_outputs(self, cloudformation: "CloudFormationClient") -> None:
        found = stack.deploy(cloudformation, "Mail", SENDER)
        assert found["EventBusName"] == "Mail-EmailBus"
        assert found == stack.outputs(cloudformation, "Mail")

    def test_customers_get_the_policy_of_the_guide(self, cloudformation: "CloudFormationClient") -> None:
        found = stack.deploy(cloudformation, "mail", SENDER)
        assert json.loads(found["CustomerIAMPolicy"]) == {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "AllowSESEmailEnginePutEvents",
                    "Effect": "Allow",
                    "Action": "events:PutEvents",
                    "Resource": "arn:aws:events:eu-west-1:123456789012:event-bus/mail-EmailBus",
                }
            ],
        }

    def test_updating_keeps_what_is_not_given(self, cloudformation: "CloudFormationClient") -> None:
        stack.deploy(cloudformation, "mail", {**SENDER, "SendsInFlight": "4"})
        stack.deploy(cloudformation, "mail", {"EmailSenderConcurrency": "50"})
        found = stack.configuration(cloudformation, "mail")
        assert found.items() >= {**SENDER, "SendsInFlight": "4", "EmailSenderConcurrency": "50"}.items()

    def test_configuration_holds_name_parameters_and_outputs(
        self, cloudformation: "CloudFormationClient"
    ) -> None:
        found = stack.deploy(cloudformation, "mail", SENDER)
        assert (
            stack.configuration(cloudformation, "mail").items()
            >= {
                "StackName": "mail",
                "OpenClaimPolicy": "send",
                **found,
            }.items()
        )

    def test_tables_are_protected_unless_the_parameter_says_otherwise(
        self, cloudformation: "CloudFormationClient"
    ) -> None:
        tables = boto3.client("dynamodb", region_name="eu-west-1")
        for value in ("true", "false"):
            stack.deploy(cloudformation, value, {**SENDER, "DeletionProtection": value})
            table = tables.describe_table(TableName=f"{value}-SendLedger")["Table"]
            assert table["DeletionProtectionEnabled"] is (value == "true")

    def test_resources_are_listed_with_type_and_physical_id(
        self, cloudformation: "CloudFormationClient"
    ) -> None:
        stack.deploy(cloudformation, "mail", SENDER)
        found = stack.resources(cloudformation, "mail")
        assert found["Stream"] == ("AWS::Kinesis::Stream", "mail-EmailEvents")

    def test_a_missing_stack_is_reported_with_the_remedy(
        self, cloudformation: "CloudFormationClient"
    ) -> None:
        with pytest.raises(stack.StackNotFound, match="no stack 'mail' in region eu-west-1: deploy it"):
            stack.configuration(cloudformation, "mail")


@pytest.fixture
def client() -> "CloudFormationClient":
    return boto3.client(
        "cloudformation", region_name="eu-west-1", aws_access_key_id="made", aws_secret_access_key="up"
    )


@pytest.fixture
def answers(client: "CloudFormationClient") -> Iterator[Stubber]:
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def in_state(status: str) -> dict[str, Any]:
    known = {"StackName": "mail", "CreationTime": "2026-11-24T00:00:00Z", "StackStatus": status}
    return {"Stacks": [{**known, "Outputs": [{"OutputKey": "StreamName", "OutputValue": "log"}]}]}


def event(number: int, **body: str) -> dict[str, Any]:
    common = {
        "StackId": "s",
        "EventId": str(number),
        "StackName": "mail",
        "Timestamp": "2026-11-24T00:00:00Z",
    }
    return {**common, **body}


class TestOutcome:
    def test_waits_until_the_operation_ends(self, client: "CloudFormationClient", answers: Stubber) -> None:
        answers.add_response("describe_stacks", in_state("CREATE_COMPLETE"))
        answers.add_response("get_template_summary", {"Parameters": []})
        answers.add_response("update_stack", {})
        answers.add_response("describe_stacks", in_state("UPDATE_IN_PROGRESS"))
        answers.add_response("describe_stacks", in_state("UPDATE_COMPLETE"))
        pauses: list[float] = []
        stack.deploy(client, "mail", {}, sleep=pauses.append)
        assert len(pauses) == 1

    def test_nothing_to_update_is_success_also_after_a_rollback(
        self, client: "CloudFormationClient", answers: Stubber
    ) -> None:
        answers.add_response("describe_stacks", in_state("UPDATE_ROLLBACK_COMPLETE"))
        answers.add_response("get_template_summary", {"Parameters": []})
        answers.add_client_error("update_stack", "ValidationError", "No updates are to be performed.")
        assert stack.deploy(client, "mail", {}) == {"StreamName": "log"}

    def test_a_refusal_is_passed_on_with_its_reason(
        self, client: "CloudFormationClient", answers: Stubber
    ) -> None:
        answers.add_client_error("describe_stacks", "ValidationError", "Stack with id mail does not exist")
        answers.add_client_error("create_stack", "ValidationError", "Parameters: [Sender] do not exist")
        with pytest.raises(stack.StackFailed, match=r"not created: Parameters: \[Sender\] do not exist"):
            stack.deploy(client, "mail", {"Sender": "x"})

    def test_a_rollback_names_the_first_resource_that_failed_and_why(
        self, client: "CloudFormationClient", answers: Stubber
    ) -> None:
        bus = {"LogicalResourceId": "EmailBus", "ResourceType": "AWS::Events::EventBus"}
        failed = {"ResourceStatus": "UPDATE_FAILED"}
        answers.add_response("describe_stacks", in_state("CREATE_COMPLETE"))
        answers.add_response("get_template_summary", {"Parameters": []})
        answers.add_response("update_stack", {})
        answers.add_response("describe_stacks", in_state("UPDATE_ROLLBACK_COMPLETE"))
        events = [
            event(4, LogicalResourceId="Stream", ResourceStatusReason="Resource update cancelled", **failed),
            event(3, ResourceStatusReason="Limit exceeded", **failed, **bus),
            event(2, **BEGAN),
            event(1, ResourceStatusReason="of an earlier operation", **failed, **bus),
        ]
        answers.add_response("describe_stack_events", {"StackEvents": events})
        with pytest.raises(stack.StackFailed, match=r"EmailBus \(AWS::Events::EventBus\): Limit exceeded"):
            stack.deploy(client, "mail", {})

    def test_a_stack_that_may_not_be_read_is_not_taken_for_missing(
        self, client: "CloudFormationClient", answers: Stubber
    ) -> None:
        answers.add_client_error("describe_stacks", "AccessDenied", "not authorized")
        with pytest.raises(stack.StackError, match="not authorized") as caught:
            stack.outputs(client, "mail")
        assert not isinstance(caught.value, stack.StackNotFound)
