"""The suppression fold over the archive in SQL and the one over the log in Python say the same."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.folding import history_of
from pipeline.codec import decode
from projections.suppression import KEPT, History, fold
from tests.projections.builders import (
    ANA,
    at,
    complaint,
    hard_bounce,
    needless,
    release,
    soft_bounce,
    suppress,
)
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.in_sql import InSql

SLOW = list(HealthCheck)


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> InSql:
    return InSql(tmp_path_factory.mktemp("work"))


def by_sql(sql: InSql, history: Sequence[bytes]) -> dict[str, History]:
    sql.take(history)
    return {history.address: history for history in map(history_of, sql.undealt("suppression"))}


def holds(sql: InSql, history: Sequence[bytes], arrival: Arrival) -> None:
    come = [data for batch in arrival.of(history) for data in batch]
    assert by_sql(sql, come) == fold(map(decode, history))


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(history=histories(30), arrival=arrivals)
def test_any_arrival_of_a_history_gives_the_same_addresses(
    sql: InSql, history: list[bytes], arrival: Arrival
) -> None:
    holds(sql, history, arrival)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(max_examples=2000, deadline=None, suppress_health_check=SLOW)
@given(history=histories(60), arrival=arrivals)
def test_any_arrival_of_a_long_history_gives_the_same_addresses(
    sql: InSql, history: list[bytes], arrival: Arrival
) -> None:
    holds(sql, history, arrival)


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(history=histories(40), arrival=arrivals, kept=st.integers(0, 5))
def test_a_lower_limit_keeps_the_same(sql: InSql, history: list[bytes], arrival: Arrival, kept: int) -> None:
    sql.connection.execute(f"CREATE OR REPLACE MACRO kept() AS {kept}")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("projections.suppression.KEPT", kept)
            holds(sql, history, arrival)
    finally:
        sql.connection.execute(f"CREATE OR REPLACE MACRO kept() AS {KEPT}")


def test_the_limit_is_that_of_the_log(sql: InSql) -> None:
    told = [suppress(ANA, at(minutes=n)) for n in range(KEPT + 1)]
    assert by_sql(sql, told) == fold(map(decode, told))


def test_a_tie_with_the_release_suppresses(sql: InSql) -> None:
    told = [release(ANA, at(days=1)), hard_bounce("m", at(days=1)), complaint("m", at())]
    assert len(by_sql(sql, told)[ANA].causes) == 1


def test_each_recipient_has_a_history(sql: InSql) -> None:
    to = [ANA, "Zoë@Customer.Example", "ben@customer.example"]
    told = [soft_bounce("m", at(), recipients=to), needless("m", at(), toEmail=to[2])]
    found = by_sql(sql, told)
    assert found == fold(map(decode, told))
    assert found.keys() == {ANA, "zoë@customer.example", "ben@customer.example"}


def test_an_empty_archive_has_no_addresses(sql: InSql) -> None:
    assert by_sql(sql, []) == {}
