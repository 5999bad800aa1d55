import json
from functools import partial
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.infra.embedded.clients import ClientOf, eventually, messages, records, summary

Json = dict[str, Any]

STREAM: Json = {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "log", "ShardCount": 1}}
QUEUE: Json = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}
TOPIC: Json = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}
BUCKET: Json = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "archive"}}


def policy(sid: str, **more: Any) -> Json:
    statement = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def deploy(client: ClientOf, resources: Json, **outputs: Any) -> Json:
    """Creates the stack or brings it up to date; its outputs."""
    template = {"Resources": resources, "Outputs": {name: {"Value": v} for name, v in outputs.items()}}
    cloudformation = client("cloudformation")
    known = [found["StackName"] for found in cloudformation.describe_stacks()["Stacks"]]
    act = cloudformation.update_stack if "s" in known else cloudformation.create_stack
    act(StackName="s", TemplateBody=json.dumps(template))
    found = cloudformation.describe_stacks(StackName="s")["Stacks"][0]
    assert found["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def queue_policy(client: ClientOf) -> Any:
    url = client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
    return json.loads(found.get("Policy", "null"))


def topic_policy(client: ClientOf) -> Any:
    arn = client("sns").list_topics()["Topics"][0]["TopicArn"]
    return json.loads(client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])


def bucket_policy(client: ClientOf) -> Any:
    try:
        return json.loads(client("s3").get_bucket_policy(Bucket="archive")["Policy"])
    except client("s3").exceptions.ClientError:
        return None


POLICIES = [
    ({"Q": QUEUE}, "AWS::SQS::QueuePolicy", {"Queues": [{"Ref": "Q"}]}, queue_policy),
    ({"T": TOPIC}, "AWS::SNS::TopicPolicy", {"Topics": [{"Ref": "T"}]}, topic_policy),
    ({"B": BUCKET}, "AWS::S3::BucketPolicy", {"Bucket": {"Ref": "B"}}, bucket_policy),
]


@pytest.mark.parametrize(("owner", "kind", "names", "found"), POLICIES)
def test_a_policy_is_put_replaced_and_taken_away(
    aws: EmbeddedAws, owner: Json, kind: str, names: Json, found: Any
) -> None:
    deploy(aws.client, owner)
    without = found(aws.client)
    for sid in ("first", "second"):
        properties = {**names, "PolicyDocument": policy(sid)}
        deploy(aws.client, {**owner, "P": {"Type": kind, "Properties": properties}})
        assert found(aws.client) == policy(sid)
    deploy(aws.client, owner)
    assert found(aws.client) == without


def test_a_policy_that_demands_tls_locks_nobody_out(client: ClientOf) -> None:
    refusal = policy(
        "tls",
        Effect="Deny",
        Action="s3:*",
        Resource=["arn:aws:s3:::archive", "arn:aws:s3:::archive/*"],
        Condition={"Bool": {"aws:SecureTransport": "false"}},
    )
    resources = {
        "B": BUCKET,
        "P": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": "archive", "PolicyDocument": refusal},
        },
    }
    deploy(client, resources)
    client("s3").put_object(Bucket="archive", Key="a/b", Body=b"x")
    assert client("s3").get_object(Bucket="archive", Key="a/b")["Body"].read() == b"x"
    assert bucket_policy(client) == refusal


def test_a_policy_without_a_condition_is_enforced(client: ClientOf) -> None:
    refusal = policy("no", Effect="Deny", Action="s3:PutObject", Resource="arn:aws:s3:::archive/*")
    deploy(
        client,
        {
            "B": BUCKET,
            "P": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {"Bucket": {"Ref": "B"}, "PolicyDocument": refusal},
            },
        },
    )
    with pytest.raises(client("s3").exceptions.ClientError, match="Forbidden"):
        client("s3").put_object(Bucket="archive", Key="a", Body=b"x")


