"""A record that ends the process each time is found by notes that outlive it, and nobody else is accused."""

from collections.abc import Callable

import pytest

from consumers.dynamodb import NotesTable, PaceTable
from consumers.in_hand import STILL_SECONDS, InHand, Note, Notes
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
        self.owners: dict[tuple[str, str], str] = {}
        self.writes = 0

    def read(self, consumer: str, shard: str) -> Note | None:
        return self.known.get((consumer, shard))

    def write(self, consumer: str, shard: str, note: Note, owner: str) -> None:
        self.known[consumer, shard], self.owners[consumer, shard] = note, owner
        self.writes += 1

    def change(self, consumer: str, shard: str, note: Note, owner: str) -> bool:
        mine = self.owners.get((consumer, shard)) == owner
        if mine:
            self.write(consumer, shard, note, owner)
        return mine


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
    """A sixth start, after three that ended with the second record in hand."""
    started(notes, 2).begin()
    for _ in range(3):
        in_hand = start(notes)
        in_hand.take(FIRST)
        in_hand.take(SECOND)
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


def test_the_sixth_start_knows_the_record_that_three_had_in_hand(memory: MemoryNotes) -> None:
    sixth = accused(memory)
    assert [sixth.has_killed(each) for each in (FIRST, SECOND, THIRD)] == [False, True, False]


@pytest.mark.parametrize("deaths", [1, 2])
def test_fewer_than_three_deaths_accuse_nobody(memory: MemoryNotes, deaths: int) -> None:
    started(memory, 2).begin()
    for _ in range(deaths):
        start(memory).take(FIRST)
    assert not start(memory).has_killed(FIRST)


def test_the_record_is_still_known_once_those_before_it_were_taken(memory: MemoryNotes) -> None:
    sixth = accused(memory)
    sixth.take(FIRST)
    assert sixth.has_killed(SECOND)


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
    started(memory, 3).take(FIRST)
    assert memory.read(CONSUMER, SHARD) == Note(CHECKPOINT, 3, FIRST.sequence, 1)


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


# ── While the process before this one still lives ─────────────────────────────────────────────────────────


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def successor(notes: Notes, clock: Clock) -> InHand:
    return InHand(notes, CONSUMER, SHARD, CHECKPOINT, clock)


def test_only_a_note_that_stays_as_it_is_tells_of_a_death(memory: MemoryNotes, clock: Clock) -> None:
    """Its lease moved, and the process goes on with the record for a while.

    A:  take(1) ─── touch ─── touch ─── dies
    B:        starts … … … … … … … … … … … … … 15 s without a touch ─► clear
    """
    living = started(memory, 3)
    living.take(FIRST)
    waiting = successor(memory, clock)
    for _ in range(5):
        clock.now += STILL_SECONDS - 1
        living.touch()
        assert not waiting.is_clear()
    clock.now += STILL_SECONDS
    assert waiting.is_clear()
    assert waiting.suspicious


def test_what_a_living_process_lays_down_accuses_nobody(memory: MemoryNotes, clock: Clock) -> None:
    living = started(memory, 3)
    living.take(FIRST)
    waiting = successor(memory, clock)
    assert not waiting.is_clear()
    living.lay_down()
    assert waiting.is_clear()
    assert not waiting.suspicious


def test_a_note_that_nobody_has_a_record_in_is_clear_at_once(memory: MemoryNotes, clock: Clock) -> None:
    started(memory, 3).begin()
    assert successor(memory, clock).is_clear()


@pytest.mark.parametrize("late", [InHand.touch, InHand.lay_down])
def test_a_process_that_is_succeeded_changes_nothing_any_more(
    memory: MemoryNotes, late: Callable[[InHand], None]
) -> None:
    old = started(memory, 3)
    old.take(FIRST)
    start(memory).take(FIRST)
    note = memory.read(CONSUMER, SHARD)
    late(old)
    assert memory.read(CONSUMER, SHARD) == note


