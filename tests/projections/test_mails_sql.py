"""The fold over the archive in SQL, the fold over the log in Python, and the oracle: all say the same."""

import io
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from consumers.parquet import encoded_records
from pipeline.codec import decode
from projections.rows import mail_of, row_of
from projections.tracking import fold
from tests import builders
from tests.projections import oracle
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.world import NOTIFY, RETENTION

SLOW = list(HealthCheck)
NOT_OF_THE_FOLD = {"done", "ttl", "facts"}
IN_JSON = {"metadata", "unknownFields"}
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def sql() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("archived", archived([]))
    connection.execute("CREATE TABLE events AS FROM archived")
    connection.execute(files("projections").joinpath("sql", "mails.sql").read_text(encoding="utf-8"))
    return connection


def archived(history: Sequence[bytes]) -> pa.Table:
    """Through a file, as the archiver writes it."""
    records = [builders.record(data, number) for number, data in enumerate(history, 1)]
    return pq.read_table(io.BytesIO(encoded_records(records, {})))


def by_sql(sql: duckdb.DuckDBPyConnection, history: Sequence[bytes]) -> Rows:
    sql.register("archived", archived(history))
    sql.execute("CREATE OR REPLACE TABLE events AS FROM archived")
    answer = sql.execute("FROM mails")
    names = [column[0] for column in answer.description or ()]
    rows = [dict(zip(names, values, strict=True)) for values in answer.fetchall()]
    return {
        row["emailId"]: {name: _read(name, row[name]) for name in row if row[name] is not None}
        for row in rows
    }


def _read(name: str, value: Any) -> Any:
    return json.loads(value) if name in IN_JSON else value


def by_python(history: Sequence[bytes]) -> Rows:
    return {key: row_of(mail, RETENTION) for key, mail in fold(map(decode, history)).items()}


def without(rows: Rows) -> Rows:
    return {key: {name: row[name] for name in row.keys() - NOT_OF_THE_FOLD} for key, row in rows.items()}


def holds(sql: duckdb.DuckDBPyConnection, history: Sequence[bytes], come: Sequence[bytes]) -> None:
    found, expected = by_sql(sql, come), by_python(history)
    assert without(found) == without(expected)
    assert without(found) == without(oracle.outcome(history, NOTIFY, RETENTION).rows)
    assert {key: mail_of(row) for key, row in found.items()} == {
        key: mail_of(row | {"done": ()}) for key, row in expected.items()
    }


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(history=histories(30), arrival=arrivals)
def test_any_arrival_of_a_history_gives_the_same_rows(
    sql: duckdb.DuckDBPyConnection, history: list[bytes], arrival: Arrival
) -> None:
    holds(sql, history, [data for batch in arrival.of(history) for data in batch])


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(max_examples=2000, deadline=None, suppress_health_check=SLOW)
@given(history=histories(60), arrival=arrivals)
def test_any_arrival_of_a_long_history_gives_the_same_rows(
    sql: duckdb.DuckDBPyConnection, history: list[bytes], arrival: Arrival
) -> None:
    holds(sql, history, [data for batch in arrival.of(history) for data in batch])


def test_an_empty_archive_has_no_mails(sql: duckdb.DuckDBPyConnection) -> None:
    assert by_sql(sql, []) == {}
