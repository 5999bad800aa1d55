import threading
import time
import urllib.request
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import boto3
import pytest
from botocore.config import Config
from moto.sqs.models import sqs_backends

from infra.embedded import ACCOUNT, EmbeddedAws, PortInUse
from infra.embedded.server import listen
from tests.infra.embedded.clients import ClientOf, eventually, messages, over_http, queue
from tests.infra.embedded.http2 import exchange

TABLE = {
    "TableName": "t",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def port_of(aws: EmbeddedAws) -> int:
    return int(aws.endpoint.rsplit(":", 1)[1])


def test_clients_in_process_and_over_http_see_the_same_state(aws: EmbeddedAws) -> None:
    aws.client("dynamodb").create_table(**TABLE)
    over_http(aws, "dynamodb").put_item(TableName="t", Item={"pk": {"S": "a"}, "b": {"B": b"\x00\xff"}})
    for client in (aws.client("dynamodb"), over_http(aws, "dynamodb")):
        assert client.get_item(TableName="t", Key={"pk": {"S": "a"}})["Item"] == {
            "pk": {"S": "a"},
            "b": {"B": b"\x00\xff"},
        }


def test_http_2_with_prior_knowledge_and_several_streams_on_one_connection(aws: EmbeddedAws) -> None:
    aws.client("dynamodb").create_table(**TABLE)
    request = (
        {
            "x-amz-target": "DynamoDB_20120810.ListTables",
            "authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, S=x",
            "content-type": "application/x-amz-json-1.0",
        },
        b"{}",
    )
    answers = exchange(port_of(aws), [request, request, request])
    assert answers == [("200", b'{"TableNames": ["t"]}')] * 3


def test_a_port_in_use_is_said_before_anything_starts() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        before = set(threading.enumerate())
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is in use"):
            EmbeddedAws(port=port)
        assert set(threading.enumerate()) <= before


def test_the_port_that_is_asked_for_is_taken() -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with EmbeddedAws(port=port) as aws:
        assert aws.endpoint == f"http://127.0.0.1:{port}"


def test_a_port_can_be_used_again_at_once() -> None:
    with EmbeddedAws() as first:
        over_http(first, "sqs").list_queues()
        port = port_of(first)
    with EmbeddedAws(port=port) as second:
        over_http(second, "sqs").list_queues()


def test_one_process_holds_one_embedded_aws_and_a_refusal_leaves_the_open_one_alone(aws: EmbeddedAws) -> None:
    with pytest.raises(RuntimeError, match="already"):
        EmbeddedAws()
    over_http(aws, "sqs").list_queues()


def test_the_next_one_begins_empty() -> None:
    with EmbeddedAws() as first:
        first.client("sqs").create_queue(QueueName="q")
    with EmbeddedAws() as second:
        assert second.client("sqs").list_queues().get("QueueUrls", []) == []


def test_closing_leaves_no_thread_and_no_patch_behind() -> None:
    from moto.core.responses import BaseResponse
    from moto.kinesis import models

    before, unpatched = set(threading.enumerate()), (models.Shard, BaseResponse.call_action)
    with EmbeddedAws() as aws:
        over_http(aws, "sqs").list_queues()
        assert set(threading.enumerate()) - before
        assert (models.Shard, BaseResponse.call_action) != unpatched
    assert set(threading.enumerate()) <= before
    assert (models.Shard, BaseResponse.call_action) == unpatched


def test_an_error_within_the_block_closes_too() -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyError), EmbeddedAws() as aws:
        over_http(aws, "sqs").list_queues()["QueueUrls"]
    assert set(threading.enumerate()) <= before


def test_closing_twice_is_closing_once() -> None:
    aws = EmbeddedAws()
    aws.close()
    aws.close()


def test_a_client_of_a_closed_one_refuses_to_work(aws: EmbeddedAws) -> None:
    client = aws.client("sqs")
    aws.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.list_queues()


def test_a_long_poll_is_answered_when_closing(aws: EmbeddedAws, client: ClientOf) -> None:
    url, _ = queue(client, "q")
    lock = sqs_backends[ACCOUNT]["us-east-1"].get_queue("q")._messages_lock
    answers: list[Any] = []
    sqs = client("sqs")
    poll = threading.Thread(
        target=lambda: answers.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
    )
    poll.start()
    eventually(lambda: vars(lock)["_waiters"])
    started = time.monotonic()
    aws.close()
    poll.join()
    assert time.monotonic() - started < 10  # of the 20 that the poll would last
    assert [answer.get("Messages", []) for answer in answers] == [[]]


def test_routes_come_before_the_backends_and_may_be_added_later(aws: EmbeddedAws) -> None:
    def hello(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["REQUEST_METHOD"].encode(), b" hello"]

    aws.routes["/_aws/hello"] = hello
    with urllib.request.urlopen(f"{aws.endpoint}/_aws/hello?x=1") as answer:
        assert (answer.status, answer.read()) == (200, b"GET hello")


def test_keys_with_odd_characters_and_responses_without_a_body(client: ClientOf) -> None:
    s3, key = client("s3"), "dt=2026/ü %41+x"
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key=key, Body=b"x" * 100_000, Metadata={"a_b": "c"})
    assert s3.head_object(Bucket="archive", Key=key)["ContentLength"] == 100_000
    assert s3.get_object(Bucket="archive", Key=key)["Metadata"] == {"a_b": "c"}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="archive")["Contents"]] == [key]
    assert s3.delete_object(Bucket="archive", Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_an_error_within_a_backend_is_an_internal_failure(
    aws: EmbeddedAws, client: ClientOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from moto.sqs.models import SQSBackend

    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(SQSBackend, "list_queues", fail)
    sqs = client("sqs")
    with pytest.raises(sqs.exceptions.ClientError) as error:
        sqs.list_queues()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "ZeroDivisionError: oops" in str(error.value)


def test_what_moto_has_no_path_for_is_not_found(aws: EmbeddedAws) -> None:
    with pytest.raises(Exception, match="404"):
        aws.client("eks").list_insights(clusterName="x")


def test_in_process_clients_do_not_listen_to_the_environment(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    client = aws.client("sqs")
    assert client.meta.endpoint_url == "https://sqs.us-east-1.amazonaws.com"


def test_the_region_is_the_one_that_was_asked_for() -> None:
    with EmbeddedAws(region="eu-central-1") as aws:
        url, arn = queue(aws.client, "q")
        assert arn == "arn:aws:sqs:eu-central-1:123456789012:q"
        assert messages(aws.client, url) == []


def test_only_clients_of_the_embedded_aws_are_led_to_it(aws: EmbeddedAws) -> None:
    with listen("127.0.0.1", 0) as elsewhere:
        port = elsewhere.getsockname()[1]
        other = boto3.client(
            "sqs",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
            config=Config(read_timeout=0.2, retries={"total_max_attempts": 1}),
        )
        with pytest.raises(Exception, match="Read timeout"):
            other.list_queues()
