"""A shard, its archive, and workers that archive it and die; what came of it is read back from the files."""

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from hypothesis import strategies as st

from consumers.archiver import ArchiveFiles, Archiver, FileFacts
from pipeline.log import Record, sequence_text
from pipeline.memory import Crash
from tests.builders import envelope

FLUSH = 900.0
BEGIN = datetime(2026, 11, 20, 10, tzinfo=UTC)
Action = tuple[Any, ...]
ReadAll = Callable[[str], dict[str, bytes]]


class Dying(ArchiveFiles):
    """Files of a worker that dies before or after it creates one, when it is told to."""

    def __init__(self, files: ArchiveFiles) -> None:
        self._files, self.dies = files, ""

    def create(self, key: str, body: bytes, facts: FileFacts) -> FileFacts | None:
        if self.dies == "before":
            raise Crash
        there = self._files.create(key, body, facts)
        if self.dies == "after":
            raise Crash
        return there

    def last_of(self, shard: str, since: datetime) -> FileFacts | None:
        return self._files.last_of(shard, since)


class Worker:
    """An archiver and how far it has read."""

    def __init__(self, files: ArchiveFiles, shard: str, checkpoint: int | None) -> None:
        self.files, self.now = Dying(files), 0.0
        self.archiver = Archiver(self.files, shard, checkpoint, FLUSH, lambda: self.now)
        self.read_up_to = checkpoint or 0


class World:
    """Two workers on one shard, and the one checkpoint that they share."""

    def __init__(self, files: ArchiveFiles, shard: str, records: Sequence[Record]) -> None:
        self.files, self.shard, self.records = files, shard, list(records)
        self.kept = list(records)  # what the retention has left of them
        self.checkpoint: int | None = None
        self.workers = [self._worker(), self._worker()]

    def _worker(self) -> Worker:
        return Worker(self.files, self.shard, self.checkpoint)

    def carry_out(self, action: Action) -> None:
        name, *arguments = action
        getattr(self, name)(*arguments)

    # ── What can happen ──

    def read(self, number: int, count: int) -> None:
        """A worker is given the next records, in whatever batches."""
        worker = self.workers[number]
        batch = [record for record in self.kept if record.sequence > worker.read_up_to][:count]
        self._process(number, batch)

    def flush(self, number: int) -> None:
        """Time passes for a worker."""
        self.workers[number].now += FLUSH
        self._process(number, [])

    def doom(self, number: int, when: str) -> None:
        """A worker will die before or after it creates its next file."""
        self.workers[number].files.dies = when

    def die(self, number: int) -> None:
        self.workers[number] = self._worker()

    def write_checkpoint(self, number: int) -> None:
        durable = self.workers[number].archiver.durable()
        self.checkpoint = self.checkpoint if durable is None else durable

    def lose_checkpoint(self) -> None:
        self.checkpoint = None

    def trim(self, count: int) -> None:
        """Retention takes the oldest records, of those that every worker has archived."""
        archived = min(worker.archiver.durable() or 0 for worker in self.workers)
        gone = [record for record in self.kept[:count] if record.sequence <= archived]
        self.kept = self.kept[len(gone) :]

    def finish(self) -> None:
        """The last worker reads on from the checkpoint to the end, and drains."""
        worker = self._worker()
        worker.archiver.process([record for record in self.kept if record.sequence > worker.read_up_to])
        worker.archiver.drain(FLUSH)

    def _process(self, number: int, batch: Sequence[Record]) -> None:
        worker = self.workers[number]
        try:
            worker.archiver.process(batch)
        except Crash:
            self.die(number)
        else:
            worker.read_up_to = batch[-1].sequence if batch else worker.read_up_to


# ── What came of it ───────────────────────────────────────────────────────────────────────────────────────


class File(NamedTuple):
    key: str
    facts: dict[str, str]
    sequences: list[str]


def files_of(bodies: dict[str, bytes]) -> list[File]:
    """The files in the order of their chain, as they are read back."""
    found = [_read(key, body) for key, body in bodies.items()]
    return sorted(found, key=lambda file: file.facts["after"])


def _read(key: str, body: bytes) -> File:
    table = pq.read_table(io.BytesIO(body))
    facts = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
    return File(key, facts, table.column("sequence").to_pylist())


def assert_complete(records: Sequence[Record], bodies: dict[str, bytes]) -> None:
    """Each record once and in order; each file names its predecessor's last record, from the first on."""
    files = files_of(bodies)
    archived = [sequence for file in files for sequence in file.sequences]
    assert archived == [sequence_text(record.sequence) for record in records]
    lasts = [sequence_text(0), *(file.facts["last"] for file in files)]
    assert [file.facts["after"] for file in files] == lasts[:-1]
    assert all(file.facts["last"] == file.sequences[-1] for file in files)
    assert all(file.facts["first"] == file.sequences[0] for file in files)
    assert all(file.facts["count"] == str(len(file.sequences)) for file in files)


# ── Stories ───────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def arrivals(draw: st.DrawFn) -> list[datetime]:
    """Hours and days pass, and around the edge of an hour time runs backwards."""
    hours = draw(st.lists(st.sampled_from([0, 0, 0, 0, 0, 1, 30, 200]), min_size=1, max_size=40))
    jitter = draw(st.lists(st.integers(-3000, 3000), min_size=len(hours), max_size=len(hours)))
    times, passed = [], 0
    for step, milliseconds in zip(hours, jitter, strict=True):
        passed += step
        times.append(BEGIN + timedelta(hours=passed % 12 + passed // 12 * 24, milliseconds=milliseconds))
    return times


def records_of(shard: str, times: Sequence[datetime]) -> list[Record]:
    """Sequence numbers are sparse, and of the size that real ones have."""
    return [
        Record(envelope(id=f"event-{n}").to_bytes(), "key", shard, 10**55 + n * n + n, arrival)
        for n, arrival in enumerate(times)
    ]


WORKERS = st.integers(0, 1)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("read"), WORKERS, st.integers(1, 12)),
    st.tuples(st.just("read"), WORKERS, st.integers(1, 12)),
    st.tuples(st.just("flush"), WORKERS),
    st.tuples(st.just("doom"), WORKERS, st.sampled_from(["before", "after"])),
    st.tuples(st.just("die"), WORKERS),
    st.tuples(st.just("write_checkpoint"), WORKERS),
    st.tuples(st.just("lose_checkpoint")),
    st.tuples(st.just("trim"), st.integers(1, 40)),
)
STORIES = st.tuples(arrivals(), st.lists(ACTIONS, max_size=60))
