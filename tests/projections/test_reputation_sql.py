"""The reputation fold over the archive in SQL and the one over the log in Python say the same."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.folding import tally_of
from pipeline.codec import decode
from projections.reputation import Minute, Tally, fold
from tests.projections.builders import at, delivered, hard_bounce
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.in_sql import InSql

SLOW = list(HealthCheck)
SIMULATED = "bounce@simulator.amazonses.com"


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> InSql:
    return InSql(tmp_path_factory.mktemp("work"))


def by_sql(sql: InSql, history: Sequence[bytes], *, with_simulator: bool) -> Mapping[Minute, Tally]:
    sql.take(history)
    sql.connection.execute(f"SET VARIABLE with_simulator = {with_simulator}")
    return dict(map(tally_of, sql.undealt("reputation")))


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(history=histories(30), arrival=arrivals, with_simulator=st.booleans())
def test_any_arrival_of_a_history_gives_the_same_minutes(
    sql: InSql, history: list[bytes], arrival: Arrival, with_simulator: bool
) -> None:
    history = [data.replace(b"CUSTOMER.example", b"simulator.amazonses.com") for data in history]
    come = [data for batch in arrival.of(history) for data in batch]
    found = by_sql(sql, come, with_simulator=with_simulator)
    assert found == fold(map(decode, history), with_simulator=with_simulator)


@pytest.mark.parametrize("to", [[SIMULATED], ["a@b.example", SIMULATED], [SIMULATED, "a@b.example"]])
def test_a_mail_is_the_simulators_if_one_of_its_recipients_is(sql: InSql, to: list[str]) -> None:
    told = [hard_bounce("m", at(), recipients=to)]
    assert by_sql(sql, told, with_simulator=False) == {}
    assert by_sql(sql, told, with_simulator=True) == fold(map(decode, told), with_simulator=True)


def test_what_only_speaks_of_the_simulator_counts(sql: InSql) -> None:
    told = [hard_bounce("m", at(), sub_type=f"no {SIMULATED}"), delivered("n", at(), to="a@b.example")]
    found = by_sql(sql, told, with_simulator=False)
    assert found == fold(map(decode, told))
    assert [len(tally.bounced) for tally in found.values()] == [1]


def test_an_empty_archive_has_no_minutes(sql: InSql) -> None:
    assert by_sql(sql, [], with_simulator=True) == {}
