"""How far all shards are heard: as those note it who hear, and as the log tells how far that is in time."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from consumers.dynamodb import MarksTable
from consumers.hearing import Ear, Hearing, Marks, MemoryMarks
from pipeline.errors import Unavailable
from pipeline.memory import MemoryLog
from tests.consumers.conftest import Deployed
from tests.consumers.fakes import DOWN, Clock
from tests.consumers.office import hours


class Listener:
    """In the witness's place: what it hasn't heard yet."""

    unheard: frozenset[str] = frozenset()


class Scene:
    """Two shards, with a record in each every ten seconds."""

    def __init__(self, marks: Marks) -> None:
        self.clock, self.marks, self.listener = Clock(), marks, Listener()
        self.log = MemoryLog(shards=2, now=self.clock)
        self.begun = self.clock()
        for _ in range(3):
            for key in ("a", "e"):
                self.log.append_bytes(b"{}", key)
            self.clock.forward(10)
        self.one, self.other = (shard.id for shard in self.log.shards())
        self.sequences = {
            shard: [record.sequence for record in self.log.reader(shard, None).read().records]
            for shard in (self.one, self.other)
        }
        assert all(len(sequences) == 3 for sequences in self.sequences.values())

    def ear(self, shard: str, after: int | None = None) -> Ear:
        return Ear(self.listener, self.marks, shard, after, hours())  # type: ignore[arg-type]

    def is_heard(self, seconds: float) -> bool:
        hearing = Hearing(self.marks, self.log, self.clock, hours())
        return hearing.is_heard(self.begun + timedelta(seconds=seconds))


@pytest.fixture(params=["memory", "table"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "memory":
        yield Scene(MemoryMarks())
        return
    deployed: Deployed = request.getfixturevalue("deployed")
    client, table = deployed.client("dynamodb"), deployed.settings.reputation_table_name
    yield Scene(MarksTable(client, table))
    for item in client.scan(TableName=table)["Items"]:
        client.delete_item(TableName=table, Key={name: item[name] for name in ("day", "minute")})


def test_where_nothing_is_noted_nothing_is_heard_from_the_oldest_record_on(scene: Scene) -> None:
    assert scene.is_heard(0)
    assert not scene.is_heard(0.001)


def test_the_shard_that_is_furthest_behind_decides(scene: Scene) -> None:
    for number, (one, other) in enumerate(zip(*scene.sequences.values(), strict=True)):
        scene.ear(scene.one).reached(one)
        assert not scene.is_heard(10 * number + 5)
        scene.ear(scene.other).reached(other)
        assert scene.is_heard(10 * number + 5)
        assert not scene.is_heard(10 * number + 10.001)


def test_at_the_tip_all_is_heard_until_now_and_not_what_is_to_come(scene: Scene) -> None:
    for shard, sequences in scene.sequences.items():
        scene.ear(shard).reached(sequences[-1])
    assert scene.is_heard(30)
    assert not scene.is_heard(30.001)


def test_what_was_finished_before_a_process_began_is_heard(scene: Scene) -> None:
    """It lay before the checkpoint; the one who heard it may not have come to noting it."""
    for shard, sequences in scene.sequences.items():
        scene.ear(shard, after=sequences[-1]).reached(None)
    assert scene.is_heard(30)


def test_a_record_is_noted_only_once_the_feedback_up_to_it_has_closed_its_claim(scene: Scene) -> None:
    scene.ear(scene.other).reached(scene.sequences[scene.other][-1])
    ear, sequences = scene.ear(scene.one), scene.sequences[scene.one]
    scene.listener.unheard = frozenset(["first"])
    ear.reached(sequences[0])
    scene.listener.unheard |= {"second"}
    ear.reached(sequences[1])
    assert not scene.is_heard(5)
    scene.listener.unheard -= {"first"}
    ear.reached(sequences[2])
    assert scene.is_heard(5)
    assert not scene.is_heard(15)
    scene.listener.unheard = frozenset()
    ear.reached(None)
    ear.reached(None)
    assert scene.is_heard(25)


def test_the_end_of_a_shard_is_noted_in_any_case(scene: Scene) -> None:
    """Nobody reads it again, who could note it later."""
    for shard, sequences in scene.sequences.items():
        ear = Ear(scene.listener, scene.marks, shard, None, lambda: 0.0)  # type: ignore[arg-type]
        for sequence in sequences:
            ear.reached(sequence)
        ear.finished()
    assert scene.is_heard(30)


class Down(MemoryMarks):
    def write(self, shard: str, sequence: int) -> None:
        raise DOWN


def test_a_note_that_can_not_be_written_holds_up_nothing_but_the_end_of_a_shard() -> None:
    scene = Scene(Down())
    ear = scene.ear(scene.one)
    ear.reached(scene.sequences[scene.one][0])
    with pytest.raises(Unavailable):
        ear.finished()


def test_an_answer_is_good_for_a_moment_and_what_is_heard_once_for_ever() -> None:
    scene, now = Scene(MemoryMarks()), 0.0
    hearing = Hearing(scene.marks, scene.log, scene.clock, lambda: now)
    until = scene.begun + timedelta(seconds=30)
    assert not hearing.is_heard(until)
    for shard, sequences in scene.sequences.items():
        scene.marks.write(shard, sequences[-1])
    assert not hearing.is_heard(until)
    now = 3.0
    assert hearing.is_heard(until)
    scene.marks.write(scene.one, 0)
    now = 6.0
    assert hearing.is_heard(until)
