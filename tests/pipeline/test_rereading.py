"""Records read again by their places: each once, in few reads, also where some have left the log."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.log import Place, Record, sequence_text
from pipeline.memory import MemoryLog
from pipeline.rereading import reread
from tests.builders import SHARD
from tests.pipeline.laws import law


class CountingLog(MemoryLog):
    def __init__(self, shards: int = 1) -> None:
        super().__init__(shards)
        self.reads = 0

    def fetch(self, place: Place) -> Record | None:
        self.reads += 1
        return super().fetch(place)

    def reader(self, shard: str, after: int | None) -> Any:
        self.reads += 1
        return super().reader(shard, after)


def filled(shards: int, count: int) -> tuple[CountingLog, Sequence[Record]]:
    log = CountingLog(shards)
    return log, [log.append_bytes(str(number).encode(), f"key-{number}") for number in range(count)]


@law
@given(st.integers(1, 3), st.sets(st.integers(0, 39)), st.sets(st.integers(1, 500), max_size=5))
def test_each_place_has_its_record_or_none(shards: int, wanted: set[int], gone: set[int]) -> None:
    log, records = filled(shards, 40)
    here = {records[number].place: records[number] for number in wanted}
    missing = [Place(shard=SHARD, sequence=sequence_text(10_000 + number)) for number in gone]
    found = list(reread(log, [*here, *missing, *here]))
    assert len(found) == len(here) + len(missing)
    assert dict(found) == here | dict.fromkeys(missing)


def test_neighbours_come_in_one_read() -> None:
    log, records = filled(1, 500)
    assert len(list(reread(log, [record.place for record in records]))) == 500
    assert log.reads == 2


def test_a_lonely_record_brings_no_others() -> None:
    log, records = filled(1, 500)
    list(reread(log, [records[7].place]))
    assert log.reads == 1


def test_records_far_apart_are_read_each_for_itself() -> None:
    log, records = filled(1, 5000)
    assert len(list(reread(log, [records[0].place, records[-1].place]))) == 2
    assert log.reads == 3
