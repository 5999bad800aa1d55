import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.decode.decode import decode_str

from infra import stack


@cache
def template() -> dict[str, Any]:
    decoded, errors = decode_str(stack.template_body())
    assert not errors
    plain: dict[str, Any] = json.loads(json.dumps(decoded))  # without the nodes that know their line
    return plain


def of_type(resource_type: str) -> dict[str, dict[str, Any]]:
    found = template()["Resources"].items()
    return {name: body["Properties"] for name, body in found if body["Type"] == resource_type}


def anywhere(node: Any, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == key)
        for value in node.values():
            yield from anywhere(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from anywhere(value, key)


def allowed(node: Any) -> list[dict[str, Any]]:
    statements = [statement for found in anywhere(node, "Statement") for statement in found]
    return [statement for statement in statements if statement["Effect"] == "Allow"]


def keys(schema: dict[str, Any]) -> list[str]:
    return [key["AttributeName"] for key in schema["KeySchema"]]


TABLES = sorted(of_type("AWS::DynamoDB::Table"))
QUEUES = sorted(of_type("AWS::SQS::Queue"))
BUCKETS = sorted(of_type("AWS::S3::Bucket"))
ROLES = sorted(of_type("AWS::IAM::Role"))
PIPES = {"FeedbackPipe": ("aws.ses", "SES Feedback"), "DelayPipe": ("sesmailengine", "Send Due")}


class TestTemplate:
    def test_lints_clean(self) -> None:
        assert lint(stack.template_body(), regions=["us-east-1", "eu-west-1"]) == []

    def test_is_small_enough_to_be_passed_in_the_call(self) -> None:
        assert len(stack.template_body().encode()) < 51_200

    def test_every_parameter_is_described_and_constrained(self) -> None:
        constraints = {"AllowedPattern", "AllowedValues", "MinValue"}
        for name, parameter in template()["Parameters"].items():
            assert parameter["Description"], name
            assert constraints & parameter.keys(), name

    def test_only_the_default_sender_has_to_be_given(self) -> None:
        parameters = template()["Parameters"].items()
        assert [name for name, body in parameters if "Default" not in body] == ["DefaultSenderEmail"]

    def test_every_parameter_is_in_a_group(self) -> None:
        groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        assert sorted(grouped) == sorted(template()["Parameters"])

    def test_parameters_that_shape_no_resource_are_those_the_consumers_read(self) -> None:
        used = {*anywhere(template()["Resources"], "Ref"), *anywhere(template()["Conditions"], "Ref")}
        assert template()["Parameters"].keys() & used == {"ShardCount", "DeletionProtection"}

    @pytest.mark.parametrize("address", ["orders@acme.example", "o'neil+x@mail.xn--bcher-kva.example"])
    def test_a_sender_address_is_taken(self, address: str) -> None:
        assert re.search(template()["Parameters"]["DefaultSenderEmail"]["AllowedPattern"], address)

    @pytest.mark.parametrize("address", ["", "acme.example", "Orders <o@acme.example>", "ö@acme.example"])
    def test_anything_else_is_no_sender_address(self, address: str) -> None:
        assert not re.search(template()["Parameters"]["DefaultSenderEmail"]["AllowedPattern"], address)

    def test_resources_bear_the_names_that_users_hold(self) -> None:
        keys = ("Name", "QueueName", "TableName", "TopicName")
        found = [body["Properties"].get(key) for body in template()["Resources"].values() for key in keys]
        named = {
            name["Fn::Sub"].removeprefix("${AWS::StackName}-") for name in found if name and "Ref" not in name
        }
        assert named == {
            *("EmailBus", "EmailRequests", "EmailEvents", "SesFeedback", "FeedbackPipe", "DelayPipe"),
            *("Feedback", "Delay", "RequestDLQ", "FeedbackDLQ", "DelayDLQ", "ParkedDLQ"),
            *("EmailTracking", "Suppression", "Reputation", "SendLedger"),
        }

    def test_outputs_are_those_that_users_and_consumers_read(self) -> None:
        assert set(template()["Outputs"]) == {
            *("EventBusName", "EventBusArn", "CustomerIAMPolicy", "RequestRuleName"),
            *("StreamName", "StreamArn", "ConfigurationSetName", "TemplateBucketName", "ArchiveBucketName"),
            *("TrackingTableName", "SuppressionTableName", "ReputationTableName", "SendLedgerTableName"),
            *("FeedbackTopicArn", "FeedbackQueueUrl", "DelayQueueUrl"),
            *("RequestDLQUrl", "FeedbackDLQUrl", "DelayDLQUrl", "ParkedDLQUrl"),
        }


class TestKeeping:
    @pytest.mark.parametrize("name", TABLES)
    def test_a_table_is_encrypted_recoverable_and_protected(self, name: str) -> None:
        table = of_type("AWS::DynamoDB::Table")[name]
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] == {"Fn::If": ["TablesProtected", True, False]}
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"

    @pytest.mark.parametrize("name", TABLES + BUCKETS)
    def test_what_holds_data_outlives_the_stack(self, name: str) -> None:
        resource = template()["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")

    def test_keys_and_indexes_of_the_tables_are_the_documented_ones(self) -> None:
        tables = of_type("AWS::DynamoDB::Table")
        assert [keys(tables[name]) for name in TABLES] == [
            ["day", "minute"],
            ["emailId"],
            ["email"],
            ["emailId"],
        ]
        indexes = tables["TrackingTable"]["GlobalSecondaryIndexes"]
        assert {index["IndexName"]: keys(index) for index in indexes} == {
            "to-email-timestamp-index": ["toEmail", "timestamp"],
            "original-email-id-index": ["originalEmailId", "timestamp"],
            "ses-message-id-index": ["sesMessageId"],
        }
        assert {index["Projection"]["ProjectionType"] for index in indexes} == {"ALL"}

    def test_the_log_is_encrypted_kept_a_week_and_takes_a_whole_event(self) -> None:
        (log,) = of_type("AWS::Kinesis::Stream").values()
        assert log["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
        assert log["RetentionPeriodHours"] == 168
        assert log["MaxRecordSizeInKiB"] == 2048

    @pytest.mark.parametrize("name", QUEUES)
    def test_a_queue_is_encrypted_and_keeps_messages_14_days(self, name: str) -> None:
        queue = of_type("AWS::SQS::Queue")[name]
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600

    @pytest.mark.parametrize("name", ["Feedback", "Delay"])
    def test_a_queue_that_feeds_a_pipe_has_a_dead_letter_queue(self, name: str) -> None:
        target = of_type("AWS::SQS::Queue")[f"{name}Queue"]["RedrivePolicy"]["deadLetterTargetArn"]
        assert target == {"Fn::GetAtt": [f"{name}DLQ", "Arn"]}

    @pytest.mark.parametrize("name", BUCKETS)
    def test_a_bucket_is_encrypted_private_and_spoken_to_by_tls(self, name: str) -> None:
        bucket = of_type("AWS::S3::Bucket")[name]
        assert "BucketName" not in bucket
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert [*anywhere(bucket, "SSEAlgorithm")] == ["AES256"]
        assert [*anywhere(bucket, "ObjectOwnership")] == ["BucketOwnerEnforced"]
        (statement,) = of_type("AWS::S3::BucketPolicy")[f"{name}Policy"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


class TestRights:
    def test_every_right_names_exact_actions_and_resources(self) -> None:
        others = {
            name: body for name, body in template()["Resources"].items() if body["Type"] != "AWS::KMS::Key"
        }
        statements = allowed(others)
        assert len(statements) > len(ROLES)
        for statement in statements:
            assert "*" not in json.dumps([statement["Action"], statement.get("Resource")])

    @pytest.mark.parametrize("name", ROLES)
    def test_a_role_is_assumed_by_one_service_for_one_resource(self, name: str) -> None:
        (trust,) = of_type("AWS::IAM::Role")[name]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"].keys() == {"Service"}
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert "${AWS::StackName}" in trust["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]

    def test_no_service_is_let_in_without_a_condition(self) -> None:
        services = [s for s in allowed(template()["Resources"]) if "Service" in s.get("Principal", {})]
        assert services
        assert all("Condition" in statement for statement in services)

    def test_the_topics_key_rotates_and_serves_ses_for_this_topic_only(self) -> None:
        (key,) = of_type("AWS::KMS::Key").values()
        ses = key["KeyPolicy"]["Statement"][1]
        assert key["EnableKeyRotation"] is True
        assert ses["Principal"] == {"Service": "ses.amazonaws.com"}
        assert ses["Condition"]["StringEquals"]["kms:EncryptionContext:aws:sns:topicArn"]["Fn::Sub"].endswith(
            ":${AWS::StackName}-SesFeedback"
        )


class TestPaths:
    def test_requests_go_from_the_rule_to_the_log_or_to_the_dead_letter_queue(self) -> None:
        (rule,) = of_type("AWS::Events::Rule").values()
        (target,) = rule["Targets"]
        assert rule["EventPattern"] == {"detail-type": ["Email Request"]}
        assert target["Arn"] == {"Fn::GetAtt": ["Stream", "Arn"]}
        assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["RequestDLQ", "Arn"]}}
        assert "KinesisParameters" not in target

    def test_ses_reports_every_kind_of_event(self) -> None:
        (destination,) = of_type("AWS::SES::ConfigurationSetEventDestination").values()
        assert set(destination["EventDestination"]["MatchingEventTypes"]) == {
            *("send", "reject", "bounce", "complaint", "delivery", "open", "click"),
            *("renderingFailure", "deliveryDelay", "subscription"),
        }

    def test_feedback_reaches_the_queue_as_ses_wrote_it(self) -> None:
        (subscription,) = of_type("AWS::SNS::Subscription").values()
        assert subscription["RawMessageDelivery"] is True

    @pytest.mark.parametrize("name", PIPES)
    def test_a_pipe_wraps_the_message_in_an_envelope(self, name: str) -> None:
        source, kind = PIPES[name]
        parameters = of_type("AWS::Pipes::Pipe")[name]["TargetParameters"]
        body = parameters["InputTemplate"]["Fn::Sub"].replace("<$.body>", '{"eventType":"Send"}')
        assert parameters["KinesisStreamParameters"] == {"PartitionKey": "$.messageId"}
        assert json.loads(body) == {
            "version": "0",
            "id": "<$.messageId>",
            "source": source,
            "detail-type": kind,
            "time": "<aws.pipes.event.ingestion-time>",
            "account": "${AWS::AccountId}",
            "region": "${AWS::Region}",
            "resources": [],
            "detail": {"eventType": "Send"},
        }
