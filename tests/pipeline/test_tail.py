"""All records of all shards, once each and in order of arrival, whatever the stream does meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import tail
from pipeline.errors import EngineError, Misconfigured, Unavailable
from pipeline.log import Batch, Reader, Record, Shard
from pipeline.memory import MemoryLog
from pipeline.tail import CATCH_UP_SECONDS, LIMIT, ROUND_SECONDS, Tail
from tests.builders import SHARD
from tests.pipeline.laws import law

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Meanwhile = Callable[[], object]


class Faulty(MemoryLog):
    """Raises these at the next reads, and counts the reads of each shard."""

    def __init__(self, shards: int = 1, faults: Sequence[EngineError] = ()) -> None:
        super().__init__(shards)
        self.faults = list(faults)
        self.reads: dict[str, int] = {}

    def reader_since(self, shard: str, moment: datetime) -> "FaultyReader":  # type: ignore[override]
        return FaultyReader(self, shard, super().reader_since(shard, moment))


class FaultyReader:
    def __init__(self, log: Faulty, shard: str, reader: Reader) -> None:
        self._log, self._shard, self._reader = log, shard, reader

    def read(self, limit: int = 1000) -> Batch:
        if self._log.faults:
            raise self._log.faults.pop(0)
        self._log.reads[self._shard] = self._log.reads.get(self._shard, 0) + 1
        return self._reader.read(limit)


class Hidden(MemoryLog):
    """Doesn't list its shards at first."""

    def __init__(self, fault: EngineError) -> None:
        super().__init__()
        self._faults_of_lists = [fault]

    def shards(self) -> Sequence[Shard]:
        if self._faults_of_lists:
            raise self._faults_of_lists.pop()
        return super().shards()


def filled(log: MemoryLog, count: int, start: int = 0) -> list[Record]:
    return [log.append_bytes(b"x", f"key-{number}") for number in range(start, start + count)]


def seen(log: MemoryLog, since: datetime = LONG_AGO) -> list[Record]:
    return list(Tail(log, since, follow=False, tell=print, pause=lambda _: None))


def followed(log: MemoryLog, *meanwhile: Meanwhile, tell: Callable[[str], None] = print) -> Iterator[Record]:
    """Between two rounds the next of these happens; after the last, Ctrl-C."""
    left = list(meanwhile)

    def pause(seconds: float) -> None:
        if seconds == ROUND_SECONDS:
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

    try:
        yield from Tail(log, LONG_AGO, follow=True, tell=tell, pause=pause)
    except KeyboardInterrupt:
        return


# ── What is there ─────────────────────────────────────────────────────────────────────────────────────────


def test_records_of_all_shards_come_in_order_of_arrival() -> None:
    log = MemoryLog(3)
    records = filled(log, 60)
    assert len({record.shard for record in records}) == 3
    assert seen(log) == records


def test_it_begins_at_the_moment() -> None:
    log = MemoryLog(3)
    records = filled(log, 60)
    assert seen(log, records[20].arrival) == records[20:]


def test_an_empty_log_ends_at_once() -> None:
    assert seen(MemoryLog(3)) == []


@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1, 3 * LIMIT])
def test_more_than_one_read_takes_comes_whole(count: int) -> None:
    log = MemoryLog(2)
    records = filled(log, count)
    assert seen(log) == records


def test_a_full_read_is_followed_by_another_though_it_claims_to_be_at_the_tip() -> None:
    """As Kinesis does in milliseconds: records of the same one may follow."""

    class Claims(MemoryLog):
        def read(self, shard: str, after: int, limit: int) -> Batch:
            return Batch(super().read(shard, after, limit).records)

    log = Claims()
    assert len(filled(log, LIMIT + 1)) == len(seen(log))


def test_an_empty_read_is_no_end_while_more_lies_ahead() -> None:
    """As Kinesis answers where nothing arrived for a while."""

    class Gap(MemoryLog):
        gap = True

        def read(self, shard: str, after: int, limit: int) -> Batch:
            gap, self.gap = self.gap, False
            return Batch((), behind_ms=9000) if gap else super().read(shard, after, limit)

    log = Gap()
    assert filled(log, 3) == seen(log)


