"""`status` as a person and a script see it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.errors import UserError
from pipeline.ids import retry_id
from projections import tracking
from projections.commands import commands
from projections.store import merge
from tests.builders import ANA
from tests.projections.builders import at, delivered, events, failed, sent, soft_bounce
from tests.projections.conftest import Tables
from tests.projections.world import RETENTION

Run = Callable[..., str]


class StandIn:
    """An engine as far as the command asks for one."""

    def __init__(self, tables: Tables) -> None:
        self.tracking_table_name, self.retention = tables.tracking_name, RETENTION
        self.suppression_table_name = tables.suppression_name
        self.settings = self
        self.client = lambda service: tables.client


@pytest.fixture
def run(tables: Tables) -> Run:
    """What a command prints."""

    def command(*arguments: str) -> str:
        found = CliRunner().invoke(
            commands,
            arguments,
            obj=lambda stack: StandIn(tables),
            env={"COLUMNS": "200"},
            catch_exceptions=False,
        )
        assert found.exit_code == 0
        return found.stdout

    return command


@pytest.fixture(scope="module", autouse=True)
def mails(tables: Tables) -> None:
    told = events(
        [
            sent("order-1", at(), metadata={"größe": [1, 2]}),
            delivered("order-1", at(minutes=1)),
            failed("order-2", at(), errorCode="TEMPLATE_NOT_FOUND"),
            sent("order-3", at()),
            soft_bounce("order-3", at(minutes=1)),
            sent(retry_id("order-3", 1), at(minutes=16), originalEmailId="order-3", retryAttempt=1),
        ]
    )
    merge(tables.tracking, tracking.fold(told), tracking.join)


def test_status_shows_the_status(run: Run) -> None:
    lines = [line.split() for line in run("status", "order-1").splitlines()]
    assert lines[:2] == [["emailId", "order-1"], ["status", "delivered"]]


def test_status_shows_why_a_mail_failed(run: Run) -> None:
    assert "TEMPLATE_NOT_FOUND" in run("status", "order-2")


def test_status_shows_metadata_in_letters(run: Run) -> None:
    assert '{"größe": [1, 2]}' in run("status", "order-1")


def test_status_as_json_is_one_object(run: Run) -> None:
    told: dict[str, Any] = json.loads(run("status", "order-1", "--json"))
    assert (told["status"], told["metadata"], told["retryAttempt"]) == ("delivered", {"größe": [1, 2]}, 0)


@pytest.mark.parametrize("name", ["facts", "done", "version", "ttl"])
def test_status_hides_what_serves_the_projection_alone(run: Run, name: str) -> None:
    assert name not in json.loads(run("status", "order-1", "--json"))


def test_status_of_an_unknown_mail_says_what_that_means(run: Run) -> None:
    with pytest.raises(UserError, match="nothing is known of 'order-9' yet"):
        run("status", "order-9")


def test_status_ends_with_the_facts_in_the_order_of_time(run: Run) -> None:
    told = run("status", "order-1")
    assert told.index("handed to SES") < told.index("the recipient's mail server took the mail")


def test_status_of_a_soft_bounce_tells_of_its_retry(run: Run) -> None:
    assert f"retry {retry_id('order-3', 1)}: sent" in run("status", "order-3")


def test_status_lists_the_mails_to_an_address(run: Run) -> None:
    rows = json.loads(run("status", "--to", ANA, "--json"))
    assert {"order-1", "order-2", "order-3"} <= {row["emailId"] for row in rows}


def test_why_leads_from_the_request_to_the_status(run: Run) -> None:
    first, *_, last = run("why", "order-1").splitlines()
    assert first.startswith("my.application asked for template")
    assert last == "So its status is delivered."


def test_why_names_the_code_of_a_refusal(run: Run) -> None:
    assert "not sent (TEMPLATE_NOT_FOUND)" in run("why", "order-2")
    assert "So its status is failed (TEMPLATE_NOT_FOUND)." in run("why", "order-2")


def test_why_of_a_soft_bounce_names_the_retry(run: Run) -> None:
    assert f"It was tried again as {retry_id('order-3', 1)}" in run("why", "order-3")
