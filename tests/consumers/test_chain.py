"""The check of the archive: nothing wrong after whatever happened to its workers, and whatever is taken is missed."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.archive_commands import Ends, archived
from consumers.chain import Archived, Broken, Comparison, Fault, faults
from pipeline.log import Record
from tests.consumers.archive_world import BEGIN, STORIES, Action, World, records_of
from tests.consumers.fakes import MemoryArchive

SHARD = "shardId-000000000000"
NOW = BEGIN + timedelta(days=3650)
Story = tuple[list[datetime], list[Action]]
Bodies = dict[str, bytes]
Harm = Callable[[Bodies, str], None]


class Bucket(Ends):
    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies

    def end_of(self, key: str, length: int) -> bytes:
        return self.bodies[key][-length:]


def told(story: Story) -> tuple[list[Record], Bodies]:
    """What came, and the files after the story."""
    times, actions = story
    archive, records = MemoryArchive(), records_of(SHARD, times)
    world = World(archive, SHARD, records)
    for action in actions:
        world.carry_out(action)
    world.finish()
    return records, {key: body for key, (body, _) in archive.files.items()}


def read(bodies: Bodies, length: int = 100) -> list[Archived | Broken]:
    return [archived(Bucket(bodies), key, len(body), length) for key, body in bodies.items()]


def checked(records: Sequence[Record], bodies: Bodies, late: datetime = NOW) -> list[Fault]:
    files = read(bodies)
    comparison = Comparison(SHARD, [file for file in files if isinstance(file, Archived)], late)
    comparison.take(records)
    return [*faults(files), *comparison.faults()]


def remove(bodies: Bodies, key: str) -> None:
    del bodies[key]


def cut_short(bodies: Bodies, key: str) -> None:
    bodies[key] = bodies[key][: len(bodies[key]) // 2]


def lose_its_beginning(bodies: Bodies, key: str) -> None:
    bodies[key] = bodies[key][100:]


def empty(bodies: Bodies, key: str) -> None:
    bodies[key] = b""


HARMS = [remove, cut_short, lose_its_beginning, empty]


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(STORIES, st.sampled_from(HARMS), st.integers(0, 1000))
def test_a_story_leaves_a_complete_archive_and_any_harm_is_found(
    story: Story, harm: Harm, which: int
) -> None:
    records, bodies = told(story)
    assert checked(records, bodies) == []
    harm(bodies, sorted(bodies)[which % len(bodies)])
    assert checked(records, bodies) != []


def chain(*ranges: tuple[int, int, int, int]) -> list[Archived | Broken]:
    return [Archived(f"{SHARD}_{after}", SHARD, after, *rest) for after, *rest in ranges]


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (chain((0, 1, 10, 10), (10, 11, 20, 10)), []),
        (chain((5, 6, 10, 5)), ["the files before it are missing"]),
        (chain((0, 1, 10, 10), (20, 21, 30, 10)), [f"the files between it and {SHARD}_0 are missing"]),
        (chain((0, 1, 10, 10), (8, 9, 20, 12)), [f"it overlaps {SHARD}_0"]),
        ([Broken(f"events/{SHARD}_0.parquet", "it was cut short")], ["it was cut short"]),
        ([Broken(f"events/{SHARD}_0.parquet", "cut"), *chain((10, 11, 20, 10))], ["cut"]),
    ],
)
def test_the_files_tell_what_is_wrong_with_them(files: list[Archived | Broken], what: list[str]) -> None:
    assert [fault.what for fault in faults(files)] == what


def test_what_came_lately_may_still_wait(records: list[Record]) -> None:
    assert checked(records, {}, late=records[0].arrival) == []


def test_what_should_have_been_archived_is_missed(records: list[Record]) -> None:
    (fault,) = checked(records, {})
    assert fault.what == "3 records that the stream still holds are in no file"


def test_a_file_whose_beginning_the_stream_no_longer_holds_is_not_compared(records: list[Record]) -> None:
    _, bodies = told(([record.arrival for record in records], []))
    assert checked(records[1:], bodies) == []


@pytest.fixture
def records() -> list[Record]:
    return records_of(SHARD, [BEGIN, BEGIN, BEGIN])
