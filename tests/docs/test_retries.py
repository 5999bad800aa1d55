"""The guide's blocks on retries and on bounce notifications run as they are taken from the page.

They name a stack and a mail; so each has an engine of its own, with a stack and a mail of those names.
"""

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline import ids, times
from tests.docs import aws_command
from tests.docs.pages import GUIDE, blocks, section
from tests.infra.running import STACK, Running, running
from tests.infra.test_guide import execute, until

MAIL = "email-abc123"
RETRY = ids.retry_id(MAIL, 1)
DELAY = timedelta(seconds=3)
SIMULATOR = "simulator.amazonses.com"
BUS = "sesmailengine-EmailBus"
TRIED_AGAIN = {"bounce+softonce": "delivered", "bounce+soft": "failed"}
BOUNCES = {"bounce+soft": "soft_bounced", "bounce+noemail": "bounced"}

QUERY, FINAL = blocks(section("STATUS.md", "Tracking Retry Attempts"), "python")
RULE = blocks(section("STATUS.md", "AWS CLI Example"), "bash")[0]
PATTERNS = blocks(section("STATUS.md", "Creating EventBridge Rules"), "json")
HANDLER = blocks(section("STATUS.md", "Python Handler Example"), "python")[0]
ALL_CHANGES, ALL_BOUNCES = map(json.loads, PATTERNS[:2])


def engine(stack: str) -> AbstractContextManager[Running]:
    return running("--retry-delay", "3s", "--send-rate", "50", "--duplicates", "0.2", "--stack", stack)


def ask(engine: Running, bus: str, source: str, **detail: Any) -> None:
    events: Any = engine.client("events")
    detail |= {"templateName": "welcome", "templateData": {"userName": "John"}}
    entry = {
        "Source": source,
        "DetailType": "Email Request",
        "EventBusName": bus,
        "Detail": json.dumps(detail),
    }
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0


@pytest.mark.parametrize(
    ("language", "block"),
    [
        ("python", QUERY),
        ("python", FINAL),
        ("python", HANDLER),
        ("bash", RULE),
        *(("json", pattern) for pattern in PATTERNS),
    ],
)
def test_the_block_is_that_of_the_first_guide(language: str, block: str) -> None:
    assert block in blocks(GUIDE, language)


# The chain and the final outcome.


class Told(NamedTuple):
    """What the blocks print in the end, and the rows of the mail and of its retry."""

    chain: str
    final: str
    rows: dict[str, dict[str, Any]]


@cache
def told(mailbox: str) -> Told:
    """Of a mail whose retry came to its end."""
    with engine(STACK) as running_engine:
        to = f"{mailbox}@{SIMULATOR}"
        ask(running_engine, f"{STACK}-EmailBus", "my.application", to=to, emailId=MAIL)
        chain = until(partial(chain_that_ended, running_engine), seconds=60)
        final = execute(running_engine, QUERY + FINAL).removeprefix(chain)
        return Told(chain, final, {email_id: row(running_engine, email_id) for email_id in (MAIL, RETRY)})


def chain_that_ended(engine: Running) -> str | None:
    printed = execute(engine, QUERY)
    return printed if re.search("Retry #1: .* → (delivered|failed)", printed) else None


def row(engine: Running, email_id: str) -> dict[str, Any]:
    dynamodb: Any = engine.client("dynamodb")
    item = dynamodb.get_item(TableName=f"{STACK}-EmailTracking", Key={"emailId": {"S": email_id}})["Item"]
    return {name: next(iter(value.values())) for name, value in item.items()}


@pytest.mark.parametrize(("mailbox", "outcome"), TRIED_AGAIN.items())
def test_the_query_prints_the_mail_and_then_its_retry(mailbox: str, outcome: str) -> None:
    assert told(mailbox).chain.splitlines() == [
        f"Original: {MAIL} → soft_bounced",
        f"  └─ Retry #1: {RETRY} → {outcome}",
    ]


@pytest.mark.parametrize(("mailbox", "outcome"), TRIED_AGAIN.items())
def test_the_final_outcome_is_that_of_the_retry(mailbox: str, outcome: str) -> None:
    assert told(mailbox).final == f"Final status: {outcome}\n"


@pytest.mark.parametrize("mailbox", TRIED_AGAIN)
def test_the_retry_is_sent_once_the_delay_is_over(mailbox: str) -> None:
    rows = told(mailbox).rows
    assert times.parse(rows[RETRY]["timestamp"]) - times.parse(rows[MAIL]["softBouncedAt"]) >= DELAY


@pytest.mark.parametrize("mailbox", TRIED_AGAIN)
def test_both_rows_bear_the_chain_and_the_attempt(mailbox: str) -> None:
    chain = {key: (row["originalEmailId"], row["retryAttempt"]) for key, row in told(mailbox).rows.items()}
    assert chain == {MAIL: (MAIL, "0"), RETRY: (MAIL, "1")}


def test_a_retry_that_bounces_softly_has_the_code_that_says_so() -> None:
    assert told("bounce+soft").rows[RETRY]["errorCode"] == "RETRY_EXHAUSTED"


# Bounce notifications.