@pytest.mark.parametrize(("raw", "body"), [(True, "text"), (False, None)])
def test_a_subscription_delivers_raw_or_wrapped(client: ClientOf, raw: bool, body: str | None) -> None:
    properties = {
        "TopicArn": {"Ref": "T"},
        "Protocol": "sqs",
        "Endpoint": {"Fn::GetAtt": ["Q", "Arn"]},
        "RawMessageDelivery": raw,
    }
    found = deploy(
        client,
        {"Q": QUEUE, "T": TOPIC, "S": {"Type": "AWS::SNS::Subscription", "Properties": properties}},
        Queue={"Ref": "Q"},
        Topic={"Ref": "T"},
    )
    client("sns").publish(TopicArn=found["Topic"], Message="text")
    (message,) = messages(client, found["Queue"])
    assert (message["Body"] if body else json.loads(message["Body"])["Message"]) == "text"


def test_a_subscription_filters_and_goes_with_the_stack(client: ClientOf) -> None:
    properties = {
        "TopicArn": {"Ref": "T"},
        "Protocol": "sqs",
        "Endpoint": {"Fn::GetAtt": ["Q", "Arn"]},
        "FilterPolicy": {"kind": ["a"]},
        "FilterPolicyScope": "MessageBody",
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Q", "Arn"]}},
    }
    resources = {"Q": QUEUE, "T": TOPIC, "S": {"Type": "AWS::SNS::Subscription", "Properties": properties}}
    found = deploy(client, resources, Queue={"Ref": "Q"}, Topic={"Ref": "T"}, Subscription={"Ref": "S"})
    attributes = client("sns").get_subscription_attributes(SubscriptionArn=found["Subscription"])[
        "Attributes"
    ]
    assert json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].endswith(":q")
    for kind in ("b", "a"):
        client("sns").publish(TopicArn=found["Topic"], Message=json.dumps({"kind": kind}))
    assert len(messages(client, found["Queue"])) == 1
    client("cloudformation").delete_stack(StackName="s")
    assert client("sns").list_subscriptions()["Subscriptions"] == []


def pipe(constant: str) -> Json:
    properties = {
        "Name": "p",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "Source": {"Fn::GetAtt": ["Q", "Arn"]},
        "Target": {"Fn::GetAtt": ["L", "Arn"]},
        "TargetParameters": {
            "KinesisStreamParameters": {"PartitionKey": "k"},
            "InputTemplate": {"Fn::Sub": f"{constant} of ${{AWS::Region}}"},
        },
    }
    return {"Q": QUEUE, "L": STREAM, "P": {"Type": "AWS::Pipes::Pipe", "Properties": properties}}


def appended(client: ClientOf, data: bytes) -> bool:
    return data in [record["Data"] for record in records(client)]


def test_a_pipe_runs_is_replaced_and_goes_with_the_stack(client: ClientOf) -> None:
    for constant in ("first", "second"):
        found = deploy(client, pipe(constant), Queue={"Ref": "Q"}, Pipe={"Fn::GetAtt": ["P", "Arn"]})
        assert found["Pipe"] == "arn:aws:pipes:us-east-1:123456789012:pipe/p"
        client("sqs").send_message(QueueUrl=found["Queue"], MessageBody="x")
        expected = f"{constant} of us-east-1".encode()
        eventually(partial(appended, client, expected))
    client("cloudformation").delete_stack(StackName="s")
    assert client("pipes").list_pipes()["Pipes"] == []


def test_a_stream_is_as_the_template_says(client: ClientOf) -> None:
    properties = {
        "Name": "log",
        "ShardCount": 2,
        "RetentionPeriodHours": 168,
        "MaxRecordSizeInKiB": 2048,
        "StreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
    }
    deploy(client, {"L": {"Type": "AWS::Kinesis::Stream", "Properties": properties}})
    found = summary(client)
    assert {name: found[name] for name in ("MaxRecordSizeInKiB", "EncryptionType", "KeyId")} == {
        "MaxRecordSizeInKiB": 2048,
        "EncryptionType": "KMS",
        "KeyId": "alias/aws/kinesis",
    }
    assert (found["OpenShardCount"], found["RetentionPeriodHours"]) == (2, 168)


