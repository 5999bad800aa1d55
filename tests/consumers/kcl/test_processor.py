"""A shard's process over the protocol's own lines, with a daemon that is scripted and a handler in memory."""

import base64
import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from amazon_kclpy.kcl import KCLProcess

from consumers import pulse
from consumers.handler import Handler
from consumers.in_hand import Note
from consumers.kcl.processor import FAULT, ShardProcessor, Shift
from consumers.one_machine import Consumer
from consumers.patience import Patience, Stopped
from consumers.runner import ATTEMPTS
from pipeline.log import Record
from pipeline.memory import Crash
from tests.consumers.fakes import DOWN, TIMEOUT, FakeHandler, FakeParking, Script
from tests.consumers.test_in_hand import MemoryNotes

NAME, SHARD, AT_FIRST = "projector", "shardId-000000000007", "TRIM_HORIZON"
ARRIVAL = datetime(2026, 11, 24, 9, 15, 2, 114_000, UTC)
BAD = ValueError("this record is at fault")
THROTTLED, LOST_LEASE, OUT_OF_STEP = "ThrottlingException", "ShutdownException", "InvalidStateException"
Json = dict[str, Any]


class Exited(BaseException):
    """In the place of os._exit, which nothing catches."""


class Daemon:
    """The other end of the protocol: tells what it is given, and answers checkpoints.

    The first are answered with `answers`: an exception's name, or None where it is written; a whole line stands
    for itself. All others are written.
    """

    def __init__(self) -> None:
        self.tells: deque[str] = deque()
        self.answers: Script = Script()
        self.heard: list[Json] = []
        self.at_checkpoint: Callable[[], object] = lambda: None

    def readline(self) -> str:
        return self.tells.popleft() if self.tells else ""

    def write(self, text: str) -> None:
        for said in map(json.loads, filter(None, text.split("\n"))):
            self.heard.append(said)
            if said["action"] == "checkpoint":
                self.at_checkpoint()
                self.tells.appendleft(self._answer(said))

    def flush(self) -> None:
        pass

    def _answer(self, said: Json) -> str:
        error = self.answers.next()
        return (
            error if error and error.startswith("{") else line(**said | ({"error": error} if error else {}))
        )

    @property
    def checkpoints(self) -> list[str | None]:
        return [said["sequenceNumber"] for said in self.heard if said["action"] == "checkpoint"]

    @property
    def done(self) -> list[str]:
        return [said["responseFor"] for said in self.heard if said["action"] == "status"]


class Place:
    """Where a shard's processes live, one after the other; `leave` is os._exit, whose first code counts."""

    def __init__(self, health: Path) -> None:
        self.health, self.notes, self.parking = health, MemoryNotes(), FakeParking()
        self.code: int | None = None
        self.processes: list[Process] = []

    def leave(self, code: int) -> None:
        self.code = code if self.code is None else self.code
        for process in self.processes:
            process.processor._done_with_doubt.set()  # its threads end with it
        raise Exited

    def start(
        self,
        handler: Handler | None = None,
        *,
        checkpoint: str = AT_FIRST,
        seconds: float = 0.0,
        make: Callable[[str, int | None], Handler] | None = None,
        begin: bool = True,
    ) -> "Process":
        self.code = None
        process = Process(self, make or (lambda *_: handler or FakeHandler()), seconds)
        self.processes = [process]
        if begin:
            process.initialize(checkpoint)
        return process


