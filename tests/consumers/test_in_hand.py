"""A record that ends the process each time is found by notes that outlive it, and nobody else is accused."""

from collections.abc import Callable

import pytest

from consumers.dynamodb import NotesTable, PaceTable
from consumers.in_hand import InHand, Note, Notes
from consumers.pace import Block
from pipeline.errors import Misconfigured
from pipeline.log import sequence_text
from tests.builders import record
from tests.consumers.conftest import Deployed

CONSUMER, SHARD, OTHER_SHARD = "sender-bulk", "shardId-000000000000", "shardId-000000000001"
CHECKPOINT = 49640138567893425678934256789342567893425678934256789342
FIRST, SECOND, THIRD = (record(b"{}", CHECKPOINT + n, SHARD) for n in (1, 2, 3))


class MemoryNotes(Notes):
    """Notes that outlive what is tried on them, and how often one was written."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Note] = {}
        self.writes = 0

    def read(self, consumer: str, shard: str) -> Note | None:
        return self.known.get((consumer, shard))

    def write(self, consumer: str, shard: str, note: Note) -> None:
        self.known[consumer, shard] = note
        self.writes += 1


# ── Over restarts ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def memory() -> MemoryNotes:
    return MemoryNotes()


def start(notes: Notes, checkpoint: int | None = CHECKPOINT) -> InHand:
    return InHand(notes, CONSUMER, SHARD, checkpoint)


def started(notes: Notes, times: int, checkpoint: int | None = CHECKPOINT) -> InHand:
    """The last of so many starts, each of which began with records."""
    for _ in range(times - 1):
        start(notes, checkpoint).begin()
    return start(notes, checkpoint)


def accused(notes: Notes) -> InHand:
    """A fourth start, after a third one that ended with the second record in hand."""
    third = started(notes, 3)
    third.take(FIRST)
    third.take(SECOND)
    return start(notes)


@pytest.mark.parametrize("checkpoint", [CHECKPOINT, None])
def test_the_third_start_at_a_checkpoint_looks_at_each_record(
    memory: MemoryNotes, checkpoint: int | None
) -> None:
    looks = []
    for _ in range(4):
        in_hand = start(memory, checkpoint)
        looks.append(in_hand.suspicious)
        in_hand.begin()
    assert looks == [False, False, True, True]


def test_a_checkpoint_that_moved_starts_afresh(memory: MemoryNotes) -> None:
    started(memory, 3).begin()
    second = started(memory, 2, CHECKPOINT + 1)
    second.begin()
    assert (second.suspicious, start(memory, CHECKPOINT + 1).suspicious) == (False, True)


def test_a_first_checkpoint_starts_afresh(memory: MemoryNotes) -> None:
    started(memory, 3, None).begin()
    assert not start(memory).suspicious


def test_a_start_without_records_does_not_count(memory: MemoryNotes) -> None:
    for _ in range(5):
        assert not start(memory).suspicious


def test_nothing_is_written_before_the_first_records(memory: MemoryNotes) -> None:
    start(memory).lay_down()
    assert memory.writes == 0


def test_a_start_is_written_once(memory: MemoryNotes) -> None:
    in_hand = start(memory)
    for _ in range(3):
        in_hand.begin()
    assert memory.writes == 1


def test_the_fourth_start_knows_the_record_that_the_third_had_in_hand(memory: MemoryNotes) -> None:
    fourth = accused(memory)
    assert [fourth.has_killed(each) for each in (FIRST, SECOND, THIRD)] == [False, True, False]


def test_the_record_is_still_known_once_those_before_it_were_taken(memory: MemoryNotes) -> None:
    fourth = accused(memory)
    fourth.take(FIRST)
    assert fourth.has_killed(SECOND)


def test_a_record_that_this_process_took_itself_has_killed_nobody(memory: MemoryNotes) -> None:
    third = started(memory, 3)
    third.take(FIRST)
    assert not third.has_killed(SECOND)


def test_batches_accuse_no_record(memory: MemoryNotes) -> None:
    third = started(memory, 3)
    assert not any(third.has_killed(each) for each in (FIRST, SECOND, THIRD))


def test_a_record_is_still_known_from_a_checkpoint_nearer_to_it(memory: MemoryNotes) -> None:
    accused(memory)
    nearer = start(memory, FIRST.sequence)
    assert nearer.suspicious
    assert nearer.has_killed(SECOND)


def test_a_note_names_the_record_and_keeps_the_counts(memory: MemoryNotes) -> None:
    """Each of the three starts may have ended with it."""
    started(memory, 3).take(FIRST)
    assert memory.read(CONSUMER, SHARD) == Note(CHECKPOINT, 3, FIRST.sequence, 3)


def test_another_record_than_the_known_one_has_its_own_attempts(memory: MemoryNotes) -> None:
    """It is parked after as many processes have ended with it."""
    ends = []
    accused(memory).take(THIRD)
    for _ in range(3):
        in_hand = start(memory, SECOND.sequence)
        ends.append(in_hand.has_killed(THIRD))
        in_hand.take(THIRD)
    assert ends == [False, False, True]


@pytest.mark.parametrize("checkpoint", [CHECKPOINT, None])
def test_what_was_laid_down_starts_afresh(memory: MemoryNotes, checkpoint: int | None) -> None:
    third = started(memory, 3, checkpoint)
    third.take(FIRST)
    third.lay_down()
    again = start(memory, checkpoint)
    assert not again.suspicious
    assert not again.has_killed(FIRST)


def test_starts_at_another_shard_do_not_count(memory: MemoryNotes) -> None:
    started(memory, 3).begin()
    assert not InHand(memory, CONSUMER, OTHER_SHARD, CHECKPOINT).suspicious


# ── The contract of notes ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["memory", "DynamoDB"])
def notes(request: pytest.FixtureRequest) -> Notes:
    if request.param == "memory":
        return MemoryNotes()
    return table(request.getfixturevalue("deployed"))


@pytest.fixture
def consumer(request: pytest.FixtureRequest) -> str:
    """A consumer of this test's own: the table serves all of them."""
    return str(request.node.name)


