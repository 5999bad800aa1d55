"""The integration guide that users hold: its Python blocks run as they stand, against a running engine.

The blocks are taken from the guide itself; only the stack's name is another in two of them.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.infra.running import STACK, Running, running

GUIDE = Path(__file__).with_name("guide.md").read_text(encoding="utf-8")
SEED = Path(__file__).parents[3] / "shared" / "seed" / "000_9051eda270690985.txt"


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running("--send-rate", "50", "--duplicates", "0.2") as engine:
        yield engine


def block(heading: str, number: int = 0) -> str:
    """A Python block below a heading of the guide."""
    section = re.split(rf"^#+ {re.escape(heading)}$", GUIDE, flags=re.MULTILINE)[1]
    code: str = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)[number]
    return code.replace("'sesmailengine-EmailBus'", f"'{STACK}-EmailBus'")


def execute(engine: Running, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=engine.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(found: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)
    return value


def rows_to(engine: Running, address: str, template: str) -> list[dict[str, Any]]:
    dynamodb: Any = engine.client("dynamodb")
    items = dynamodb.query(
        TableName=f"{STACK}-EmailTracking",
        IndexName="to-email-timestamp-index",
        KeyConditionExpression="toEmail = :email",
        ExpressionAttributeValues={":email": {"S": address}},
    )["Items"]
    return [item for item in items if item.get("templateName", {}).get("S") == template]


def mails_to(engine: Running, address: str, template: str, status: str) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [row for row in rows_to(engine, address, template) if row["status"]["S"] == status]


def test_the_copy_of_the_guide_is_the_guide() -> None:
    if not SEED.exists():
        pytest.skip("the guide's original isn't beside this checkout")
    assert SEED.read_text(encoding="utf-8") == GUIDE


def test_the_first_email_of_the_quick_start_is_delivered(engine: Running) -> None:
    printed = execute(engine, block("2. Send Your First Email"))
    assert "'FailedEntryCount': 0" in printed
    assert until(mails_to(engine, "recipient@example.com", "welcome", "delivered"))


def test_the_email_client_sends_its_simple_email_and_the_one_with_all_options(engine: Running) -> None:
    execute(engine, block("Python"))
    assert until(mails_to(engine, "user@example.com", "welcome", "delivered"))
    (order,) = until(mails_to(engine, "user@example.com", "order-confirmation", "delivered"))
    assert order["subject"]["S"] == "Your Order #ORD-123"
    assert order["metadata"]["M"] == {"orderId": {"S": "ORD-123"}, "userId": {"S": "user-456"}}


def test_batch_sending_leaves_a_row_for_each_user(engine: Running) -> None:
    assert "Failed" not in execute(engine, block("Batch Sending"))
    for number in (1, 2, 3):
        assert until(partial(rows_to, engine, f"user{number}@example.com", "newsletter"))


def test_the_permission_check_succeeds_and_its_unknown_template_leaves_a_failed_row(engine: Running) -> None:
    assert "Permissions configured correctly" in execute(engine, block("Verify Permissions"))
    (row,) = until(mails_to(engine, "test@example.com", "test", "failed"))
    assert row["errorCode"]["S"] == "TEMPLATE_NOT_FOUND"


def test_a_mail_is_found_by_its_id_and_by_its_recipient(engine: Running) -> None:
    send = block("2. Send Your First Email").replace(
        "'to': 'recip", "'emailId': 'my-custom-id-123', 'to': 'recip"
    )
    execute(engine, send.replace("recipient@example.com", "user@example.com"))
    by_id, by_recipient = block("Query by Email ID"), block("Query by Recipient")

    def printed_once_delivered() -> str:
        printed = execute(engine, by_id + by_recipient)
        both = "Status: delivered" in printed and "my-custom-id-123: delivered" in printed
        return printed if both else ""

    printed = until(printed_once_delivered)
    assert re.search(r"Sent at: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", printed)


def test_a_hard_bounce_is_found_on_the_suppression_list(engine: Running) -> None:
    bounced = "bounce+NoEmail@simulator.amazonses.com"
    execute(engine, block("2. Send Your First Email").replace("recipient@example.com", bounced))
    check = f"import boto3; dynamodb = boto3.client('dynamodb'); email = '{bounced}'\n"
    check += block("4. Don't Send to Suppressed Addresses")
    assert "hard bounce: NoEmail" in until(lambda: execute(engine, check))


def test_an_address_that_is_not_suppressed_has_no_row_in_the_suppression_table(engine: Running) -> None:
    check = "import boto3; dynamodb = boto3.client('dynamodb'); email = 'user@example.com'\n"
    assert execute(engine, check + block("4. Don't Send to Suppressed Addresses")) == ""


def test_a_subscriber_with_a_queue_receives_status_changes_as_the_guide_shows_them(engine: Running) -> None:
    received = subscribe(
        engine, "all-changes", {"source": ["sesmailengine"], "detail-type": ["Email Status Changed"]}
    )
    execute(
        engine, block("2. Send Your First Email").replace("recipient@example.com", "subscriber@example.com")
    )
    change = until(lambda: received("subscriber@example.com", "delivered"))
    assert change["detail"]["templateName"] == "welcome"
    assert change["detail"]["originalSource"] == "my.application"
    shown = json.loads(
        re.findall(r"```json\n(.*?)```", GUIDE.split("### Status Change Event Schema")[1], re.DOTALL)[0]
    )
    assert shown["detail"].keys() - change["detail"].keys() <= {"metadata"}


def subscribe(engine: Running, name: str, pattern: dict[str, Any]) -> Callable[[str, str], Any]:
    """A rule with a queue behind it; returns what looks for a change among all that have come."""
    sqs: Any = engine.client("sqs")
    events: Any = engine.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = f"{STACK}-EmailBus"
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    came: list[dict[str, Any]] = []

    def received(address: str, status: str) -> Any:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        came.extend(json.loads(message["Body"]) for message in messages)
        wanted = {"toEmail": address, "status": status}
        return next((each for each in came if wanted.items() <= each["detail"].items()), None)

    return received