class Process:
    def __init__(self, place: Place, make: Callable[[str, int | None], Handler], seconds: float) -> None:
        self.place, self.daemon, self.errors = place, Daemon(), StringIO()
        self.consumer = Consumer(NAME, make, place.parking)
        shift = Shift(self.consumer, place.notes, place.health, checkpoint_seconds=seconds, grace=0.5)
        self.processor = ShardProcessor(shift)
        self._kcl = KCLProcess(self.processor, self.daemon, self.daemon, self.errors)  # type: ignore[no-untyped-call]

    def tell(self, action: str, **more: Any) -> None:
        """Return once the process has done everything that it was told. Raises Exited."""
        self.daemon.tells.append(line(action=action, **more))
        self._kcl.run()  # type: ignore[no-untyped-call]

    def initialize(self, checkpoint: str = AT_FIRST) -> None:
        self.tell("initialize", shardId=SHARD, sequenceNumber=checkpoint, subSequenceNumber=0)

    def give(self, *sequences: int) -> None:
        self.tell("processRecords", records=list(map(raw, sequences)), millisBehindLatest=0)

    def ends(self, tell: Callable[[], None]) -> int | None:
        """The code with which the process ends at this."""
        with pytest.raises(Exited):
            tell()
        return self.place.code


class Stopping(Script):
    """A service is down, and the process is asked to stop while the handler waits for it."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def next(self) -> Any:
        self._process.consumer.stopping.set()
        raise DOWN


def line(**told: Any) -> str:
    return json.dumps(told) + "\n"


def raw(sequence: int) -> Json:
    return {
        "action": "record",
        "data": base64.b64encode(f"data-{sequence}".encode()).decode(),
        "partitionKey": f"key-{sequence}",
        "sequenceNumber": str(sequence),
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": round(ARRIVAL.timestamp() * 1000),
    }


class Keeping(FakeHandler):
    """Keeps the records, and finishes none before `settles_at` settlings."""

    def __init__(self, settles_at: int = 0) -> None:
        super().__init__()
        self.records: list[Record] = []
        self.settles_at, self.settled = settles_at, 0

    def process(self, records: Sequence[Record]) -> None:
        super().process(records)
        self.records += records

    def durable(self) -> int | None:
        return self.finished if self.settled >= self.settles_at else None

    def settle(self, deadline: float) -> None:
        self.settled += 1


class Deadly(FakeHandler):
    """Ends the process when it is given one of these records."""

    def __init__(self, *deadly: int) -> None:
        super().__init__()
        self._deadly = deadly
        self.batches: list[list[int]] = []

    def process(self, records: Sequence[Record]) -> None:
        self.batches.append([record.sequence for record in records])
        for record in records:
            if record.sequence in self._deadly:
                raise Crash
            super().process([record])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Waiting takes no time there."""
    place, pause = Place(tmp_path), Patience.pause
    monkeypatch.setattr("os._exit", place.leave)
    monkeypatch.setattr("consumers.in_hand.STILL_SECONDS", 0.0)
    monkeypatch.setattr(Patience, "pause", lambda self, seconds: pause(self, 0))
    return place


# ── Initialising ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "checkpoint"),
    [(AT_FIRST, None), ("LATEST", None), ("49640138567893425678934256", 49640138567893425678934256)],
)
def test_a_handler_is_made_for_the_shard_from_its_checkpoint(
    place: Place, told: str, checkpoint: int | None
) -> None:
    made: list[tuple[str, int | None]] = []

    def make(shard: str, after: int | None) -> Handler:
        made.append((shard, after))
        return FakeHandler()

    process = place.start(make=make, checkpoint=told)
    assert made == [(SHARD, checkpoint)]
    assert process.daemon.done == ["initialize"]


def test_a_handler_that_cannot_be_made_ends_the_process_and_reports_no_success(place: Place) -> None:
    def make(*_: Any) -> Handler:
        raise BAD

    process = place.start(make=make, begin=False)
    assert process.ends(process.initialize) == FAULT == 71
    assert process.daemon.heard == []


def test_initialising_writes_no_note(place: Place) -> None:
    place.start()
    assert place.notes.writes == 0


def test_notes_that_cannot_be_read_are_waited_for(place: Place) -> None:
    downs = Script(DOWN, DOWN)

    class Slow(MemoryNotes):
        def read(self, consumer: str, shard: str) -> Note | None:
            downs.next()
            return super().read(consumer, shard)

    place.notes = Slow()
    assert place.start().daemon.done == ["initialize"]


