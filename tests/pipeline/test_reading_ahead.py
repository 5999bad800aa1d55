"""Deferred requests fetched one after the other: the same records, in few reads."""

import random

import pytest

from pipeline.log import Record
from pipeline.reading_ahead import FEWEST_AHEAD, KEPT_BYTES, MOST_AHEAD, TOGETHER_SECONDS, ReadingAhead
from tests.builders import SHARD, envelope, place, request, requested, wire
from tests.pipeline.test_rereading import CountingLog

COUNT = 1000


class Scene:
    """Requests, and between them what else a log holds."""

    def __init__(self, size: int = 0) -> None:
        self.now = 0.0
        self.log = CountingLog()
        self.requests = [self._request(number, size) for number in range(COUNT)]
        self.ahead = ReadingAhead(self.log, lambda: self.now)

    def _request(self, number: int, size: int) -> Record:
        detail = request(emailId=f"mail-{number}", templateData={"filling": "x" * size})
        record = self.log.append_bytes(wire(requested(detail)), "key")
        self.log.append_bytes(wire(envelope("Mail Sent", {"n": number})), "key")
        return record

    def fetched(self, records: list[Record]) -> list[Record | None]:
        return [self.ahead.fetch(record.place) for record in records]


@pytest.mark.parametrize("most", [1, 40, COUNT], ids=["in order", "about in order", "in no order"])
def test_each_is_the_record_that_was_asked_for(most: int) -> None:
    scene = Scene()
    chance = random.Random(1)
    order = sorted(range(COUNT), key=lambda number: number + chance.randrange(most))
    records = [scene.requests[number] for number in order]
    assert scene.fetched(records) == records
    assert scene.fetched(records) == records


def test_a_thousand_in_order_take_few_reads() -> None:
    scene = Scene()
    scene.fetched(scene.requests)
    assert scene.log.reads <= 2 * (2 * COUNT / MOST_AHEAD) + 20


def test_about_in_order_is_good_enough() -> None:
    scene = Scene()
    chance = random.Random(1)
    scene.fetched(sorted(scene.requests, key=lambda record: record.sequence + chance.randrange(200)))
    assert scene.log.reads < COUNT / 10


def test_now_and_then_one_brings_no_others() -> None:
    scene = Scene()
    for record in scene.requests[:5]:
        scene.now += TOGETHER_SECONDS
        scene.ahead.fetch(record.place)
    assert scene.log.reads == 5


def test_in_no_order_few_come_along() -> None:
    scene = Scene()
    chance = random.Random(1)
    scene.fetched(chance.sample(scene.requests, 100))
    assert scene.ahead._shards[SHARD].ahead == FEWEST_AHEAD


def test_what_is_kept_has_bounds() -> None:
    scene = Scene(size=100_000)
    scene.fetched(scene.requests[::2])
    assert KEPT_BYTES / 2 < scene.ahead._bytes <= KEPT_BYTES
    assert scene.ahead._bytes == sum(len(record.data) for record in scene.ahead._kept.values())


def test_what_was_fetched_is_kept_no_more() -> None:
    scene = Scene()
    scene.fetched(scene.requests)
    assert (scene.ahead._bytes, len(scene.ahead._kept)) == (0, 0)


def test_what_has_left_the_log_is_none() -> None:
    assert Scene().ahead.fetch(place(10_000_000)) is None


def test_everything_else_is_the_logs_own() -> None:
    scene = Scene()
    scene.ahead.append([envelope("Anything")])
    (shard,) = scene.ahead.shards()
    assert len(scene.ahead.reader(shard.id, None).read(10_000).records) == 2 * COUNT + 1
