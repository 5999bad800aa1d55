"""Each dead-letter queue with the engine around it: what lands there is redriven by the real command, and arrives."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, cast
from unittest import mock

import pytest

from infra.embedded.pipes import Run
from infra.local import LocalEngine, LocalOptions
from pipeline import ids
from pipeline.codec import Logged
from projections import tracking
from tests.infra.asking import letters, publish, row, until
from tests.infra.running import STACK, Running, run


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(LocalOptions(stack=STACK, retry_delay=1, send_rate=1000, duplicates=0)) as engine:
        yield engine


def command(engine: LocalEngine, *arguments: str, code: int = 0) -> str:
    """The real command line, in a process of its own."""
    environment = Running(cast("Any", None), engine.aws.endpoint).environment
    told = run("dlq", *arguments, environment=environment | {"COLUMNS": "200"})
    assert told.returncode == code, (told.stdout, told.stderr)
    return told.stdout + told.stderr


def queue_of(engine: LocalEngine, name: str) -> str:
    return str(engine.client("sqs").get_queue_url(QueueName=f"{STACK}-{name}")["QueueUrl"])


def ask(engine: LocalEngine, email_id: str, to: str = "ana@example.com") -> str:
    """The event's id."""
    detail = {"emailId": email_id, "to": to, "templateName": "welcome", "templateData": {"userName": "Ana"}}
    (event_id,) = publish(engine, [detail])
    assert event_id
    return event_id


def await_row(engine: LocalEngine, email_id: str, **fields: str) -> Mapping[str, Any]:
    def reached() -> Mapping[str, Any] | None:
        found = row(engine, email_id) or {}
        return found if fields.items() <= found.items() else None

    return until(reached, what=f"{email_id} with {fields}")


def failing(what: Callable[..., Any], about: str, given: Sequence[Logged]) -> Any:
    if any(each.kind == "Mail Sent" and each.envelope.detail["emailId"] == about for each in given):
        raise ZeroDivisionError("no such case")
    return what(given)


def test_a_parked_record_is_processed_once_the_code_is_mended(engine: LocalEngine) -> None:
    parked = queue_of(engine, "ParkedDLQ")
    with mock.patch.object(tracking, "fold", partial(failing, tracking.fold, "p-1")):
        ask(engine, "p-1")
        until(lambda: letters(engine, parked))
        await_row(engine, "p-1", status="delivered")
    assert "templateName" not in (row(engine, "p-1") or {})
    (listed,) = json.loads(command(engine, "list", "parked", "--json"))
    assert (listed["kind"], listed["emailId"], listed["consumer"]) == ("Mail Sent", "p-1", "projector")
    assert listed["reason"] == "ZeroDivisionError: no such case"
    assert command(engine, "redrive", "parked", listed["id"][:8]) == "1 redriven\n"
    assert await_row(engine, "p-1", templateName="welcome")["status"] == "delivered"
    assert letters(engine, parked) == 0


def test_a_record_that_still_can_not_be_processed_is_parked_again_and_ends_no_command(
    engine: LocalEngine,
) -> None:
    parked = queue_of(engine, "ParkedDLQ")
    with mock.patch.object(tracking, "fold", partial(failing, tracking.fold, "p-2")):
        ask(engine, "p-2")
        until(lambda: letters(engine, parked))
        assert "redriven" in command(engine, "redrive", "parked", "--all")
        until(lambda: letters(engine, parked))
    command(engine, "redrive", "parked", "--all")
    await_row(engine, "p-2", status="delivered", templateName="welcome")


def test_a_request_that_the_rule_could_not_append_is_sent_under_its_ids(engine: LocalEngine) -> None:
    refused = queue_of(engine, "RequestDLQ")
    with mock.patch("infra.embedded.rule_to_kinesis.append", side_effect=RuntimeError("no stream")):
        event_id = ask(engine, "r-1")
    assert letters(engine, refused) == 1
    assert "RuntimeError: no stream" in command(engine, "list", "request")
    assert command(engine, "redrive", "request", "--all") == "1 redriven\n"
    assert await_row(engine, "r-1", status="delivered")["requestEventId"] == event_id
    assert letters(engine, refused) == 0


def broken_pipe(engine: LocalEngine, pipe: str, queue: str) -> AbstractContextManager[Any]:
    """The stream refuses what comes by this pipe, and its queue has no patience."""
    client, url = engine.client("sqs"), queue_of(engine, queue)
    told = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    policy = json.loads(told["RedrivePolicy"]) | {"maxReceiveCount": 1}
    client.set_queue_attributes(
        QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"}
    )
    append = Run._append

    def refuses(self: Run, original: dict[str, Any]) -> None:
        if self._pipe.name == f"{STACK}-{pipe}":
            raise RuntimeError("no stream")
        append(self, original)

    return mock.patch.object(Run, "_append", refuses)


def test_feedback_that_the_pipe_could_not_append_tells_of_its_mail(engine: LocalEngine) -> None:
    refused = queue_of(engine, "FeedbackDLQ")
    with broken_pipe(engine, "FeedbackPipe", "Feedback"):
        ask(engine, "f-1")
        until(lambda: letters(engine, refused) == 2)
        assert await_row(engine, "f-1")["status"] == "sent"
    listed = json.loads(command(engine, "list", "feedback", "--json"))
    assert sorted((each["kind"], each["emailId"]) for each in listed) == [
        ("Delivery", "f-1"),
        ("Send", "f-1"),
    ]
    assert command(engine, "redrive", "feedback", "--all") == "2 redriven\n"
    await_row(engine, "f-1", status="delivered")
    assert letters(engine, refused) == 0


def test_a_retry_that_the_pipe_could_not_append_is_sent(engine: LocalEngine) -> None:
    refused = queue_of(engine, "DelayDLQ")
    with broken_pipe(engine, "DelayPipe", "Delay"):
        ask(engine, "d-1", "bounce+softonce+dlq@simulator.amazonses.com")
        until(lambda: letters(engine, refused))
    retry = ids.retry_id("d-1", 1)
    (listed,) = json.loads(command(engine, "list", "delay", "--json"))
    assert (listed["kind"], listed["emailId"]) == ("Send Due", retry)
    assert command(engine, "redrive", "delay", "--all") == "1 redriven\n"
    await_row(engine, retry, status="delivered")
    assert letters(engine, refused) == 0


def test_a_message_that_is_not_there_is_one_line_and_exit_1(engine: LocalEngine) -> None:
    told = command(engine, "show", "delay", "nothing", code=1)
    assert told.startswith("sesmailengine: there is no message 'nothing' in the delay queue")
    assert len(told.splitlines()) == 1
