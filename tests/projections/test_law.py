"""The law: any order, any repetition, any split over concurrent writers gives what the oracle says."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.projections import oracle
from tests.projections.histories import Arrival, arrivals, histories
from tests.projections.world import NOTIFY, RETENTION, Standing, projected

SLOW = list(HealthCheck)


def without_facts(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {key: {name: row[name] for name in row if name != "facts"} for key, row in rows.items()}


def holds(history: list[bytes], arrival: Arrival) -> Standing:
    found = projected(arrival.of(history), arrival.rivals)
    expected = oracle.outcome(history, NOTIFY, RETENTION)
    assert without_facts(found.rows) == expected.rows
    assert {key: tuple(cause) for key, cause in found.suppressed.items()} == expected.suppressed
    assert {(email_id, status) for _, email_id, status in found.announced} == expected.announced
    assert {original for _, original, _ in found.retried} == expected.retried
    return found


@settings(max_examples=200, suppress_health_check=SLOW)
@given(histories(30), arrivals)
def test_any_arrival_of_a_history_gives_what_the_oracle_says(history: list[bytes], arrival: Arrival) -> None:
    holds(history, arrival)


@settings(max_examples=200, suppress_health_check=SLOW)
@given(histories(30), arrivals, arrivals)
def test_two_arrivals_of_a_history_give_the_same(history: list[bytes], one: Arrival, other: Arrival) -> None:
    assert projected(one.of(history), one.rivals) == projected(other.of(history), other.rivals)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(max_examples=2000, suppress_health_check=SLOW)
@given(histories(60), arrivals)
def test_any_arrival_of_a_long_history_gives_what_the_oracle_says(
    history: list[bytes], arrival: Arrival
) -> None:
    assert holds(history, arrival) == projected([history])