def test_stopping_while_the_notes_are_waited_for_ends_in_order(place: Place) -> None:
    class Down(MemoryNotes):
        def read(self, consumer: str, shard: str) -> Note | None:
            raise DOWN

    place.notes = Down()
    process = place.start(begin=False)
    process.consumer.stopping.set()
    process.initialize()
    process.tell("shutdownRequested")
    assert process.daemon.done == ["initialize", "shutdownRequested"]


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────


def test_records_reach_the_handler_as_they_lie_in_the_stream(place: Place) -> None:
    handler = Keeping()
    place.start(handler).give(12)
    assert handler.records == [Record(b"data-12", "key-12", SHARD, 12, ARRIVAL)]
    assert handler.records[0].arrival.tzinfo is UTC


def test_a_quiet_shard_reaches_the_handler(place: Place) -> None:
    """Handlers finish by time what waits in them."""
    calls: list[Sequence[Record]] = []

    class Quiet(FakeHandler):
        def process(self, records: Sequence[Record]) -> None:
            calls.append(records)

    process = place.start(Quiet())
    process.give()
    assert calls == [[]]
    assert place.notes.writes == 0


def test_a_record_that_raises_is_parked_and_those_behind_it_go_on(place: Place) -> None:
    handler = FakeHandler()
    handler.faults[2] = BAD
    process = place.start(handler)
    process.give(1, 2, 3)
    assert place.parking.parked == [(2, str(BAD), ATTEMPTS)]
    assert handler.accepted == [1, 3]
    assert (process.daemon.checkpoints, process.daemon.done[1:]) == (["3"], ["processRecords"])


def test_a_service_that_is_down_is_waited_for_inside_the_call(place: Place) -> None:
    handler = FakeHandler()
    handler.script.add(*[DOWN] * 10)
    process = place.start(handler)
    process.give(1)
    assert (handler.accepted, process.daemon.checkpoints) == ([1], ["1"])


@pytest.mark.parametrize("fault", [ValueError("what is durable is unknown"), Crash(), KeyboardInterrupt()])
def test_what_the_runner_cannot_deal_with_ends_the_process_and_reports_no_success(
    place: Place, fault: BaseException
) -> None:
    class Broken(FakeHandler):
        def durable(self) -> int | None:
            raise fault

    process = place.start(Broken())
    assert process.ends(lambda: process.give(1)) == FAULT
    assert (process.daemon.checkpoints, process.daemon.done) == ([], ["initialize"])


def test_records_are_processed_as_work_that_owes_signs_of_life(place: Place) -> None:
    me = threading.get_ident()
    at_work: list[bool] = []

    class Looking(FakeHandler):
        def process(self, records: Sequence[Record]) -> None:
            at_work.append(me in pulse._signs)

    place.start(Looking()).give(1)
    assert at_work == [True]
    assert me not in pulse._signs


def test_once_the_process_stops_nothing_is_begun_and_the_daemon_hears_that_it_is_done(place: Place) -> None:
    """It asks for the end between two calls only; the records come again, since nothing is checkpointed."""
    handler = FakeHandler()
    process = place.start(handler)
    process.consumer.stopping.set()
    process.give(1, 2)
    assert handler.given == []
    assert (process.daemon.checkpoints, process.daemon.done[1:]) == ([], ["processRecords"])


def test_stopping_while_a_service_is_waited_for_reports_done_without_a_checkpoint(place: Place) -> None:
    handler = FakeHandler()
    process = place.start(handler)

    handler.script = Stopping(process)
    process.give(1)
    assert (process.daemon.checkpoints, process.daemon.done[1:]) == ([], ["processRecords"])


# ── Checkpoints ───────────────────────────────────────────────────────────────────────────────────────────


def test_only_what_is_durable_is_checkpointed(place: Place) -> None:
    handler = FakeHandler()
    handler.durable = lambda: 2 if handler.accepted else None  # type: ignore[method-assign]
    process = place.start(handler)
    process.give(1, 2, 3)
    assert process.daemon.checkpoints == ["2"]


