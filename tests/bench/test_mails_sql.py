"""How many archived events a second DuckDB folds into complete rows on two cores."""

import time
from importlib.resources import files
from pathlib import Path

import pytest

from analytics.duckdb import connect
from tests.bench.archive import write_archive

MAILS = 300_000


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_the_archive_is_folded_to_rows(tmp_path: Path) -> None:
    events = write_archive(tmp_path, MAILS)
    connection = connect(str(tmp_path))
    connection.execute("SET threads = 2; SET memory_limit = '3GB'; SET preserve_insertion_order = false")
    connection.execute(files("projections").joinpath("sql", "mails.sql").read_text(encoding="utf-8"))
    begun = time.perf_counter()
    connection.execute("CREATE TABLE rows AS FROM mails")
    seconds = time.perf_counter() - begun
    assert connection.execute("SELECT count(*) FROM rows").fetchone() == (MAILS,)
    rate = events / seconds / 1e6
    print(f"\n{events:,} events to {MAILS:,} rows in {seconds:.1f} s: {rate:.2f} million a second")  # noqa: T201
