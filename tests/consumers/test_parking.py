import base64
import json

import pytest

from consumers.parking import LETTER_BYTES, Letter, Parking, letter_text
from pipeline.codec import decode
from pipeline.errors import Unavailable
from pipeline.events import RecordParked
from pipeline.memory import Faults, MemoryLog
from tests.builders import NINE, record
from tests.consumers.fakes import DOWN, Clock, MemoryLetters

ERROR = ValueError("no such thing")
RECORD = record(b"\xff no event \x00", 42)


class Scene:
    def __init__(self, faults: Faults | None = None) -> None:
        self.letters, self.log = MemoryLetters(), MemoryLog(faults=faults)
        self.parking = Parking("projector", self.letters, self.log, Clock())

    def facts(self) -> list[RecordParked]:
        records = self.log.reader("shardId-000000000000", None).read().records
        bodies = [decode(each.data).body for each in records]
        return [body for body in bodies if isinstance(body, RecordParked)]

    def event_ids(self) -> list[str]:
        records = self.log.reader("shardId-000000000000", None).read().records
        return [decode(each.data).id for each in records]


def test_the_letter_says_who_could_not_process_what_and_why() -> None:
    scene = Scene()
    scene.parking.park(RECORD, ERROR, 3)
    assert scene.letters.letters == [Letter("projector", RECORD, "ValueError: no such thing", 3)]


def test_the_fact_points_to_the_record() -> None:
    scene = Scene()
    scene.parking.park(RECORD, ERROR, 3)
    assert scene.facts() == [
        RecordParked(consumer="projector", place=RECORD.place, error="ValueError: no such thing", attempts=3)
    ]


def test_the_fact_is_not_written_before_the_queue_has_the_letter() -> None:
    scene = Scene()
    scene.letters.script.add(DOWN)
    with pytest.raises(Unavailable):
        scene.parking.park(RECORD, ERROR, 3)
    assert scene.facts() == []


def test_the_queue_has_the_letter_when_the_fact_could_not_be_written() -> None:
    scene = Scene(Faults(unavailable=1))
    with pytest.raises(Unavailable):
        scene.parking.park(RECORD, ERROR, 3)
    assert len(scene.letters.letters) == 1


def test_parking_again_repeats_the_same_fact() -> None:
    scene = Scene()
    scene.parking.park(RECORD, ERROR, 3)
    scene.parking.park(RECORD, ERROR, 3)
    assert len(set(scene.event_ids())) == 1


def test_two_consumers_park_a_record_in_two_facts() -> None:
    scene = Scene()
    Parking("archiver", scene.letters, scene.log, Clock()).park(RECORD, ERROR, 3)
    scene.parking.park(RECORD, ERROR, 3)
    assert len(set(scene.event_ids())) == 2


def test_a_long_reason_is_cut() -> None:
    scene = Scene()
    scene.parking.park(RECORD, ValueError("x" * 10_000), 3)
    assert len(scene.letters.letters[0].error) == 500


def test_the_letter_can_be_turned_back_into_the_record() -> None:
    told = json.loads(letter_text(Letter("projector", RECORD, "why", 3)))
    assert base64.b64decode(told["data"]) == RECORD.data
    assert told["partitionKey"] == RECORD.partition_key
    assert told["place"] == RECORD.place.model_dump()


def test_a_letter_too_large_for_the_queue_names_the_place_and_leaves_the_data_in_the_log() -> None:
    large = record(b"x" * LETTER_BYTES, 43)
    text = letter_text(Letter("projector", large, "why", 3))
    assert len(text) <= LETTER_BYTES
    assert json.loads(text)["data"] is None
    assert json.loads(text)["place"] == large.place.model_dump()


def test_the_fact_bears_the_time_of_parking() -> None:
    scene = Scene()
    scene.parking.park(RECORD, ERROR, 3)
    record_of_fact = scene.log.reader("shardId-000000000000", None).read().records[0]
    assert decode(record_of_fact.data).time == "2026-11-24T09:15:00.000Z" < NINE
