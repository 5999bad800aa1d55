"""`replay` and `verify` on a running engine, whose tables are emptied, torn and meddled with."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consumers.projector import readable
from infra.cli import app
from infra.local import LocalEngine, LocalOptions
from infra.replay import checking, job, replaying
from infra.replay.holding import REASON
from pipeline import ids
from pipeline.engine import Engine
from pipeline.events import SendDue
from tests.infra.test_thousand_requests import publish

SIMULATED = ("success", "bounce", "complaint", "bounce+soft", "bounce+softonce", "ooto")
MAILS = 30  # with those below less than a hundred: then the bounce rate would be heeded
OTHER_DAYS = {"pace", "in hand", "heard"}  # rows of the reputation table that are no projection


def mail(number: int, **fields: Any) -> dict[str, Any]:
    mailbox = SIMULATED[number % len(SIMULATED)]
    simulated = f"{mailbox}+{number}@simulator.amazonses.com"
    return {
        "emailId": f"mail-{number}",
        "to": simulated if number % 3 else f"p{number}@post.example",
        "templateName": "welcome",
        "templateData": {"userName": f"Person {number}"},
        "metadata": {"number": number, "share": 0.25, "nested": {"list": [1, "ß"]}},
    } | fields


class Site:
    """The engine, its tables, and the command line on them."""

    def __init__(self, engine: LocalEngine, folder: Path) -> None:
        self.engine, self._folder = engine, folder
        settings = engine.settings
        self.dynamodb: Any = engine.client("dynamodb")
        self.tables = {
            settings.tracking_table_name: ("emailId",),
            settings.suppression_table_name: ("email",),
            settings.reputation_table_name: ("day", "minute"),
        }

    def command(self, *arguments: str) -> Result:
        engine = self.engine
        runner = CliRunner()
        work = ["--work", str(self._folder)] if arguments[0] in {"replay", "verify"} else []
        found = Engine(engine.client, lambda: engine.settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("infra.cli.engine_of", lambda _: found)
            return runner.invoke(app, [*arguments, *work])

    def told(self, *arguments: str) -> Any:
        done = self.command(*arguments, "--json")
        assert done.exit_code in {0, 1}, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return json.loads(done.stdout)

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def rows(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """Of the projections, but for how often each was written, and for what a replay says of itself."""
        return {
            (table, *(item[name]["S"] for name in key)): _without_order(item)
            for table, key in self.tables.items()
            for item in self.items(table)
            if item.get("day", {}).get("S") not in OTHER_DAYS and REASON not in str(item)
        }

    def tracking(self) -> dict[str, dict[str, Any]]:
        return {row["emailId"]["S"]: row for row in self.items(self.engine.settings.tracking_table_name)}

    def empty(self) -> None:
        for table, key in self.tables.items():
            for item in self.items(table):
                self.dynamodb.delete_item(TableName=table, Key={name: item[name] for name in key})

    def settle(self, seconds: float = 60.0) -> None:
        calm, deadline = 0, time.monotonic() + seconds
        while calm < 8:
            assert time.monotonic() < deadline, "it did not settle"
            time.sleep(0.2)
            calm = calm + 1 if self.engine.settled() else 0


def _without_order(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"BS": sorted(value["BS"])} if "BS" in value else value
        for name, value in item.items()
        if name != "version"
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = LocalOptions(retry_delay=1, archive_flush=2, send_rate=1000, duplicates=0.2, seed=5, shards=3)
    with LocalEngine(options) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", engine.aws.endpoint)
        patch.setenv("AWS_REGION", engine.aws.region)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setattr(job, "PARTITION_BYTES", 12_000)  # so that there are several
        patch.setattr(checking, "ROUND_SECONDS", 0.2)
        site = Site(engine, tmp_path_factory.mktemp("replay") / "work")
        publish(engine, [mail(number) for number in range(MAILS)])
        publish(engine, [mail(1, emailId="no-template", templateName="nowhere")])
        site.settle()
        for arguments in (
            ("pause", "--template", "newsletter", "--reason", "wrong price"),
            ("suppress", "ana@post.example", "--reason", "asked by phone"),
            ("suppress", "bo@post.example", "--reason", "asked by phone"),
            ("release", "bo@post.example", "--reason", "asked again"),
        ):
            done = (
                site.command("suppression", *arguments)
                if arguments[0] != "pause"
                else site.command(*arguments)
            )
            assert done.exit_code == 0, done.output
        site.settle()
        yield site


def test_the_run_has_rows_of_every_kind(site: Site) -> None:
    statuses = {row["status"]["S"] for row in site.items(site.engine.settings.tracking_table_name)}
    assert statuses >= {"delivered", "opened", "bounced", "soft_bounced", "failed"}


def test_verify_finds_no_difference_where_there_is_none(site: Site) -> None:
    told = site.told("verify")
    assert told["differences"] == []
    assert told["compared"]["tracking"] >= MAILS
    assert site.command("verify").exit_code == 0


def test_tables_that_were_emptied_are_as_before_after_a_fresh_replay(site: Site) -> None:
    before = site.rows()
    site.empty()
    told = site.told("replay", "--fresh")
    assert site.rows() == before
    assert told["tracking"]["written"] == sum(
        key[0] == site.engine.settings.tracking_table_name for key in before
    )
    paused = json.loads(site.command("paused", "--json").stdout)
    assert [hold["template"] for hold in paused] == ["newsletter"]


def test_a_replay_changes_nothing_that_is_right(site: Site) -> None:
    table = site.engine.settings.tracking_table_name
    before = site.items(table)
    told = site.told("replay")
    assert {name: counts["written"] for name, counts in told.items()} == dict.fromkeys(job.NAMES, 0)
    assert site.items(table) == before


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(site: Site) -> None:
    before = site.rows()
    key = {"emailId": {"S": "mail-3"}}
    table = site.engine.settings.tracking_table_name
    row = site.dynamodb.get_item(TableName=table, Key=key)["Item"]
    site.dynamodb.delete_item(TableName=table, Key=key)
    assert site.told("replay", "--dry-run")["tracking"]["written"] == 1
    assert "Item" not in site.dynamodb.get_item(TableName=table, Key=key)
    site.dynamodb.put_item(TableName=table, Item=row)
    assert site.rows() == before


def test_what_was_changed_deleted_or_invented_is_named_and_mended(site: Site) -> None:
    before = site.rows()
    tracking, suppressed, reputation = site.tables
    change(site, tracking, {"emailId": "mail-1"}, status="complained", subject="Another")
    site.dynamodb.delete_item(TableName=tracking, Key={"emailId": {"S": "mail-2"}})
    site.dynamodb.put_item(TableName=tracking, Item={"emailId": {"S": "invented"}, "status": {"S": "sent"}})
    site.dynamodb.delete_item(TableName=suppressed, Key={"email": {"S": "ana@post.example"}})
    site.dynamodb.put_item(
        TableName=suppressed, Item={"email": {"S": "nobody@post.example"}, "reason": {"S": "a whim"}}
    )
    (day, minute), *_ = [
        key[1:] for key in before if key[0] == reputation and ":" in key[2] and key[1][0] == "2"
    ]
    change(site, reputation, {"day": day, "minute": f"hour {minute[:2]}"}, **{f"a{minute[3:]}": 7_000})
    found = {(each["table"], each["key"], each["field"]) for each in site.told("verify")["differences"]}
    assert found == {
        ("tracking", "mail-1", "status"),
        ("tracking", "mail-1", "subject"),
        ("tracking", "mail-2", "(row)"),
        ("tracking", "invented", "(row)"),
        ("suppression", "ana@post.example", "(row)"),
        ("suppression", "nobody@post.example", "(row)"),
        *(each for each in found if each[0] == "reputation"),
    }
    assert any(each[0] == "reputation" and day in each[1] for each in found)
    shown = site.command("verify")
    assert shown.exit_code == 1
    assert "tracking mail-1: status is 'complained', by the log" in shown.stdout
    told = site.told("replay", "--repair")
    assert sum(counts.get("changed", 0) for counts in told.values()) == 0
    assert site.command("verify").exit_code == 0
    assert site.rows() == before


def change(site: Site, table: str, key: Mapping[str, str], **attributes: Any) -> None:
    names = {f"#{number}": name for number, name in enumerate(attributes)}
    values = {
        f":{number}": {"N": str(value)} if isinstance(value, int) else {"S": value}
        for number, value in enumerate(attributes.values())
    }
    site.dynamodb.update_item(
        TableName=table,
        Key={name: {"S": value} for name, value in key.items()},
        UpdateExpression="SET " + ", ".join(f"#{number} = :{number}" for number in range(len(attributes))),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
    )


def test_a_replay_that_was_interrupted_goes_on_where_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.rows()
    site.empty()
    done: list[int] = []
    tracking = replaying.Replaying.tracking

    def interrupted(self: Any, partition: int, counts: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        tracking(self, partition, counts)
        done.append(partition)

    monkeypatch.setattr(replaying.Replaying, "tracking", interrupted)
    assert site.command("replay", "--fresh").exit_code == 130

    def whole(self: Any, partition: int, counts: Any) -> None:
        tracking(self, partition, counts)
        done.append(partition)

    monkeypatch.setattr(replaying.Replaying, "tracking", whole)
    again = site.command("replay", "--fresh")
    assert "going on with what was begun before" in again.stderr
    assert len(done) == len(set(done)) > 3
    assert site.rows() == before


def test_while_mail_flows_a_replay_loses_no_announcement_and_no_retry(site: Site) -> None:
    engine = site.engine
    sqs, events = engine.client("sqs"), engine.client("events")
    queue = sqs.create_queue(QueueName="all-changes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = engine.settings.event_bus_name
    pattern = json.dumps({"detail-type": ["Email Status Changed"]})
    events.put_rule(Name="all-changes", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="all-changes", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    asked = [mail(number) for number in range(1000, 1040)]

    def flow() -> None:
        for start in range(0, len(asked), 10):
            publish(engine, asked[start : start + 10])
            time.sleep(0.3)

    flowing = threading.Thread(target=flow)
    flowing.start()
    while flowing.is_alive():
        site.told("replay", "--repair")
    retries = {ids.retry_id(each["emailId"], 1) for each in asked if each["to"].startswith("bounce+soft")}
    deadline = time.monotonic() + 60
    while not retries <= site.tracking().keys():
        assert time.monotonic() < deadline, "not every retry was sent"
        time.sleep(0.5)
    site.settle()
    site.told("replay", "--repair")
    assert site.told("verify")["differences"] == []
    named = {detail["emailId"] for detail in asked}
    rows = {key: row for key, row in site.tracking().items() if row["originalEmailId"]["S"] in named}
    done = {(key, mark["S"]) for key, row in rows.items() for mark in row.get("done", {}).get("L", ())}
    assert {key for key, _ in done} >= named
    assert announced(sqs, queue, named) | retried(engine, named) == done


def retried(engine: LocalEngine, named: set[str]) -> set[tuple[str, str]]:
    """Of which mails a retry came back into the log."""
    records = [
        record
        for shard in engine.log.shards()
        for record in engine.log.reader(shard.id, None).read(10_000).records
    ]
    dues = [event.body for event in readable(records) if isinstance(event.body, SendDue)]
    return {(due.original_email_id, "retry") for due in dues if due.original_email_id in named}


def announced(sqs: Any, queue: str, named: set[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        details = [json.loads(message["Body"])["detail"] for message in messages]
        found |= {(each["emailId"], each["status"]) for each in details if each["originalEmailId"] in named}
    return found