def test_catching_up_leaves_the_shard_time_for_its_other_readers() -> None:
    log, pauses = MemoryLog(), list[float]()
    filled(log, 3 * LIMIT)
    list(Tail(log, LONG_AGO, follow=False, tell=print, pause=pauses.append))
    assert len(pauses) >= 2
    assert all(CATCH_UP_SECONDS / 2 < pause <= CATCH_UP_SECONDS for pause in pauses)


def test_closed_shards_and_their_children_are_read() -> None:
    log = MemoryLog(2)
    records = filled(log, 20)
    log.split(SHARD)
    records += filled(log, 20, start=20)
    assert seen(log) == records


# ── What comes ────────────────────────────────────────────────────────────────────────────────────────────


def test_following_goes_on_with_what_comes() -> None:
    log = MemoryLog(2)
    before, later = filled(log, 5), list[Record]()
    rounds = [lambda: later.extend(filled(log, 5, start=5)), lambda: later.extend(filled(log, 5, start=10))]
    assert list(followed(log, *rounds)) == before + later
    assert len(later) == 10


def test_following_finds_children_that_appear() -> None:
    log, later = MemoryLog(), list[Record]()

    def split() -> None:
        later.extend(filled(log, 5))
        log.split(SHARD)
        later.extend(filled(log, 20))

    assert list(followed(log, split, lambda: later.extend(filled(log, 20)))) == later
    assert len({record.shard for record in later}) == 3


def test_a_shard_that_has_ended_is_not_read_again() -> None:
    log = Faulty(1)
    list(followed(log, lambda: log.split(SHARD), lambda: None, lambda: None))
    assert log.reads[SHARD] == 2
    assert set(log.reads.values()) == {2, 3}


@law
@given(st.lists(st.integers(0, 4), max_size=6))
def test_each_record_comes_once_and_in_order_whatever_splits_meanwhile(splits: list[int]) -> None:
    log, given = MemoryLog(2), list[Record]()

    def step(number: int) -> Meanwhile:
        def happen() -> None:
            given.extend(filled(log, 3, start=len(given)))
            standing = [each.id for each in log.shards()]
            ended = {parent for each in log.shards() for parent in each.parents}
            going_on = [each for each in standing if each not in ended]
            log.split(going_on[number % len(going_on)])
            given.extend(filled(log, 3, start=len(given)))

        return happen

    assert list(followed(log, *map(step, splits))) == given


# ── A stream that refuses ─────────────────────────────────────────────────────────────────────────────────


def throttled(times: int) -> list[EngineError]:
    return [Unavailable("Kinesis: ProvisionedThroughputExceededException: slow down") for _ in range(times)]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_throttling_is_waited_for_and_nothing_is_lost(times: int) -> None:
    log = Faulty(2)
    records = filled(log, 30)
    log.faults = throttled(times)
    assert seen(log) == records


def test_a_list_of_shards_that_fails_is_waited_for() -> None:
    log = Hidden(Unavailable("Kinesis: LimitExceededException"))
    assert filled(log, 3) == seen(log)


@pytest.mark.parametrize(("times", "told"), [(2, 0), (3, 1), (9, 1)])
def test_who_looks_on_hears_once_of_a_wait_that_lasts(times: int, told: int) -> None:
    heard = list[str]()
    list(followed(Faulty(1, throttled(times)), tell=heard.append))
    expected = "waiting: Kinesis: ProvisionedThroughputExceededException: slow down"
    assert heard == [expected] * told


def test_following_waits_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "PATIENCE_SECONDS", 0.0)
    log = Faulty(1, throttled(50))
    records = filled(log, 3)
    assert list(followed(log)) == records


def test_without_following_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(Unavailable, match="slow down"):
        seen(Faulty(1, throttled(1)))


def test_what_only_an_operator_can_mend_ends_it_at_once() -> None:
    with pytest.raises(Misconfigured):
        list(followed(Faulty(1, [Misconfigured("no right")])))
