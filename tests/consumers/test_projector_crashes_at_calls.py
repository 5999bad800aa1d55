"""The projector as it is put together for AWS dies at every one of its calls, over the tables of the stack.

What a call of many parts has done stays done: ten announcements, 25 rows, the sets of a minute without their count.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from consumers.bootstrap import Consumers
from consumers.handler import Handler
from pipeline.dynamodb import unmarshal_item
from pipeline.settings import Settings
from projections.dynamodb import ReputationTable
from projections.reputation import Reputation
from tests.builders import record
from tests.consumers.conftest import Deployed
from tests.consumers.mortal import Life, Standing, World
from tests.consumers.test_projector_crashes import HISTORY
from tests.projections.builders import at, sent, soft_bounce

MANY = [f"many-{number}" for number in range(17)]  # more than one call takes, of each kind
LOG = [
    record(told, 7 * number)
    for number, told in enumerate(
        [
            *HISTORY,
            *(sent(mail, at()) for mail in MANY),
            *(soft_bounce(mail, at(minutes=1)) for mail in MANY),
        ],
        1,
    )
]
BATCHES = [22, 100]
DAYS = {"2026-03-01": Reputation(7 + len(MANY), 1), "2026-03-02": Reputation(2, 1)}
WRITES = {
    "put_events",  # announcements
    "send_message_batch",  # retries
    "batch_execute_statement",  # mails and holds
    "transact_write_items",  # addresses
    "update_item",  # the sets of a minute, and their count
    "checkpoint",
}


class MortalClient:
    """A client of AWS, each of whose calls is a step of a life; notes what was done."""

    def __init__(self, life: Life, client: Any, done: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._life, self._client, self._done = life, client, done

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._lived, name)

    def _lived(self, name: str, *arguments: Any, **members: Any) -> Any:
        def call() -> Any:
            answer = getattr(self._client, name)(*arguments, **members)
            self._done(name, members)
            return answer

        return self._life.lived(name, call)


class Account(World):
    """The world as the stack has it; its tables are empty at first."""

    def __init__(self, deployed: Deployed) -> None:
        super().__init__(LOG)
        self._client, self._settings = deployed.client, deployed.settings
        self._dynamodb = deployed.client("dynamodb")
        self._told: list[dict[str, Any]] = []
        self._due: list[dict[str, Any]] = []
        for table, key in _tables(self._settings).items():
            for item in self._dynamodb.scan(TableName=table)["Items"]:
                self._dynamodb.delete_item(TableName=table, Key={name: item[name] for name in key})

    def projector(self, life: Life) -> Handler:
        def client(service: str, **more: Any) -> Any:
            return MortalClient(life, self._client(service, **more), self._done)

        return Consumers(self._settings, client).projector().handler(LOG[0].shard, self.checkpoint)

    def _done(self, call: str, members: Mapping[str, Any]) -> None:
        if call == "put_events":
            self._told += [json.loads(entry["Detail"]) for entry in members["Entries"]]
        if call == "send_message_batch":
            self._due += [json.loads(entry["MessageBody"]) for entry in members["Entries"]]

    def standing(self) -> Standing:
        settings = self._settings
        figures = ReputationTable(self._dynamodb, settings.reputation_table_name, settings.retention)
        return Standing(
            rows=self._rows(settings.tracking_table_name, "emailId"),
            addresses=self._rows(settings.suppression_table_name, "email"),
            holds=self._rows(settings.reputation_table_name, "minute"),
            days={day: figures.of_day(day) for day in DAYS},
            announced={(each["eventId"], each["emailId"], each["status"]) for each in self._told},
            retried={
                (each["emailId"], each["originalEmailId"], each["retryAttempt"], each["place"]["sequence"])
                for each in self._due
            },
        )

    def _rows(self, table: str, key: str) -> dict[str, Any]:
        """Without their versions, which count the writes."""
        rows = map(unmarshal_item, self._dynamodb.scan(TableName=table)["Items"])
        return {
            f"{row.get('day', '')} {row[key]}": {name: row[name] for name in row if name != "version"}
            for row in rows
        }


def _tables(settings: Settings) -> dict[str, list[str]]:
    return {
        settings.tracking_table_name: ["emailId"],
        settings.suppression_table_name: ["email"],
        settings.reputation_table_name: ["day", "minute"],
    }


def undisturbed(deployed: Deployed, batch: int) -> tuple[Standing, list[str]]:
    account, life = Account(deployed), Life()
    assert account.live(life, batch)
    return account.standing(), life.steps


@pytest.mark.parametrize("batch", BATCHES)
def test_every_kind_of_write_is_a_step(deployed: Deployed, batch: int) -> None:
    _, steps = undisturbed(deployed, batch)
    assert {step.split()[1] for step in steps} >= WRITES


def test_effects_and_rows_of_one_batch_take_several_calls(deployed: Deployed) -> None:
    _, steps = undisturbed(deployed, 100)
    several = ("put_events", "send_message_batch", "batch_execute_statement", "update_item")
    assert min(steps.count(f"after {call}") for call in several) > 1


@pytest.mark.parametrize("batch", BATCHES)
def test_the_days_are_counted(deployed: Deployed, batch: int) -> None:
    assert undisturbed(deployed, batch)[0].days == DAYS


@pytest.mark.parametrize("batch", BATCHES)
def test_a_death_at_any_call_changes_nothing_in_the_end(deployed: Deployed, batch: int) -> None:
    """Dead before a call is dead after the one before it."""
    wanted, steps = undisturbed(deployed, batch)
    for length in (number for number, step in enumerate(steps) if not number or step.startswith("after")):
        account = Account(deployed)
        assert not account.live(Life(length), batch)
        assert account.live(Life(), batch)
        assert account.standing() == wanted, f"died in the place of step {length}: {steps[length]}"
