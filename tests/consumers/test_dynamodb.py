"""What only the tables of the consumers have: their rows, and races between two calls."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.dynamodb import CheckpointTable, LedgerTable
from consumers.ledger import Claim
from pipeline.errors import Misconfigured
from pipeline.log import sequence_text
from tests.builders import NINE, mail_sent
from tests.consumers.conftest import Deployed

NOW = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
SHARD = "shardId-000000000000"
SEQUENCE = 49640138567893425678934256789342567893425678934256789342


class Meddled:
    """A client before one of whose calls something happens, once."""

    def __init__(self, client: Any, call: str, before: Callable[[], None]) -> None:
        self._client, self._call, self._before = client, call, before
        self._happened = False

    def __getattr__(self, name: str) -> Any:
        if name == self._call and not self._happened:
            self._happened = True
            self._before()
        return getattr(self._client, name)


def ledger(deployed: Deployed, client: Any = None) -> LedgerTable:
    table = deployed.settings.send_ledger_table_name
    return LedgerTable(client or deployed.client("dynamodb"), table, timedelta(days=90), lambda: NOW)


def row(deployed: Deployed, email_id: str) -> dict[str, Any]:
    table = deployed.settings.send_ledger_table_name
    found: dict[str, Any] = deployed.client("dynamodb").get_item(
        TableName=table, Key={"emailId": {"S": email_id}}
    )["Item"]
    return found


def test_a_claim_that_is_released_while_it_is_looked_at_is_put_again(deployed: Deployed) -> None:
    """Nobody may send under a claim that is nowhere.

    A:  insert ─► duplicate ─────────────► read ─► nothing ─► insert ─► A's claim stands
    B:             (its claim) ─► release
    C:                                                                   insert ─► finds A's
    """
    theirs, mine = Claim("released", "event", "B", 1.0), Claim("released", "event", "A", 1.0)
    ledger(deployed).claim([theirs])
    meddled = Meddled(deployed.client("dynamodb"), "batch_get_item", lambda: ledger(deployed).release(theirs))
    assert ledger(deployed, meddled).claim([mine]) == [mine]
    assert ledger(deployed).claim([replace(mine, token="C")]) == [mine]


def test_a_claim_is_kept_for_the_retention(deployed: Deployed) -> None:
    ledger(deployed).claim([Claim("kept", "event", "token", 1.0)])
    assert row(deployed, "kept")["ttl"] == {"N": str(int((NOW + timedelta(days=90)).timestamp()))}


def test_the_row_of_a_claim_says_whether_it_is_open(deployed: Deployed) -> None:
    mine = Claim("state", "event", "token", 1.0)
    ledger(deployed).claim([mine])
    assert row(deployed, "state")["state"] == {"S": "open"}
    ledger(deployed).close([replace(mine, outcome=mail_sent().envelope("fact", NINE))])
    assert row(deployed, "state")["state"] == {"S": "closed"}


def test_an_id_in_any_script_can_be_claimed(deployed: Deployed) -> None:
    mine = Claim("größe-\"'-注文-🧾", "event", "token", 1.0)
    assert ledger(deployed).claim([mine, mine]) == [mine, mine]


def test_a_ledger_that_is_missing_is_an_operators_business(deployed: Deployed) -> None:
    missing = LedgerTable(deployed.client("dynamodb"), "missing", timedelta(days=1), lambda: NOW)
    with pytest.raises(Misconfigured):
        missing.release(Claim("any", "event", "token", 1.0))


@pytest.fixture
def checkpoints(deployed: Deployed) -> CheckpointTable:
    table = CheckpointTable(deployed.client("dynamodb"), "checkpoints")
    table.create()
    return table


def test_a_shard_begins_without_a_checkpoint(checkpoints: CheckpointTable) -> None:
    assert checkpoints.read("nobody", SHARD) == (None, False)


def test_a_checkpoint_is_read_as_it_was_written(checkpoints: CheckpointTable) -> None:
    checkpoints.write("sender", SHARD, SEQUENCE, NOW, ended=False)
    assert checkpoints.read("sender", SHARD) == (SEQUENCE, False)


def test_a_shard_that_was_read_to_its_end_says_so(checkpoints: CheckpointTable) -> None:
    checkpoints.write("projector", SHARD, SEQUENCE, NOW, ended=True)
    assert checkpoints.read("projector", SHARD) == (SEQUENCE, True)


def test_an_empty_shard_can_end(checkpoints: CheckpointTable) -> None:
    checkpoints.write("archiver", SHARD, None, NOW, ended=True)
    assert checkpoints.read("archiver", SHARD) == (None, True)


def test_consumers_have_their_own_checkpoints(checkpoints: CheckpointTable) -> None:
    checkpoints.write("one", SHARD, 1, NOW, ended=False)
    checkpoints.write("two", SHARD, 2, NOW, ended=False)
    assert checkpoints.read("one", SHARD) == (1, False)


def test_creating_the_table_again_keeps_what_is_in_it(
    deployed: Deployed, checkpoints: CheckpointTable
) -> None:
    checkpoints.write("kept", SHARD, 7, NOW, ended=False)
    CheckpointTable(deployed.client("dynamodb"), "checkpoints").create()
    assert checkpoints.read("kept", SHARD) == (7, False)


def test_a_checkpoint_is_stored_as_text_whose_order_is_that_of_numbers(
    deployed: Deployed, checkpoints: CheckpointTable
) -> None:
    checkpoints.write("text", SHARD, 12, NOW, ended=False)
    key = {"consumer": {"S": "text"}, "shard": {"S": SHARD}}
    found = deployed.client("dynamodb").get_item(TableName="checkpoints", Key=key)["Item"]
    assert found["sequence"] == {"S": sequence_text(12)}