def test_while_nothing_is_durable_nothing_is_checkpointed(place: Place) -> None:
    process = place.start(Keeping(settles_at=9))
    process.give(1, 2)
    process.give()
    assert process.daemon.checkpoints == []


def test_what_becomes_durable_later_is_checkpointed_by_a_call_without_records(place: Place) -> None:
    handler = Keeping(settles_at=1)
    process = place.start(handler)
    process.give(1, 2)
    handler.settled = 1
    process.give()
    assert process.daemon.checkpoints == ["2"]


def test_the_same_checkpoint_is_written_once(place: Place) -> None:
    process = place.start()
    process.give(1)
    process.give()
    assert process.daemon.checkpoints == ["1"]


def test_the_checkpoint_it_began_at_is_not_written_again(place: Place) -> None:
    class Resumed(FakeHandler):
        def durable(self) -> int | None:
            return max(7, self.finished or 0)

    process = place.start(Resumed(), checkpoint="7")
    process.give()
    process.give(8)
    assert process.daemon.checkpoints == ["8"]


def test_checkpoints_are_some_time_apart(place: Place) -> None:
    process = place.start(seconds=3600.0)
    for sequence in range(1, 5):
        process.give(sequence)
    assert process.daemon.checkpoints == ["1"]


@pytest.mark.parametrize("refusal", [THROTTLED, LOST_LEASE, "KinesisClientLibDependencyException"])
def test_a_refused_checkpoint_is_written_with_the_next(place: Place, refusal: str) -> None:
    process = place.start()
    process.daemon.answers.add(refusal)
    process.give(1)
    process.give()
    assert process.daemon.checkpoints == ["1", "1"]
    assert process.daemon.done[1:] == ["processRecords"] * 2


@pytest.mark.parametrize("answer", [OUT_OF_STEP, line(action="leaseLost")])
def test_a_daemon_that_is_out_of_step_ends_the_process(place: Place, answer: str) -> None:
    """Also where it answers a checkpoint with something else."""
    process = place.start()
    process.daemon.answers.add(answer)
    assert process.ends(lambda: process.give(1)) == FAULT
    assert process.daemon.done == ["initialize"]


def test_a_daemon_that_is_gone_ends_the_process(place: Place) -> None:
    process = place.start()
    process.daemon.answers.add("{")
    assert process.ends(lambda: process.give(1)) == FAULT


# ── Ends ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_shards_end_waits_until_everything_is_durable_and_is_checkpointed_without_a_number(
    place: Place,
) -> None:
    handler = Keeping(settles_at=3)
    process = place.start(handler)
    process.give(1, 2)
    at_checkpoint: list[int | None] = []
    process.daemon.at_checkpoint = lambda: at_checkpoint.append(handler.durable())
    process.tell("shardEnded")
    assert (process.daemon.checkpoints, at_checkpoint) == ([None], [2])
    assert process.daemon.done[-1] == "shardEnded"


def test_a_shards_end_that_is_not_durable_when_the_process_stops_is_not_reported(place: Place) -> None:
    """Else the children would begin before the last records of their parent."""
    process = place.start(Keeping(settles_at=9))
    process.give(1)
    process.consumer.stopping.set()
    assert process.ends(lambda: process.tell("shardEnded")) == 0
    assert (process.daemon.checkpoints, process.daemon.done[-1]) == ([], "processRecords")


def test_a_shards_end_whose_checkpoint_is_refused_is_checkpointed_again(place: Place) -> None:
    process = place.start()
    process.daemon.answers.add(THROTTLED, THROTTLED)
    process.tell("shardEnded")
    assert process.daemon.checkpoints == [None] * 3
    assert process.daemon.done[-1] == "shardEnded"


