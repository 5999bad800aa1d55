"""Reading a queue without consuming it, and redriving: the log first, then the queue."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from consumers import dlq
from consumers.dead_letters import Dead, Queue
from consumers.dlq import (
    KEPT,
    NOT_DELETED,
    REDRIVEN,
    WOULD,
    DeadLetters,
    Look,
    Result,
    redrive,
    would_redrive,
)
from consumers.parking import LETTER_BYTES, Letter
from consumers.sqs import ParkedQueue
from pipeline.appending import Entry
from pipeline.errors import Unavailable, Unprocessable
from pipeline.log import RawLog
from pipeline.memory import Crash, Faults, MemoryLog
from tests.builders import record
from tests.consumers.conftest import Deployed

SHARD = "shardId-000000000000"


class Place:
    """A queue of parked letters of its own."""

    def __init__(self, sqs: Any) -> None:
        self.sqs = sqs
        self.url = sqs.create_queue(QueueName=f"parked-{uuid.uuid4()}")["QueueUrl"]
        self.told: list[Result] = []

    def letters(self, sqs: Any = None) -> DeadLetters:
        return DeadLetters(sqs or self.sqs, Queue.parked, self.url)

    def park(self, *contents: bytes) -> None:
        queue = ParkedQueue(self.sqs, self.url)
        for content in contents:
            queue.put(Letter("projector", record(content), "why", 3))

    def counts(self) -> tuple[int, int]:
        tally = self.letters().tally()
        return tally.waiting, tally.in_flight

    def redriven(self, log: RawLog, sqs: Any = None) -> list[Result]:
        with self.letters(sqs).look() as look:
            for group in redrive(look, log, look.batches()):
                self.told += group
        return self.told


class Client:
    """The queue's client, with some of its calls replaced."""

    def __init__(self, client: Any, **calls: Any) -> None:
        self._client, self._calls = client, calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)