def test_a_process_with_nothing_in_hand_touches_nothing(memory: MemoryNotes) -> None:
    in_hand = start(memory)
    in_hand.begin()
    in_hand.touch()
    assert memory.writes == 1


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
        Note(CHECKPOINT, 1, FIRST.sequence, 2, 7),
    ],
)
def test_a_note_is_read_as_it_was_written(notes: Notes, consumer: str, note: Note) -> None:
    notes.write(consumer, SHARD, note, "me")
    assert notes.read(consumer, SHARD) == note


def test_only_who_wrote_a_note_last_changes_it(notes: Notes, consumer: str) -> None:
    assert not notes.change(consumer, SHARD, Note(CHECKPOINT, 1), "me")
    notes.write(consumer, SHARD, Note(CHECKPOINT, 1), "me")
    assert notes.change(consumer, SHARD, Note(CHECKPOINT, 2), "me")
    assert not notes.change(consumer, SHARD, Note(CHECKPOINT, 3), "another")
    assert notes.read(consumer, SHARD) == Note(CHECKPOINT, 2)


@pytest.mark.parametrize("latest", [Note(), Note(CHECKPOINT + 1, 1)])
def test_nothing_is_left_of_an_earlier_note(notes: Notes, consumer: str, latest: Note) -> None:
    notes.write(consumer, SHARD, Note(CHECKPOINT, 3, FIRST.sequence, 3), "me")
    notes.write(consumer, SHARD, latest, "me")
    assert notes.read(consumer, SHARD) == latest


@pytest.mark.parametrize("change", [lambda name: (name, OTHER_SHARD), lambda name: (f"{name} other", SHARD)])
def test_each_consumer_has_a_note_for_each_shard(
    notes: Notes, consumer: str, change: Callable[[str], tuple[str, str]]
) -> None:
    notes.write(consumer, SHARD, Note(CHECKPOINT, 1), "me")
    notes.write(*change(consumer), Note(CHECKPOINT, 2), "me")
    assert notes.read(consumer, SHARD) == Note(CHECKPOINT, 1)


def test_starts_are_counted_over_notes(notes: Notes, consumer: str) -> None:
    for _ in range(2):
        InHand(notes, consumer, SHARD, CHECKPOINT).begin()
    assert InHand(notes, consumer, SHARD, CHECKPOINT).suspicious


# ── What only the table has ───────────────────────────────────────────────────────────────────────────────


def test_a_note_is_stored_as_text_since_a_number_would_lose_digits(deployed: Deployed) -> None:
    table(deployed).write("text", SHARD, Note(CHECKPOINT, 3, FIRST.sequence), "me")
    row = deployed.client("dynamodb").get_item(
        TableName=deployed.settings.reputation_table_name,
        Key={"day": {"S": "in hand"}, "minute": {"S": f"text {SHARD}"}},
    )["Item"]
    assert row["checkpoint"] == {"S": sequence_text(CHECKPOINT)}
    assert row["record"] == {"S": sequence_text(FIRST.sequence)}


def test_notes_leave_the_grants_of_sending_in_the_same_table_alone(deployed: Deployed) -> None:
    pace = PaceTable(deployed.client("dynamodb"), deployed.settings.reputation_table_name)
    pace.take(1, 10, 10)
    table(deployed).write("pace", SHARD, Note(CHECKPOINT, 1), "me")
    assert pace.take(1, 10, 10) == Block(1, 0)


@pytest.mark.parametrize(
    "use",
    [
        lambda notes: notes.read("any", SHARD),
        lambda notes: notes.write("any", SHARD, Note(), "me"),
        lambda notes: notes.change("any", SHARD, Note(), "me"),
    ],
)
def test_a_table_that_is_missing_is_an_operators_business(
    deployed: Deployed, use: Callable[[Notes], object]
) -> None:
    with pytest.raises(Misconfigured):
        use(NotesTable(deployed.client("dynamodb"), "missing"))
