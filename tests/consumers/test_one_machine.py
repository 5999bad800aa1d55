"""The host over a log in memory: every consumer reads every shard, goes on where it was, and stops in order."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import pytest

from consumers import one_machine
from consumers.archiver import Archiver
from consumers.handler import Handler
from consumers.one_machine import Consumer, OneMachine, OneMachineHost
from pipeline.errors import Unavailable
from pipeline.log import Batch, Record, Shard
from pipeline.memory import MemoryLog
from pipeline.times import utc_now
from tests.builders import envelope
from tests.consumers.archive_world import assert_complete
from tests.consumers.fakes import DOWN, TIMEOUT, Always, FakeParking, MemoryArchive, Script

ONE, TWO, THREE, FOUR = (f"shardId-{n:012d}" for n in range(4))


class Board:
    """Where everybody tells that something has happened, so that a test can wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def tell(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def until(self, true: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(true, TIMEOUT)


class Checkpoints:
    def __init__(self, board: Board) -> None:
        self._board, self.script = board, Script()
        self.written: dict[tuple[str, str], tuple[int | None, bool]] = {}
        self.history: list[int | None] = []

    def read(self, consumer: str, shard: str) -> tuple[int | None, bool]:
        return self.written.get((consumer, shard), (None, False))

    def write(self, consumer: str, shard: str, sequence: int | None, at: datetime, *, ended: bool) -> None:
        self.script.next()
        self.history.append(sequence)
        self._board.tell(lambda: self.written.update({(consumer, shard): (sequence, ended)}))


class Reading(Handler):
    """Notes what it is given; `faults` are raised for records with these data, `script` at each call."""

    def __init__(self, board: Board, shard: str, after: int | None) -> None:
        self.board, self.shard, self.after = board, shard, after
        self.seen: list[int] = []
        self.script, self.draining, self.drained = Script(), Script(), False
        self.faults: set[bytes] = set()
        self.finishes = True
        self.finished: int | None = None

    def process(self, records: Sequence[Record]) -> None:
        self.script.next()
        for record in records:
            if record.data in self.faults:
                raise ValueError("this record is at fault")
        self.board.tell(lambda: self.seen.extend(record.sequence for record in records))
        if self.finishes and records:
            self.finished = records[-1].sequence

    def durable(self) -> int | None:
        return self.finished

    def drain(self, deadline: float) -> None:
        self.drained = True
        self.draining.next()


class Machine:
    """A log of two shards, and the hosts that have run on it, one after the other."""

    def __init__(self) -> None:
        self.board, self.log = Board(), MemoryLog(shards=2)
        self.checkpoints, self.parking = Checkpoints(self.board), FakeParking()
        self.handlers: list[Reading] = []
        self.prepare: Callable[[Reading], None] = lambda _: None
        self.host: OneMachineHost | None = None
        self.checkpoint_seconds = 0.0

    def start(self, *names: str) -> None:
        consumers = [Consumer(name, self._handler, self.parking) for name in names or ("reader",)]
        self.start_with(*consumers)

    def start_with(self, *consumers: Consumer) -> None:
        machine = OneMachine(
            self.log,
            self.checkpoints,
            utc_now,
            idle=0.002,
            grace=2.0,
            checkpoint_seconds=self.checkpoint_seconds,
        )
        self.host = OneMachineHost(machine, consumers)
        self.host.start()

    def _handler(self, shard: str, after: int | None) -> Reading:
        handler = Reading(self.board, shard, after)
        self.prepare(handler)
        self.board.tell(lambda: self.handlers.append(handler))
        return handler

    def stop(self) -> None:
        if self.host:
            self.host.stop()
        self.host = None

    def append(self, count: int, prefix: str = "event") -> list[Record]:
        return [self.log.append_bytes(f"{prefix}-{n}".encode(), f"{prefix}-{n}") for n in range(count)]

    def seen(self) -> list[int]:
        return sorted(sequence for handler in self.handlers for sequence in handler.seen)

    def until_seen(self, records: Sequence[Record]) -> None:
        wanted = {record.sequence for record in records}
        self.board.until(lambda: wanted <= set(self.seen()))

    def of(self, shard: str) -> Reading:
        self.board.until(lambda: any(handler.shard == shard for handler in self.handlers))
        return [handler for handler in self.handlers if handler.shard == shard][-1]

    def checkpoint(self, shard: str, name: str = "reader") -> tuple[int | None, bool]:
        return self.checkpoints.read(name, shard)

    def until_checkpoint(self, record: Record, name: str = "reader") -> None:
        self.board.until(lambda: self.checkpoint(record.shard, name)[0] == record.sequence)

    def until_ended(self, shard: str, name: str = "reader") -> None:
        self.board.until(lambda: self.checkpoint(shard, name)[1])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(one_machine, "SHARD_LOOKUP_SECONDS", 0.002)
    machine = Machine()
    yield machine
    machine.stop()


def eventually(true: Callable[[], bool]) -> None:
    """For what tells nobody when it changes."""
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def last_by_shard(records: Sequence[Record]) -> list[Record]:
    return list({record.shard: record for record in records}.values())


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_record_of_every_shard_is_read_once(machine: Machine) -> None:
    records = machine.append(50)
    machine.start()
    machine.until_seen(records)
    machine.stop()
    assert machine.seen() == sorted(record.sequence for record in records)


def test_every_consumer_reads_every_record(machine: Machine) -> None:
    records = machine.append(20)
    machine.start("one", "two")
    machine.board.until(lambda: len(machine.seen()) == 2 * len(records))


def test_records_that_come_later_are_read(machine: Machine) -> None:
    machine.start()
    machine.until_seen(machine.append(5))
    machine.until_seen(machine.append(5, "more"))


def test_a_handler_is_called_without_records(machine: Machine) -> None:
    calls = threading.Semaphore(0)

    class Quiet(Reading):
        def process(self, records: Sequence[Record]) -> None:
            calls.release()

    machine.start_with(Consumer("quiet", lambda s, a: Quiet(machine.board, s, a), machine.parking))
    assert all(calls.acquire(timeout=TIMEOUT) for _ in range(5))


def test_a_slow_consumer_holds_up_no_other(machine: Machine) -> None:
    gate = threading.Event()

    class Slow(Reading):
        def process(self, records: Sequence[Record]) -> None:
            gate.wait(TIMEOUT)

    records = machine.append(10)
    machine.start_with(
        Consumer("slow", lambda s, a: Slow(machine.board, s, a), machine.parking),
        Consumer("reader", machine._handler, machine.parking),
    )
    machine.until_seen(records)
    gate.set()


def test_the_host_is_caught_up_once_everything_was_read(machine: Machine) -> None:
    machine.append(10)
    machine.start()
    host = machine.host
    assert host
    machine.board.until(lambda: len(machine.handlers) == 2)
    eventually(host.caught_up)
    assert len(machine.seen()) == 10


# ── Checkpoints ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_durable_is_checkpointed(machine: Machine) -> None:
    records = machine.append(20)
    machine.start()
    for record in last_by_shard(records):
        machine.until_checkpoint(record)


def test_checkpoints_are_some_time_apart_and_the_last_comes_with_the_end(machine: Machine) -> None:
    machine.checkpoint_seconds = 3600.0
    machine.start()
    for number in range(5):
        records = machine.append(20, f"round-{number}")
        machine.until_seen(records)
    machine.stop()
    for record in last_by_shard(records):
        assert machine.checkpoint(record.shard)[0] == record.sequence
    assert len(machine.checkpoints.history) == 4


def test_what_is_not_durable_is_not_checkpointed(machine: Machine) -> None:
    machine.prepare = lambda handler: setattr(handler, "finishes", False)
    records = machine.append(20)
    machine.start()
    machine.until_seen(records)
    machine.stop()
    assert machine.checkpoints.written == {}


def test_a_restart_goes_on_behind_the_checkpoint(machine: Machine) -> None:
    records = machine.append(20)
    machine.start()
    for record in last_by_shard(records):
        machine.until_checkpoint(record)
    machine.stop()
    more = machine.append(20, "more")
    machine.start()
    machine.until_seen(more)
    machine.stop()
    assert machine.seen() == sorted(record.sequence for record in [*records, *more])


def test_a_handler_is_told_where_its_shard_goes_on(machine: Machine) -> None:
    machine.checkpoints.written["reader", ONE] = (7, False)
    machine.start()
    assert (machine.of(ONE).after, machine.of(TWO).after) == (7, None)


def test_a_restart_that_finishes_nothing_leaves_the_checkpoint(machine: Machine) -> None:
    """A fresh handler has nothing durable yet, which is not the same as nothing.

    host 1:  reads 1 … 5 ─► checkpoint 5
    host 2:  begins after 5 ─► durable: none ─► (checkpoint stays 5)
    host 3:  begins after 5
    """
    records = machine.append(20)
    machine.start()
    for record in last_by_shard(records):
        machine.until_checkpoint(record)
    machine.stop()
    before = dict(machine.checkpoints.written)
    machine.prepare = lambda handler: setattr(handler, "finishes", False)
    machine.start()
    machine.until_seen(machine.append(20, "more"))
    machine.stop()
    assert machine.checkpoints.written == before


def test_checkpoints_that_cannot_be_written_stop_nothing(machine: Machine) -> None:
    machine.checkpoints.script = Always(DOWN)
    records = machine.append(20)
    machine.start()
    machine.until_seen(records)
    machine.checkpoints.script = Script()
    for record in last_by_shard(machine.append(20, "more")):
        machine.until_checkpoint(record)


def test_checkpoints_that_cannot_be_read_are_waited_for(machine: Machine) -> None:
    down = Script(DOWN)

    class Slow(Checkpoints):
        def read(self, consumer: str, shard: str) -> tuple[int | None, bool]:
            down.next()
            return super().read(consumer, shard)

    machine.checkpoints = Slow(machine.board)
    machine.start()
    machine.until_seen(machine.append(5))


def test_a_checkpoint_is_written_when_it_changes(machine: Machine) -> None:
    records = machine.append(20)
    machine.start()
    for record in last_by_shard(records):
        machine.until_checkpoint(record)
    machine.stop()
    assert len(machine.checkpoints.history) == len(set(machine.checkpoints.history))


# ── Splits ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_children_of_a_split_are_read(machine: Machine) -> None:
    before = machine.append(10)
    machine.start()
    machine.log.split(ONE)
    after = machine.append(40, "after")
    machine.until_seen([*before, *after])
    assert {record.shard for record in after} == {TWO, THREE, FOUR}


def test_a_parent_is_finished_before_its_children_begin(machine: Machine) -> None:
    """The order of a key holds only so.

    parent:    read to its end ─► … in flight … ─► durable ─► ended
    children:                                                        begin
    """
    machine.prepare = lambda handler: setattr(handler, "finishes", handler.shard != ONE)
    looks = threading.Semaphore(0)

    class Counted(MemoryLog):
        def shards(self) -> Sequence[Shard]:
            looks.release()
            return super().shards()

    machine.log = Counted(shards=2)
    parents = [record for record in machine.append(20) if record.shard == ONE]
    machine.log.split(ONE)
    machine.start()
    machine.until_seen(parents)
    assert all(looks.acquire(timeout=TIMEOUT) for _ in range(10))
    begun = {handler.shard for handler in machine.handlers}
    machine.of(ONE).finished = parents[-1].sequence
    machine.until_ended(ONE)
    machine.of(THREE)
    assert not begun & {THREE, FOUR}


def test_the_children_begin_though_the_parent_was_empty(machine: Machine) -> None:
    machine.log.split(ONE)
    machine.start()
    machine.of(THREE)
    machine.of(FOUR)


def test_the_children_begin_after_a_restart_at_the_end_of_the_parent(machine: Machine) -> None:
    """The end was not written down, and there is nothing left to read.

    host 1:  reads the parent to its last record ─► checkpoint ─► ✝ (ended)
    host 2:  begins after it ─► no records, closed ─► ended ─► children
    """
    parents = [record for record in machine.append(20) if record.shard == ONE]
    machine.log.split(ONE)
    machine.checkpoints.written["reader", ONE] = (parents[-1].sequence, False)
    machine.start()
    machine.until_ended(ONE)
    machine.of(THREE)
    assert machine.checkpoint(ONE) == (parents[-1].sequence, True)


def test_a_parent_that_was_read_to_its_end_is_not_read_again(machine: Machine) -> None:
    parents = [record for record in machine.append(20) if record.shard == ONE]
    machine.log.split(ONE)
    machine.checkpoints.written["reader", ONE] = (parents[-1].sequence, True)
    machine.start()
    machine.of(THREE)
    assert ONE not in {handler.shard for handler in machine.handlers}


def test_children_whose_parent_has_left_the_log_begin_at_once(machine: Machine) -> None:
    class Expired(MemoryLog):
        def shards(self) -> Sequence[Shard]:
            return [shard for shard in super().shards() if shard.id != ONE]

    machine.log = Expired(shards=2)
    machine.log.split(ONE)
    machine.start()
    machine.of(THREE)


def test_consumers_come_to_the_children_each_at_its_own_pace(machine: Machine) -> None:
    machine.append(20)
    machine.log.split(ONE)

    class Endless(Reading):
        def durable(self) -> int | None:
            return None

    machine.start_with(
        Consumer("endless", lambda s, a: Endless(machine.board, s, a), machine.parking),
        Consumer("reader", machine._handler, machine.parking),
    )
    machine.of(THREE)


# ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_at_fault_is_parked_and_the_others_are_read(machine: Machine) -> None:
    machine.prepare = lambda handler: handler.faults.add(b"event-7")
    records = machine.append(20)
    machine.start()
    machine.until_seen([record for record in records if record.data != b"event-7"])
    for record in last_by_shard(records):
        machine.until_checkpoint(record)
    assert [sequence for sequence, _, _ in machine.parking.parked] == [records[7].sequence]


def test_a_handler_that_always_raises_keeps_no_other_shard(machine: Machine) -> None:
    def doom(handler: Reading) -> None:
        if handler.shard == ONE:
            handler.script = Always(RuntimeError("for no reason"))

    machine.prepare = doom
    records = machine.append(20)
    machine.start()
    machine.until_seen([record for record in records if record.shard == TWO])
    for record in last_by_shard(records):
        machine.until_checkpoint(record)
    assert len(machine.parking.parked) == sum(record.shard == ONE for record in records)


def test_a_handler_that_cannot_be_made_is_made_again(machine: Machine) -> None:
    faults = Script(RuntimeError("for no reason"), RuntimeError("for no reason"))

    def made(shard: str, after: int | None) -> Reading:
        faults.next()
        return machine._handler(shard, after)

    records = machine.append(20)
    machine.start_with(Consumer("reader", made, machine.parking))
    machine.until_seen(records)


def test_a_reader_that_died_begins_again_at_its_checkpoint(machine: Machine) -> None:
    faults = Script(None, RuntimeError("for no reason"))

    class Fragile(Reading):
        def durable(self) -> int | None:
            faults.next()
            return super().durable()

    def made(shard: str, after: int | None) -> Reading:
        handler = Fragile(machine.board, shard, after)
        machine.board.tell(lambda: machine.handlers.append(handler))
        return handler

    machine.start_with(Consumer("reader", made, machine.parking))
    for record in last_by_shard(machine.append(20)):
        machine.until_checkpoint(record)


def test_a_stream_that_is_down_is_waited_for(machine: Machine) -> None:
    class Down(MemoryLog):
        script = Script(DOWN, DOWN, DOWN)

        def shards(self) -> Sequence[Shard]:
            self.script.next()
            return super().shards()

        def read(self, shard: str, after: int, limit: int) -> Batch:
            self.reading.next()
            return super().read(shard, after, limit)

        reading = Script(DOWN)

    machine.log = Down(shards=2)
    records = machine.append(20)
    machine.start()
    machine.until_seen(records)


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_drains_every_handler(machine: Machine) -> None:
    machine.start("one", "two")
    machine.board.until(lambda: len(machine.handlers) == 4)
    machine.stop()
    assert all(handler.drained for handler in machine.handlers)


def test_what_draining_finished_is_checkpointed(machine: Machine) -> None:
    archive = MemoryArchive()

    def archiver(shard: str, after: int | None) -> Archiver:
        return Archiver(archive, shard, after, flush_seconds=3600)

    records = machine.append(30)
    machine.start_with(
        Consumer("archiver", archiver, machine.parking), Consumer("reader", machine._handler, machine.parking)
    )
    host = machine.host
    assert host
    machine.until_seen(records)
    eventually(host.caught_up)
    machine.stop()
    for record in last_by_shard(records):
        assert machine.checkpoint(record.shard, "archiver")[0] == record.sequence


def test_a_stop_ends_all_threads(machine: Machine) -> None:
    before = set(threading.enumerate())
    machine.start("one", "two")
    machine.board.until(lambda: len(machine.handlers) == 4)
    own = set(threading.enumerate()) - before
    machine.stop()
    assert not any(thread.is_alive() for thread in own)


def test_a_stop_interrupts_the_reading_of_a_busy_shard(machine: Machine) -> None:
    """A shard that has always more to read must not keep the host from stopping."""

    class Busy(MemoryLog):
        def read(self, shard: str, after: int, limit: int) -> Batch:
            self.append_bytes(b"more", shard)
            return super().read(shard, after, 1)

    machine.log = Busy(shards=2)
    machine.append(10)
    machine.start()
    machine.board.until(lambda: len(machine.seen()) > 10)
    machine.stop()
    assert all(handler.drained for handler in machine.handlers)


def test_a_stop_reaches_a_handler_that_waits_for_room(machine: Machine) -> None:
    """The handler watches the event of its consumer, as the sender does while its queue is full."""
    from consumers.patience import Patience

    waiting = threading.Event()

    class Full(Reading):
        patience: Patience

        def process(self, records: Sequence[Record]) -> None:
            waiting.set()
            self.patience.pause(TIMEOUT * 10)

    def made(shard: str, after: int | None) -> Reading:
        handler = Full(machine.board, shard, after)
        handler.patience = Patience("full", stopping)
        machine.board.tell(lambda: machine.handlers.append(handler))
        return handler

    stopping = threading.Event()
    machine.start_with(Consumer("full", made, machine.parking, stopping))
    assert waiting.wait(TIMEOUT)
    machine.board.until(lambda: len(machine.handlers) == 2)
    machine.stop()
    assert all(handler.drained for handler in machine.handlers)


def test_a_stop_interrupts_the_waiting_for_a_service(machine: Machine) -> None:
    waiting = Always(Unavailable("down for good"))
    machine.prepare = lambda handler: setattr(handler, "script", waiting)
    machine.start()
    assert waiting.reached.wait(TIMEOUT)
    machine.board.until(lambda: len(machine.handlers) == 2)
    machine.stop()
    assert all(handler.drained for handler in machine.handlers)


def test_what_is_durable_is_checkpointed_though_draining_fails(machine: Machine) -> None:
    def fragile(handler: Reading) -> None:
        handler.finishes = False
        handler.draining = Script(DOWN)

    machine.prepare = fragile
    records = machine.append(20)
    machine.start()
    machine.until_seen(records)
    for record in last_by_shard(records):
        machine.of(record.shard).finished = record.sequence
    machine.stop()
    for record in last_by_shard(records):
        assert machine.checkpoint(record.shard)[0] == record.sequence


def test_the_archive_survives_restarts_and_splits(machine: Machine) -> None:
    archive = MemoryArchive()

    def archiver(shard: str, after: int | None) -> Archiver:
        return Archiver(archive, shard, after, flush_seconds=0)

    appended: list[Record] = []
    for round_ in range(4):
        appended += [
            machine.log.append_bytes(envelope(id=f"{round_}-{n}").to_bytes(), f"{round_}-{n}")
            for n in range(30)
        ]
        machine.start_with(Consumer("archiver", archiver, machine.parking))
        for record in last_by_shard(appended):
            machine.until_checkpoint(record, "archiver")
        machine.stop()
        machine.log.split([shard.id for shard in machine.log.shards()][-1])
    for shard in {record.shard for record in appended}:
        bodies = {key: body for key, (body, _) in archive.files.items() if f"/{shard}_" in key}
        assert_complete([record for record in appended if record.shard == shard], bodies)