class Particular(MemoryLog):
    """Takes no bad entry, nor any that comes with one."""

    def append_entries(self, entries: Sequence[Entry]) -> None:
        if any(b"bad" in entry.data for entry in entries):
            raise Unprocessable("Kinesis: ValidationException: bad")
        super().append_entries(entries)


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded AWS has one server."""
    monkeypatch.setattr(dlq, "POLL_SECONDS", 0)


@pytest.fixture
def place(deployed: Deployed) -> Place:
    return Place(deployed.client("sqs"))


def data(log: RawLog) -> list[bytes]:
    return [each.data for each in log.reader(SHARD, None).read().records]


def numbered(count: int) -> list[bytes]:
    return [b"record %d" % n for n in range(count)]


def seen(look: Look) -> list[Dead]:
    return [each for batch in look.batches() for each in batch]


def content(each: Dead) -> bytes:
    assert each.entry
    return each.entry.data


# ── Looking ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_look_sees_each_message_once(place: Place) -> None:
    place.park(*numbered(25))
    with place.letters().look() as look:
        assert sorted(map(content, seen(look))) == sorted(numbered(25))


def test_what_was_looked_at_can_be_received_at_once(place: Place) -> None:
    place.park(*numbered(25))
    with place.letters().look() as look:
        seen(look)
        assert place.counts() == (0, 25)
    assert place.counts() == (25, 0)


def test_so_it_can_when_the_one_who_looks_dies_of_it(place: Place) -> None:
    place.park(*numbered(3))
    with pytest.raises(Crash):
        _look_and_die(place)
    assert place.counts() == (3, 0)


def _look_and_die(place: Place) -> None:
    with place.letters().look() as look:
        assert len(seen(look)) == 3
        raise Crash


def test_a_look_may_end_early(place: Place) -> None:
    place.park(*numbered(25))
    with place.letters().look() as look:
        next(look.batches())
    assert place.counts() == (25, 0)


def test_looking_again_and_again_moves_nothing(place: Place) -> None:
    place.park(*numbered(2))
    for _ in range(5):
        with place.letters().look() as look:
            assert len(seen(look)) == 2


def test_a_look_ends_where_messages_come_out_of_hiding_and_sees_each_once(place: Place) -> None:
    def hides_nothing(**asked: Any) -> Any:
        return place.sqs.receive_message(**asked | {"VisibilityTimeout": 0})

    place.park(*numbered(8))
    with place.letters(Client(place.sqs, receive_message=hides_nothing)).look() as look:
        assert sorted(map(content, seen(look))) == sorted(numbered(8))


def test_messages_that_come_out_of_hiding_keep_no_others_from_being_seen(place: Place) -> None:
    hidden = iter([0, 60, 60, 60])

    def hides_some(**asked: Any) -> Any:
        return place.sqs.receive_message(**asked | {"VisibilityTimeout": next(hidden)})

    place.park(*numbered(15))
    with place.letters(Client(place.sqs, receive_message=hides_some)).look() as look:
        assert sorted(map(content, seen(look))) == sorted(numbered(15))


def test_a_message_that_can_not_be_shown_again_ends_nothing(place: Place) -> None:
    def down(**_: Any) -> None:
        raise Unavailable("SQS is down")

    place.park(*numbered(1))
    with place.letters(Client(place.sqs, change_message_visibility_batch=down)).look() as look:
        assert len(seen(look)) == 1


def test_what_comes_during_a_look_is_counted_and_left(place: Place) -> None:
    place.park(*numbered(2))
    letters = place.letters()
    with Look(place.sqs, letters, letters.tally()._replace(until="2020-01-01T00:00:00.000Z")) as look:
        assert seen(look) == []
        assert look.came_later == 2
    assert place.counts() == (2, 0)


def test_a_message_knows_when_it_was_sent_and_what_was_said_of_it(place: Place) -> None:
    told = {
        "ERROR_CODE": {"DataType": "String", "StringValue": "X"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    place.sqs.send_message(QueueUrl=place.url, MessageBody="{}", MessageAttributes=told)
    with place.letters().look() as look:
        (found,) = seen(look)
        assert found.message.attributes == {"ERROR_CODE": "X"}
        assert "2026" <= found.message.sent < look.tally.until


def test_a_tally_knows_where_the_queue_is(place: Place) -> None:
    assert place.letters().tally().origin == ("123456789012", "us-east-1")


# ── Redriving ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_redriven_is_in_the_log_as_it_was_and_no_longer_in_the_queue(place: Place) -> None:
    log = MemoryLog()
    place.park(*numbered(25))
    assert [each.outcome for each in place.redriven(log)] == [REDRIVEN] * 25
    assert sorted(data(log)) == sorted(numbered(25))
    assert {each.partition_key for each in log.reader(SHARD, None).read().records} == {"key"}
    assert place.counts() == (0, 0)


def test_a_crash_before_the_message_is_deleted_repeats_the_record_and_loses_none(place: Place) -> None:
    log = MemoryLog(faults=Faults(crash_after_append=1))
    place.park(b"one")
    with pytest.raises(Crash):
        place.redriven(log)
    assert place.counts() == (1, 0)
    again = MemoryLog()
    place.redriven(again)
    assert data(log) == data(again) == [b"one"]
    assert place.counts() == (0, 0)


def test_the_queue_has_the_message_until_the_log_has_the_record(place: Place) -> None:
    log = MemoryLog()

    def dies(**_: Any) -> None:
        assert data(log) == [b"one"]
        raise Crash

    place.park(b"one")
    with pytest.raises(Crash):
        place.redriven(log, Client(place.sqs, delete_message_batch=dies))
    assert place.counts() == (1, 0)


def test_a_log_that_is_down_keeps_every_message_and_says_why(place: Place) -> None:
    place.park(*numbered(12))
    with pytest.raises(Unavailable, match="refuses"):
        place.redriven(MemoryLog(faults=Faults(unavailable=1)))
    why = "the log refuses at the moment"
    assert [(each.outcome, each.reason) for each in place.told] == [(KEPT, why)] * 10
    assert place.counts() == (12, 0)


def test_a_record_that_the_log_never_takes_is_kept_and_holds_up_no_other(place: Place) -> None:
    log = Particular()
    place.park(b"one", b"bad", b"two")
    outcomes = {content(each.dead): (each.outcome, each.reason) for each in place.redriven(log)}
    assert outcomes == {
        b"one": (REDRIVEN, ""),
        b"bad": (KEPT, "Kinesis: ValidationException: bad"),
        b"two": (REDRIVEN, ""),
    }
    assert sorted(data(log)) == [b"one", b"two"]
    assert place.counts() == (1, 0)


def test_a_message_that_sqs_does_not_delete_is_told_of(place: Place) -> None:
    def refuses(QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803
        answer = place.sqs.delete_message_batch(QueueUrl=QueueUrl, Entries=Entries[1:])
        return answer | {"Failed": [{"Id": Entries[0]["Id"], "Code": "InternalError", "SenderFault": False}]}

    place.park(b"one", b"two")
    results = place.redriven(MemoryLog(), Client(place.sqs, delete_message_batch=refuses))
    assert sorted(each.outcome for each in results) == [REDRIVEN, NOT_DELETED]
    assert place.counts() == (1, 0)


def test_a_queue_that_is_down_when_it_should_delete_is_told_of_and_ends_it(place: Place) -> None:
    def down(**_: Any) -> None:
        raise Unavailable("SQS is down")

    log = MemoryLog()
    place.park(*numbered(12))
    with pytest.raises(Unavailable, match="SQS is down"):
        place.redriven(log, Client(place.sqs, delete_message_batch=down))
    assert [each.outcome for each in place.told] == [NOT_DELETED] * 10
    assert "SQS is down" in place.told[0].reason
    assert len(data(log)) == 10
    assert place.counts() == (12, 0)


def test_a_record_too_large_for_its_letter_comes_from_its_place(place: Place) -> None:
    log = MemoryLog()
    large = log.append_bytes(b"x" * LETTER_BYTES, "order-42")
    ParkedQueue(place.sqs, place.url).put(Letter("projector", large, "why", 3))
    assert [each.outcome for each in place.redriven(log)] == [REDRIVEN]
    records = log.reader(SHARD, None).read().records
    assert [(each.data, each.partition_key) for each in records] == [(large.data, "order-42")] * 2


def test_a_record_that_has_left_the_log_is_kept(place: Place) -> None:
    place.park(b"x" * LETTER_BYTES, b"small")
    results = {each.outcome: each.reason for each in place.redriven(MemoryLog())}
    assert "has left the log" in results[KEPT]
    assert results[REDRIVEN] == ""
    assert place.counts() == (1, 0)


def test_a_log_that_can_not_be_read_keeps_the_letters_without_their_records(place: Place) -> None:
    class Unread(MemoryLog):
        def fetch(self, place: object) -> None:
            raise Unavailable("no reading now")

    place.park(b"x" * LETTER_BYTES)
    assert [(each.outcome, each.reason) for each in place.redriven(Unread())] == [(KEPT, "no reading now")]


def test_asking_what_would_be_redriven_changes_nothing(place: Place) -> None:
    log = MemoryLog()
    place.park(b"one", b"x" * LETTER_BYTES)
    with place.letters().look() as look:
        results = [each for group in would_redrive(log, look.batches()) for each in group]
    assert sorted(each.outcome for each in results) == [KEPT, WOULD]
    assert data(log) == []
    assert place.counts() == (2, 0)