def table(deployed: Deployed) -> NotesTable:
    return NotesTable(deployed.client("dynamodb"), deployed.settings.reputation_table_name)


def test_nothing_is_known_at_first(notes: Notes, consumer: str) -> None:
    assert notes.read(consumer, SHARD) is None


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note(None, 1),
        Note(CHECKPOINT, 2),
        Note(None, 3, FIRST.sequence, 3),
        Note(CHECKPOINT, 1, FIRST.sequence, 2),
    ],
)
def test_a_note_is_read_as_it_was_written(notes: Notes, consumer: str, note: Note) -> None:
    notes.write(consumer, SHARD, note)
    assert notes.read(consumer, SHARD) == note


@pytest.mark.parametrize("latest", [Note(), Note(CHECKPOINT + 1, 1)])
def test_nothing_is_left_of_an_earlier_note(notes: Notes, consumer: str, latest: Note) -> None:
    notes.write(consumer, SHARD, Note(CHECKPOINT, 3, FIRST.sequence, 3))
    notes.write(consumer, SHARD, latest)
    assert notes.read(consumer, SHARD) == latest


@pytest.mark.parametrize("change", [lambda name: (name, OTHER_SHARD), lambda name: (f"{name} other", SHARD)])
def test_each_consumer_has_a_note_for_each_shard(
    notes: Notes, consumer: str, change: Callable[[str], tuple[str, str]]
) -> None:
    notes.write(consumer, SHARD, Note(CHECKPOINT, 1))
    notes.write(*change(consumer), Note(CHECKPOINT, 2))
    assert notes.read(consumer, SHARD) == Note(CHECKPOINT, 1)


def test_starts_are_counted_over_notes(notes: Notes, consumer: str) -> None:
    for _ in range(2):
        InHand(notes, consumer, SHARD, CHECKPOINT).begin()
    assert InHand(notes, consumer, SHARD, CHECKPOINT).suspicious


# ── What only the table has ───────────────────────────────────────────────────────────────────────────────


def test_a_note_is_stored_as_text_since_a_number_would_lose_digits(deployed: Deployed) -> None:
    table(deployed).write("text", SHARD, Note(CHECKPOINT, 3, FIRST.sequence))
    row = deployed.client("dynamodb").get_item(
        TableName=deployed.settings.reputation_table_name,
        Key={"day": {"S": "in hand"}, "minute": {"S": f"text {SHARD}"}},
    )["Item"]
    assert row["checkpoint"] == {"S": sequence_text(CHECKPOINT)}
    assert row["record"] == {"S": sequence_text(FIRST.sequence)}


def test_notes_leave_the_grants_of_sending_in_the_same_table_alone(deployed: Deployed) -> None:
    pace = PaceTable(deployed.client("dynamodb"), deployed.settings.reputation_table_name)
    pace.take(1, 10, 10)
    table(deployed).write("pace", SHARD, Note(CHECKPOINT, 1))
    assert pace.take(1, 10, 10) == Block(1, 0)


@pytest.mark.parametrize(
    "use", [lambda notes: notes.read("any", SHARD), lambda notes: notes.write("any", SHARD, Note())]
)
def test_a_table_that_is_missing_is_an_operators_business(
    deployed: Deployed, use: Callable[[Notes], object]
) -> None:
    with pytest.raises(Misconfigured):
        use(NotesTable(deployed.client("dynamodb"), "missing"))