def test_a_shards_end_that_cannot_be_checkpointed_ends_the_process(place: Place) -> None:
    process = place.start()
    process.daemon.answers.add(*[THROTTLED] * 20)
    assert process.ends(lambda: process.tell("shardEnded")) == FAULT
    assert process.daemon.done == ["initialize"]


def test_a_shards_end_that_is_not_checkpointed_when_the_process_stops_is_not_reported(place: Place) -> None:
    process = place.start()
    process.daemon.answers.add(THROTTLED)
    process.daemon.at_checkpoint = process.consumer.stopping.set
    process.ends(lambda: process.tell("shardEnded"))
    assert process.daemon.done == ["initialize"]


def test_a_requested_shutdown_drains_and_then_checkpoints(place: Place) -> None:
    class Draining(Keeping):
        def drain(self, deadline: float) -> None:
            super().drain(deadline)
            self.settled = self.settles_at

    handler = Draining(settles_at=9)
    process = place.start(handler, seconds=3600.0)
    process.give(1, 2)
    process.tell("shutdownRequested")
    assert process.daemon.checkpoints == ["2"]
    assert process.daemon.done[-1] == "shutdownRequested"


def test_a_requested_shutdown_is_checkpointed_whenever_the_last_one_was(place: Place) -> None:
    process = place.start(seconds=3600.0)
    process.give(1)
    process.give(2)
    process.tell("shutdownRequested")
    assert process.daemon.checkpoints == ["1", "2"]


def test_what_a_shutdown_leaves_unfinished_is_not_checkpointed(place: Place) -> None:
    process = place.start(Keeping(settles_at=9))
    process.give(1)
    process.tell("shutdownRequested")
    assert process.daemon.checkpoints == []


def test_a_shutdown_whose_checkpoint_is_refused_ends_in_order(place: Place) -> None:
    process = place.start(Keeping(), seconds=3600.0)
    process.give(1)
    process.give(2)
    process.daemon.answers.add(THROTTLED)
    process.tell("shutdownRequested")
    assert process.daemon.done[-1] == "shutdownRequested"


def test_a_lost_lease_is_never_checkpointed(place: Place) -> None:
    process = place.start(seconds=3600.0)
    process.give(1)
    process.give(2)
    process.tell("leaseLost")
    assert process.daemon.checkpoints == ["1"]
    assert process.daemon.done[-1] == "leaseLost"


@pytest.mark.parametrize("end", ["shutdownRequested", "leaseLost", "shardEnded"])
def test_every_end_drains_and_leaves_neither_a_note_nor_a_sign_of_life(place: Place, end: str) -> None:
    handler = FakeHandler()
    process = place.start(handler)
    process.give(1)
    process.tell(end)
    assert handler.drained
    assert process.consumer.stopping.is_set()
    assert place.notes.read(NAME, SHARD) == Note()
    assert list(place.health.iterdir()) == []


@pytest.mark.parametrize("end", ["shutdownRequested", "leaseLost", "shardEnded"])
def test_an_end_before_the_first_records_writes_no_note(place: Place, end: str) -> None:
    place.start().tell(end)
    assert place.notes.writes == 0


@pytest.mark.parametrize("end", ["shutdownRequested", "leaseLost", "shardEnded"])
def test_a_note_that_cannot_be_laid_down_does_not_end_the_daemon(place: Place, end: str) -> None:
    class Failing(MemoryNotes):
        def change(self, consumer: str, shard: str, note: Note, owner: str) -> bool:
            raise DOWN

    place.notes = Failing()
    process = place.start()
    process.give(1)
    process.tell(end)
    assert process.daemon.done[-1] == end


# ── A record that kills ───────────────────────────────────────────────────────────────────────────────────


def lives(place: Place, times: int, *deadly: int) -> Deadly:
    """The handler of the last of so many processes, each of which ended over records 1, 2 and 3."""
    handler = Deadly()
    for _ in range(times):
        handler = Deadly(*deadly)
        process = place.start(handler)
        assert process.ends(lambda process=process: process.give(1, 2, 3)) == FAULT  # type: ignore[misc]
    return handler