@pytest.fixture(scope="module")
def rules_engine() -> Iterator[Running]:
    with engine("sesmailengine") as found:
        yield found


class Subscriber:
    """A queue behind a rule; knows all that ever came."""

    def __init__(self, engine: Running, rule: str) -> None:
        sqs: Any = engine.client("sqs")
        events: Any = engine.client("events")
        self._sqs, self._url = sqs, sqs.create_queue(QueueName=rule)["QueueUrl"]
        asked = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        target = {"Id": "queue", "Arn": asked["Attributes"]["QueueArn"]}
        events.put_targets(Rule=rule, EventBusName=BUS, Targets=[target])
        self._came: list[dict[str, Any]] = []

    def events(self) -> list[dict[str, Any]]:
        messages = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
        self._came.extend(json.loads(message["Body"]) for message in messages)
        return self._came

    def event(self, address: str, status: str) -> dict[str, Any]:
        """Waits for it."""
        wanted = {"toEmail": address, "status": status}

        def found() -> dict[str, Any] | None:
            return next((each for each in self.events() if wanted.items() <= each["detail"].items()), None)

        event: dict[str, Any] = until(found, seconds=60)
        return event


def subscriber(engine: Running, name: str, pattern: dict[str, Any]) -> Subscriber:
    events: Any = engine.client("events")
    events.put_rule(Name=name, EventBusName=BUS, EventPattern=json.dumps(pattern))
    return Subscriber(engine, name)


@pytest.fixture(params=["the AWS command line", "what stands in for it"])
def aws(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The command `aws`, the real one where there is one."""
    if request.param == "what stands in for it":
        return aws_command.installed(tmp_path)
    real = shutil.which("aws")
    if real is None:
        pytest.skip("there is no AWS command line here")
    return Path(real)


@pytest.fixture
def rule(rules_engine: Running, aws: Path) -> Iterator[str]:
    """The rule of the page, made by the page's commands."""
    path = f"{aws.parent}:{rules_engine.environment['PATH']}"
    environment = rules_engine.environment | {"PATH": path, "AWS_CONFIG_FILE": "/dev/null", "AWS_PAGER": ""}
    done = subprocess.run(
        ["bash", "-e", "-c", RULE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    name = "my-app-bounce-notifications"
    yield name
    events: Any = rules_engine.client("events")
    targets = events.list_targets_by_rule(Rule=name, EventBusName=BUS)["Targets"]
    events.remove_targets(Rule=name, EventBusName=BUS, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name, EventBusName=BUS)


@pytest.fixture
def address() -> Callable[[str], str]:
    """One of the simulator that no other test uses."""
    label = uuid.uuid4().hex[:12]
    return lambda mailbox: f"{mailbox}+{label}@{SIMULATOR}"


def test_the_rule_has_the_handler_as_its_target(rules_engine: Running, rule: str) -> None:
    events: Any = rules_engine.client("events")
    targets = events.list_targets_by_rule(Rule=rule, EventBusName=BUS)["Targets"]
    assert targets == [{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:my-bounce-handler"}]


def test_the_rule_takes_the_hard_bounces_of_its_application_and_nothing_else(
    rules_engine: Running, rule: str, address: Callable[[str], str]
) -> None:
    """One after the other, so that what must not come would have come before what must."""
    bounces = Subscriber(rules_engine, rule)
    changes = subscriber(rules_engine, f"all-{rule}", ALL_CHANGES)
    soft, hard, others = address("bounce+soft"), address("bounce+noemail"), address("bounce+general")
    ask(rules_engine, BUS, "my.application", to=soft)
    changes.event(soft, "soft_bounced")
    ask(rules_engine, BUS, "another.application", to=others)
    changes.event(others, "bounced")
    ask(rules_engine, BUS, "my.application", to=hard)
    bounces.event(hard, "bounced")
    told = [event["detail"] for event in bounces.events()]
    # A queue delivers again what nobody deleted: that of an earlier test may come once more.
    came = {
        (detail["toEmail"], detail["status"]) for detail in told if detail["toEmail"] in {soft, hard, others}
    }
    assert came == {(hard, "bounced")}


def test_the_handler_of_the_guide_understands_what_the_rule_delivers(
    rules_engine: Running, rule: str, address: Callable[[str], str]
) -> None:
    to = address("bounce+noemail")
    bounces = Subscriber(rules_engine, rule)
    ask(rules_engine, BUS, "my.application", to=to)
    call = f"\nlambda_handler({bounces.event(to, 'bounced')!r}, None)\n"
    assert execute(rules_engine, HANDLER + call) == f"Hard bounce for {to}: NoEmail\n"


@pytest.mark.parametrize(("mailbox", "status"), BOUNCES.items())
def test_the_pattern_for_bounces_takes_those_of_both_kinds(
    rules_engine: Running, mailbox: str, status: str, address: Callable[[str], str]
) -> None:
    to = address(mailbox)
    bounces = subscriber(rules_engine, f"pattern-{status}", ALL_BOUNCES)
    ask(rules_engine, BUS, "my.application", to=to)
    assert bounces.event(to, status)["detail"]["bounceSubType"] in {"MailboxFull", "NoEmail"}
