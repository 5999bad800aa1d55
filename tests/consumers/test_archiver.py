"""The archive equals the stream: each record exactly once, in a chain without a gap, whatever happens."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.archiver import ArchiveFiles, Archiver
from consumers.s3 import ArchiveBucket
from pipeline.errors import Unavailable
from pipeline.log import Record, sequence_text
from tests.consumers.archive_world import (
    BEGIN,
    FLUSH,
    STORIES,
    Action,
    World,
    assert_complete,
    files_of,
    records_of,
)
from tests.consumers.conftest import Deployed
from tests.consumers.fakes import MemoryArchive

Story = tuple[list[datetime], list[Action]]
Bodies = Callable[[str], dict[str, bytes]]
"""Takes the files of a shard out of the archive: their bodies by key."""


def memory() -> tuple[ArchiveFiles, Bodies]:
    archive = MemoryArchive()
    return archive, lambda _: {key: body for key, (body, _) in archive.files.items()}


def s3(deployed: Deployed) -> tuple[ArchiveFiles, Bodies]:
    client, bucket = deployed.client("s3"), deployed.settings.archive_bucket_name

    def bodies(shard: str) -> dict[str, bytes]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        taken = {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        for key in keys:
            client.delete_object(Bucket=bucket, Key=key)
        return {key: body for key, body in taken.items() if f"/{shard}_" in key}

    return ArchiveBucket(client, bucket), bodies


def tell(story: Story, files: ArchiveFiles, bodies: Bodies) -> None:
    times, actions = story
    shard = f"shardId-{uuid.uuid4()}"
    records = records_of(shard, times)
    world = World(files, shard, records)
    for action in actions:
        world.carry_out(action)
    world.finish()
    assert_complete(records, bodies(shard))


@settings(max_examples=50)
@given(STORIES)
def test_the_archive_in_memory_equals_the_stream(story: Story) -> None:
    tell(story, *memory())


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=STORIES)
def test_the_archive_in_s3_equals_the_stream(deployed: Deployed, story: Story) -> None:
    tell(story, *s3(deployed))


@pytest.mark.soak
@settings(max_examples=500)
@given(STORIES)
def test_the_archive_in_memory_equals_the_stream_for_long(story: Story) -> None:
    tell(story, *memory())


@pytest.mark.soak
@pytest.mark.timeout(600)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=STORIES)
def test_the_archive_in_s3_equals_the_stream_for_long(deployed: Deployed, story: Story) -> None:
    tell(story, *s3(deployed))


# ── Told one by one ───────────────────────────────────────────────────────────────────────────────────────


class Scene:
    """An archive in memory, ten records of one shard a second apart, and time that passes when it is told to."""

    def __init__(self, count: int = 10, apart: timedelta = timedelta(seconds=1)) -> None:
        self.files = MemoryArchive()
        self.records = records_of("shard", [BEGIN + n * apart for n in range(count)])
        self.now = 0.0

    def archiver(self, after: int | None = None) -> Archiver:
        return Archiver(self.files, "shard", after, FLUSH, lambda: self.now)

    def flush(self, archiver: Archiver) -> None:
        self.now += FLUSH
        archiver.process([])

    def bodies(self) -> dict[str, bytes]:
        return {key: body for key, (body, _) in self.files.files.items()}

    def counts(self) -> list[int]:
        return [len(file.sequences) for file in files_of(self.bodies())]

    def assert_complete(self) -> None:
        assert_complete(self.records, self.bodies())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_records_wait_until_it_is_time(scene: Scene) -> None:
    archiver = scene.archiver()
    archiver.process(scene.records)
    assert scene.counts() == []
    scene.flush(archiver)
    assert scene.counts() == [10]


def test_records_that_wait_are_not_durable(scene: Scene) -> None:
    archiver = scene.archiver()
    archiver.process(scene.records)
    assert archiver.durable() is None
    scene.flush(archiver)
    assert archiver.durable() == scene.records[-1].sequence


def test_much_is_written_before_it_is_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.archiver.FLUSH_BYTES", 100)
    scene.archiver().process(scene.records)
    scene.assert_complete()


def test_a_quiet_shard_writes_nothing(scene: Scene) -> None:
    archiver = scene.archiver()
    scene.flush(archiver)
    assert scene.counts() == []


def test_the_time_runs_from_the_first_record_that_waits(scene: Scene) -> None:
    archiver = scene.archiver()
    archiver.process(scene.records[:1])
    scene.now += FLUSH - 1
    archiver.process(scene.records[1:])
    assert scene.counts() == []
    scene.now += 1
    archiver.process([])
    assert scene.counts() == [10]


def test_draining_writes_what_waits_however_little(scene: Scene) -> None:
    archiver = scene.archiver()
    archiver.process(scene.records)
    archiver.drain(scene.now + 1)
    scene.assert_complete()


def test_draining_stops_at_the_deadline(scene: Scene) -> None:
    archiver = scene.archiver()
    archiver.process(scene.records)
    archiver.drain(scene.now)
    assert scene.counts() == []


def test_records_that_come_again_are_archived_once(scene: Scene) -> None:
    archiver = scene.archiver()
    for _ in range(2):
        archiver.process(scene.records)
    scene.flush(archiver)
    archiver.process(scene.records)
    scene.flush(archiver)
    scene.assert_complete()


def test_a_crash_after_the_file_leaves_it_to_be_taken_as_written(scene: Scene) -> None:
    """The checkpoint is behind the archive.

    A:  1 … 6 ─► create ─► ✝ (checkpoint)
    B:                          1 … 10 ─► the archive has 1 … 6 ─► 7 … 10 ─► create
    """
    first = scene.archiver()
    first.process(scene.records[:6])
    scene.flush(first)
    second = scene.archiver()
    second.process(scene.records)
    scene.flush(second)
    assert scene.counts() == [6, 4]
    scene.assert_complete()


def test_two_workers_with_other_batches_write_one_chain(scene: Scene) -> None:
    """Whoever comes second takes what is there, and goes on after it.

    A:  1 … 4 ─► create ……………………………………… 5 … 10 ─► exists up to 8 ─► 9, 10 ─► create
    B:             1 … 8 ─► exists up to 4 ─► 5 … 8 ─► create
    """
    one, two = scene.archiver(), scene.archiver()
    one.process(scene.records[:4])
    two.process(scene.records[:8])
    scene.flush(one)
    scene.flush(two)
    scene.flush(two)
    one.process(scene.records)
    scene.flush(one)
    scene.flush(one)
    scene.assert_complete()


def test_a_worker_that_lags_behind_the_other_adds_nothing(scene: Scene) -> None:
    lagging, other = scene.archiver(), scene.archiver()
    lagging.process(scene.records[:3])
    other.process(scene.records)
    scene.flush(other)
    for _ in range(3):
        scene.flush(lagging)
    scene.assert_complete()


def test_a_lost_checkpoint_is_found_again_in_the_archive(scene: Scene) -> None:
    first = scene.archiver()
    first.process(scene.records)
    scene.flush(first)
    again = scene.archiver(after=None)
    again.process(scene.records)
    assert again.durable() == scene.records[-1].sequence
    scene.assert_complete()


def test_a_checkpoint_far_behind_the_archive_repeats_nothing() -> None:
    """Checkpoints failed for longer than the retention, while the archive went on.

    archive:     1 … … … … … 10
    checkpoint:  2
    stream:              6 … 10  (1 … 5 are trimmed), so that after 2 comes 6
    """
    scene = Scene(apart=timedelta(minutes=20))
    first = scene.archiver()
    first.process(scene.records)
    scene.flush(first)
    again = scene.archiver(after=scene.records[1].sequence)
    again.process(scene.records[5:])
    scene.flush(again)
    scene.assert_complete()


def test_a_backlog_of_days_is_found_again_though_most_of_it_is_trimmed() -> None:
    """A quiet shard, read at once after a week.

    stream:   day 1 ………………………… day 7 ─► archived, checkpoint lost; days 1 … 5 are trimmed
    worker:   reads from day 6 on ─► finds in the archive that it has it all
    """
    scene = Scene(count=14, apart=timedelta(hours=12))
    first = scene.archiver()
    first.process(scene.records)
    scene.flush(first)
    again = scene.archiver()
    again.process(scene.records[10:])
    scene.flush(again)
    scene.assert_complete()


def test_no_file_spans_more_than_an_hour() -> None:
    scene = Scene(count=20, apart=timedelta(minutes=25))
    archiver = scene.archiver()
    archiver.process(scene.records)
    scene.flush(archiver)
    arrival = {sequence_text(record.sequence): record.arrival for record in scene.records}
    spans = [arrival[file.sequences[-1]] - arrival[file.sequences[0]] for file in files_of(scene.bodies())]
    assert max(spans) < timedelta(hours=1)


def test_a_shard_that_was_quiet_for_long_goes_on_with_its_chain() -> None:
    scene = Scene(count=2, apart=timedelta(days=30))
    first = scene.archiver()
    first.process(scene.records[:1])
    scene.flush(first)
    again = scene.archiver(after=None)
    again.process(scene.records[1:])
    scene.flush(again)
    scene.assert_complete()


def test_a_bucket_that_is_down_loses_nothing(scene: Scene) -> None:
    class Down(MemoryArchive):
        def create(self, *_: Any) -> None:
            raise Unavailable("S3 is down")

    archiver, whole = scene.archiver(), scene.files
    archiver._files = Down()
    scene.now += FLUSH
    archiver.process(scene.records[:4])
    scene.now += FLUSH
    with pytest.raises(Unavailable):
        archiver.process(scene.records[:6])
    assert archiver.durable() is None
    archiver._files = whole
    archiver.process(scene.records)
    scene.assert_complete()


def test_a_record_that_no_column_can_hold_leaves_a_trace_and_stops_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.archive import row

    def unfit(record: Record) -> dict[str, Any]:
        return row(record) | ({"attempt": 2**40} if record == scene.records[4] else {})

    monkeypatch.setattr("consumers.parquet.row", unfit)
    archiver = scene.archiver()
    archiver.process(scene.records)
    scene.flush(archiver)
    scene.assert_complete()


@given(st.binary(max_size=200))
def test_any_bytes_can_be_archived(data: bytes) -> None:
    files = MemoryArchive()
    archiver = Archiver(files, "shard", None, FLUSH, lambda: 0.0)
    record = Record(data, "key", "shard", 1, BEGIN)
    archiver.process([record])
    archiver.drain(1.0)
    assert_complete([record], {key: body for key, (body, _) in files.files.items()})
