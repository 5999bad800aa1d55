"""The log in memory under its faults: at least once, whatever happens short of `Unavailable`."""

from collections import Counter
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Unavailable
from pipeline.memory import Crash, Faults, MemoryLog
from tests.builders import envelopes, wire
from tests.pipeline.laws import law

SHARES = st.floats(0, 0.9)
faulty = st.builds(
    Faults,
    duplicate=SHARES,
    reorder=SHARES,
    partial_failure=st.floats(0, 0.6),
    unavailable=SHARES,
    crash_after_append=SHARES,
    seed=st.integers(0, 2**32),
)


def stored(log: MemoryLog) -> list[bytes]:
    return [
        record.data for shard in log.shards() for record in log.reader(shard.id, None).read(10_000).records
    ]


@law
@given(faulty, st.integers(0, 20), st.integers(1, 4))
def test_once_append_has_returned_every_envelope_is_there(faults: Faults, count: int, shards: int) -> None:
    log, given = MemoryLog(shards, faults), envelopes(count)
    with suppress(Unavailable):
        with suppress(Crash):  # the process dies, but only after the append
            log.append(given)
        assert {wire(each) for each in given} <= set(stored(log))


@law
@given(faulty, st.integers(0, 20))
def test_appending_again_until_it_returns_stores_every_envelope(faults: Faults, count: int) -> None:
    log, given = MemoryLog(2, faults), envelopes(count)
    while True:
        with suppress(Unavailable):
            with suppress(Crash):
                log.append(given)
            break
    assert set(stored(log)) == {wire(each) for each in given}


@law
@given(faulty, st.integers(0, 20))
def test_nothing_is_stored_that_was_not_appended(faults: Faults, count: int) -> None:
    log, given = MemoryLog(2, faults), envelopes(count)
    with suppress(Unavailable, Crash):
        log.append(given)
    assert set(stored(log)) <= {wire(each) for each in given}


@law
@given(st.floats(0, 0.6), SHARES, st.integers(0, 2**32))
def test_refusals_and_reordering_alone_store_each_envelope_once(
    share: float, reorder: float, seed: int
) -> None:
    log, given = MemoryLog(2, Faults(partial_failure=share, reorder=reorder, seed=seed)), envelopes(20)
    with suppress(Unavailable):
        log.append(given)
        assert Counter(stored(log)) == Counter(map(wire, given))


@law
@given(faulty)
def test_sequence_numbers_increase_in_a_shard_under_faults(faults: Faults) -> None:
    log = MemoryLog(3, faults)
    with suppress(Unavailable, Crash):
        log.append(envelopes(30))
    for shard in log.shards():
        numbers = [record.sequence for record in log.reader(shard.id, None).read().records]
        assert all(before < after for before, after in pairwise(numbers))


def test_the_same_seed_gives_the_same_faults() -> None:
    logs = [MemoryLog(2, Faults(duplicate=0.5, reorder=0.5, partial_failure=0.3, seed=7)) for _ in range(2)]
    for log in logs:
        log.append(envelopes(30))
    assert stored(logs[0]) == stored(logs[1])


def test_duplicates_come_twice() -> None:
    log = MemoryLog(faults=Faults(duplicate=1.0))
    log.append(envelopes(3))
    assert set(Counter(stored(log)).values()) == {2}


def test_reordering_changes_the_order() -> None:
    log = MemoryLog(faults=Faults(reorder=1.0))
    log.append(envelopes(30))
    assert stored(log) != list(map(wire, envelopes(30)))


def test_an_unavailable_log_stores_nothing() -> None:
    log = MemoryLog(faults=Faults(unavailable=1.0))
    with pytest.raises(Unavailable):
        log.append(envelopes(3))
    assert stored(log) == []


def test_a_log_that_refuses_every_record_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        MemoryLog(faults=Faults(partial_failure=1.0)).append(envelopes(1))


def test_a_crash_comes_after_everything_was_stored() -> None:
    log = MemoryLog(faults=Faults(crash_after_append=1.0))
    with pytest.raises(Crash):
        log.append(envelopes(3))
    assert stored(log) == list(map(wire, envelopes(3)))


def test_a_crash_is_nothing_that_code_may_catch_and_carry_on() -> None:
    assert not issubclass(Crash, Exception)


def test_numbers_are_sparse_as_those_of_kinesis() -> None:
    log = MemoryLog()
    log.append(envelopes(10))
    numbers = [record.sequence for record in log.reader("shardId-000000000000", None).read().records]
    assert numbers[-1] > len(numbers)
