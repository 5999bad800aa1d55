"""`status` as a person and a script see it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.errors import UserError
from projections import tracking
from projections.commands import commands
from projections.store import merge
from tests.projections.builders import at, delivered, events, failed, sent
from tests.projections.conftest import Tables
from tests.projections.world import RETENTION

Run = Callable[..., str]


class StandIn:
    """An engine as far as the command asks for one."""

    def __init__(self, tables: Tables) -> None:
        self.tracking_table_name, self.retention = tables.tracking_name, RETENTION
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
        ]
    )
    merge(tables.tracking, tracking.fold(told), tracking.join)


def test_status_shows_the_status(run: Run) -> None:
    lines = [line.split() for line in run("order-1").splitlines()]
    assert lines[:2] == [["emailId", "order-1"], ["status", "delivered"]]


def test_status_shows_why_a_mail_failed(run: Run) -> None:
    assert "TEMPLATE_NOT_FOUND" in run("order-2")


def test_status_shows_metadata_in_letters(run: Run) -> None:
    assert '{"größe": [1, 2]}' in run("order-1")


def test_status_as_json_is_one_object(run: Run) -> None:
    told: dict[str, Any] = json.loads(run("order-1", "--json"))
    assert (told["status"], told["metadata"], told["retryAttempt"]) == ("delivered", {"größe": [1, 2]}, 0)


@pytest.mark.parametrize("name", ["facts", "done", "version", "ttl"])
def test_status_hides_what_serves_the_projection_alone(run: Run, name: str) -> None:
    assert name not in json.loads(run("order-1", "--json"))


def test_status_of_an_unknown_mail_says_what_that_means(run: Run) -> None:
    with pytest.raises(UserError, match="nothing is known of 'order-9' yet"):
        run("order-9")
