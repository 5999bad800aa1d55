"""The fold over the archive in SQL, the fold over the log in Python, and the oracle: all say the same."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from analytics.folding import mail_row
from pipeline.codec import decode
from projections.rows import mail_of, row_of
from projections.tracking import fold
from tests.projections import oracle
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.in_sql import InSql
from tests.projections.world import NOTIFY, RETENTION

SLOW = list(HealthCheck)
NOT_OF_THE_FOLD = {"done", "ttl", "facts"}
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> InSql:
    return InSql(tmp_path_factory.mktemp("work"))


def by_sql(sql: InSql, history: Sequence[bytes]) -> Rows:
    sql.take(history)
    return {row["emailId"]: dict(mail_row(row)) for row in sql.undealt("mails")}


def by_python(history: Sequence[bytes]) -> Rows:
    return {key: row_of(mail, RETENTION) for key, mail in fold(map(decode, history)).items()}


def without(rows: Rows) -> Rows:
    return {key: {name: row[name] for name in row.keys() - NOT_OF_THE_FOLD} for key, row in rows.items()}


def holds(sql: InSql, history: Sequence[bytes], come: Sequence[bytes]) -> None:
    found, expected = by_sql(sql, come), by_python(history)
    assert without(found) == without(expected)
    assert without(found) == without(oracle.outcome(history, NOTIFY, RETENTION).rows)
    assert {key: mail_of(row) for key, row in found.items()} == {
        key: mail_of(row | {"done": ()}) for key, row in expected.items()
    }


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(history=histories(30), arrival=arrivals)
def test_any_arrival_of_a_history_gives_the_same_rows(
    sql: InSql, history: list[bytes], arrival: Arrival
) -> None:
    holds(sql, history, [data for batch in arrival.of(history) for data in batch])


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(max_examples=2000, deadline=None, suppress_health_check=SLOW)
@given(history=histories(60), arrival=arrivals)
def test_any_arrival_of_a_long_history_gives_the_same_rows(
    sql: InSql, history: list[bytes], arrival: Arrival
) -> None:
    holds(sql, history, [data for batch in arrival.of(history) for data in batch])


def test_an_empty_archive_has_no_mails(sql: InSql) -> None:
    assert by_sql(sql, []) == {}