def test_two_starts_process_batches_and_the_third_one_record_at_a_time(place: Place) -> None:
    assert lives(place, 2, 3).batches == [[1, 2, 3]]
    assert lives(place, 1, 3).batches == [[1], [2], [3]]


def test_in_a_third_start_each_record_is_noted_before_it_is_processed(place: Place) -> None:
    lives(place, 3, 2)
    note = place.notes.read(NAME, SHARD)
    assert note
    assert (note.starts, note.record) == (3, 2)


def test_a_record_that_kills_is_parked_in_the_sixth_start(place: Place) -> None:
    lives(place, 5, 1)
    handler = Deadly(1)
    process = place.start(handler)
    process.give(1, 2, 3)
    assert [(sequence, attempts) for sequence, _, attempts in place.parking.parked] == [(1, ATTEMPTS)]
    assert handler.accepted == [2, 3]
    assert process.daemon.checkpoints == ["1", "3"]


def test_a_process_that_still_lives_accuses_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease moved while it had a record in hand; it lays it down while its successor looks."""

    class Living(MemoryNotes):
        looks = 0

        def read(self, consumer: str, shard: str) -> Note | None:
            self.looks += 1
            return super().read(consumer, shard) if self.looks < 5 else Note()

    lives(place, 5, 1)
    monkeypatch.setattr("consumers.in_hand.STILL_SECONDS", 1e6)
    living, handler = Living(), Deadly()
    living.known, place.notes = place.notes.known, living
    place.start(handler).give(1, 2, 3)
    assert (living.looks, place.parking.parked, handler.batches) == (5, [], [[1, 2, 3]])


@pytest.mark.parametrize("deadly", [2, 3])
def test_a_record_that_kills_is_parked_wherever_it_lies(place: Place, deadly: int) -> None:
    lives(place, 5, deadly)
    process = place.start(Deadly(deadly))
    process.give(1, 2, 3)
    assert [sequence for sequence, _, _ in place.parking.parked] == [deadly]


def test_a_parked_record_that_killed_is_checkpointed_before_the_next_is_given(place: Place) -> None:
    """The next may kill as well: the one that was parked must not come again."""
    lives(place, 5, 1)
    process = place.start(Deadly(1, 2))
    process.ends(lambda: process.give(1, 2, 3))
    assert process.daemon.checkpoints == ["1"]


def test_a_third_start_that_gets_through_lays_the_note_down_and_goes_on_in_batches(place: Place) -> None:
    lives(place, 2, 2)
    handler = Deadly()
    process = place.start(handler, seconds=3600.0)
    process.give(1, 2, 3)
    process.give(4, 5)
    assert handler.batches == [[1], [2], [3], [4, 5]]
    assert place.notes.read(NAME, SHARD) == Note()
    assert process.daemon.checkpoints == ["3"]
    assert place.parking.parked == []


def test_a_third_start_waits_for_records_to_look_at(place: Place) -> None:
    lives(place, 2, 2)
    handler = Deadly()
    process = place.start(handler)
    process.give()
    process.give(1, 2)
    assert handler.batches == [[], [1], [2]]


def test_each_record_of_a_third_start_has_time_to_finish(place: Place) -> None:
    lives(place, 2, 2)
    handler = Keeping()
    place.start(handler).give(1, 2, 3)
    assert handler.settled == 3


def test_a_start_from_another_checkpoint_processes_batches(place: Place) -> None:
    lives(place, 2, 2)
    handler = Deadly()
    place.start(handler, checkpoint="1").give(2, 3)
    assert handler.batches == [[2, 3]]


def test_a_record_that_killed_is_parked_also_by_a_start_from_nearer_to_it(place: Place) -> None:
    lives(place, 5, 2)
    handler = Deadly(2)
    place.start(handler, checkpoint="1").give(2, 3)
    assert [sequence for sequence, _, _ in place.parking.parked] == [2]
    assert handler.batches == [[3]]


def test_the_checkpoint_of_a_third_start_is_written_whenever_the_last_one_was(place: Place) -> None:
    lives(place, 5, 1)
    process = place.start(Deadly(1), seconds=3600.0)
    process.give(1, 2, 3)
    assert process.daemon.checkpoints == ["1", "3"]


def test_a_record_that_kills_in_the_second_batch_is_found_while_nothing_is_durable(place: Place) -> None:
    class Late(Deadly):
        def durable(self) -> int | None:
            return None

    for _ in range(5):
        process = place.start(Late(3))
        process.give(1, 2)
        process.ends(lambda process=process: process.give(3, 4))  # type: ignore[misc]
    process = place.start(Late(3))
    process.give(1, 2)
    process.give(3, 4)
    assert [sequence for sequence, _, _ in place.parking.parked] == [3]


def test_processes_that_ended_in_order_accuse_nobody(place: Place) -> None:
    for _ in range(5):
        process = place.start(Keeping(settles_at=9))
        process.give(1, 2)
        process.tell("shutdownRequested")
    handler = Deadly()
    place.start(handler).give(1, 2)
    assert handler.batches == [[1, 2]]


def test_a_record_in_hand_while_the_process_stops_is_laid_down(place: Place) -> None:
    lives(place, 2, 2)
    handler = FakeHandler()
    process = place.start(handler)

    handler.script = Stopping(process)
    process.give(1, 2)
    in_hand = place.notes.read(NAME, SHARD)
    assert in_hand
    process.tell("shutdownRequested")
    assert (in_hand.record, place.notes.read(NAME, SHARD)) == (1, Note())


def test_one_record_after_the_other_gives_signs_of_life(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(place, 2, 2)
    ticks, me, signs = count(1.0), threading.get_ident(), list[float]()
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))

    class Looking(FakeHandler):
        def process(self, records: Sequence[Record]) -> None:
            signs.append(pulse._signs[me])

    place.start(Looking()).give(1, 2, 3)
    assert len(set(signs)) == 3


# ── Signs of life ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_health_file_is_there_from_the_beginning(place: Place) -> None:
    place.start()
    assert (place.health / SHARD).read_text() == ""


def test_the_health_file_holds_the_last_given_number_durable_or_not(place: Place) -> None:
    process = place.start(Keeping(settles_at=9))
    process.give(1, 2)
    process.give()
    assert (place.health / SHARD).read_text() == "2"


def test_while_a_call_goes_on_another_thread_can_tell_that_it_lives(place: Place) -> None:
    told: list[str] = []

    class Long(FakeHandler):
        def process(self, records: Sequence[Record]) -> None:
            (place.health / SHARD).unlink()
            other = threading.Thread(target=process.processor.alive)
            other.start()
            other.join(TIMEOUT)
            told.append((place.health / SHARD).read_text())

    process = place.start(Long())
    process.give(1)
    assert told == [""]


def test_while_a_handler_is_being_made_the_pulse_can_ask_for_a_sign_of_life(place: Place) -> None:
    """Its thread looks every second while initialize is at work, and that may wait for services."""
    failed: list[Exception] = []

    def make(*_: Any) -> Handler:
        try:
            process.processor.alive()
        except AttributeError as error:
            failed.append(error)
        return FakeHandler()

    process = place.start(make=make, begin=False)
    process.initialize()
    assert failed == []


@pytest.mark.parametrize("end", ["leaseLost", "shardEnded"])
def test_after_the_end_no_sign_of_life_is_given(place: Place, end: str) -> None:
    """The pulse's thread may ask until this process is gone."""
    process = place.start()
    process.tell(end)
    process.processor.alive()
    assert list(place.health.iterdir()) == []


def test_a_process_that_stopped_is_told_from_one_that_failed(place: Place) -> None:
    handler = FakeHandler()
    handler.script.add(Stopped())
    process = place.start(handler)
    process.give(1)
    assert (place.code, process.daemon.checkpoints) == (None, [])