def test_an_on_demand_stream_begins_with_four_shards(client: ClientOf) -> None:
    properties = {"Name": "log", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    deploy(client, {"L": {"Type": "AWS::Kinesis::Stream", "Properties": properties}})
    found = summary(client)
    assert (found["StreamModeDetails"]["StreamMode"], found["OpenShardCount"]) == ("ON_DEMAND", 4)


def test_a_stream_that_is_updated_keeps_its_records(client: ClientOf) -> None:
    deploy(client, {"L": STREAM})
    client("kinesis").put_record(StreamName="log", PartitionKey="k", Data=b"x")
    deploy(client, {"L": {**STREAM, "Properties": {**STREAM["Properties"], "ShardCount": 2}}})
    assert summary(client)["OpenShardCount"] == 2
    assert len(records(client)) == 1


def table(protected: Any) -> Json:
    properties = {
        "TableName": "t",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "true"},
        "SSESpecification": {"SSEEnabled": True},
        "DeletionProtectionEnabled": protected,
    }
    return {"T": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}


def test_a_table_is_as_the_template_says(client: ClientOf) -> None:
    deploy(client, table(True))
    dynamodb = client("dynamodb")
    described = dynamodb.describe_table(TableName="t")["Table"]
    assert (described["SSEDescription"]["Status"], described["DeletionProtectionEnabled"]) == (
        "ENABLED",
        True,
    )
    assert dynamodb.describe_time_to_live(TableName="t")["TimeToLiveDescription"] == {
        "AttributeName": "ttl",
        "TimeToLiveStatus": "ENABLED",
    }
    backups = dynamodb.describe_continuous_backups(TableName="t")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_table_that_is_updated_keeps_its_items(client: ClientOf) -> None:
    deploy(client, table("true"))
    client("dynamodb").put_item(TableName="t", Item={"pk": {"S": "a"}})
    deploy(client, table("false"))
    assert client("dynamodb").describe_table(TableName="t")["Table"]["DeletionProtectionEnabled"] is False
    assert client("dynamodb").scan(TableName="t")["Count"] == 1


def test_a_bucket_is_as_the_template_says(client: ClientOf) -> None:
    block = dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    properties = {
        "BucketName": "archive",
        "VersioningConfiguration": {"Status": "Enabled"},
        "PublicAccessBlockConfiguration": block,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    }
    deploy(client, {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}})
    s3 = client("s3")
    assert s3.get_bucket_versioning(Bucket="archive")["Status"] == "Enabled"
    assert s3.get_public_access_block(Bucket="archive")["PublicAccessBlockConfiguration"] == block
    rules = s3.get_bucket_ownership_controls(Bucket="archive")["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_a_key_keeps_its_policy_as_text(client: ClientOf) -> None:
    properties = {"KeyPolicy": policy("all", Action="kms:*")}
    found = deploy(client, {"K": {"Type": "AWS::KMS::Key", "Properties": properties}}, Key={"Ref": "K"})
    kept = client("kms").get_key_policy(KeyId=found["Key"], PolicyName="default")["Policy"]
    assert json.loads(kept) == policy("all", Action="kms:*")


def test_a_bus_is_named_by_ref(client: ClientOf) -> None:
    resources = {
        "B": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bus"}},
        "L": STREAM,
        "R": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": "r",
                "EventBusName": {"Ref": "B"},
                "EventPattern": {"source": ["shop"]},
                "Targets": [{"Id": "l", "Arn": {"Fn::GetAtt": ["L", "Arn"]}}],
            },
        },
    }
    assert deploy(client, resources, Bus={"Ref": "B"})["Bus"] == "bus"
    entry = {"EventBusName": "bus", "Source": "shop", "DetailType": "x", "Detail": "{}"}
    client("events").put_events(Entries=[entry])
    assert len(records(client)) == 1
