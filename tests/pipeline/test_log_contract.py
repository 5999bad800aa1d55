"""What every log promises, on each backend: in memory, and Kinesis in the embedded AWS."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Protocol

import pytest

from infra.embedded import EmbeddedAws
from pipeline.appending import Entry
from pipeline.envelope import Envelope
from pipeline.kinesis import KinesisLog
from pipeline.log import Log, RawLog, Reader, Record, TimedLog
from pipeline.memory import MemoryLog
from tests.builders import envelope, envelopes, place, wire

SHARDS = 3
STREAM = "log"


class Backend(Protocol):
    """A log, and what only its owner can do to it."""

    @property
    def log(self) -> TimedLog: ...

    @property
    def raw(self) -> RawLog: ...

    def split(self, shard: str) -> None: ...

    def put_bytes(self, data: bytes) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.log = self.raw = MemoryLog(SHARDS)

    def split(self, shard: str) -> None:
        self.log.split(shard)

    def put_bytes(self, data: bytes) -> None:
        self.log.append_bytes(data, "key")


class OnKinesis:
    def __init__(self, aws: EmbeddedAws) -> None:
        self._client = aws.client("kinesis")
        self._client.create_stream(StreamName=STREAM, ShardCount=SHARDS)
        self.log = self.raw = KinesisLog(self._client, STREAM)

    def split(self, shard: str) -> None:
        found = self._client.list_shards(StreamName=STREAM)["Shards"]
        keys = next(each["HashKeyRange"] for each in found if each["ShardId"] == shard)
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        self._client.split_shard(StreamName=STREAM, ShardToSplit=shard, NewStartingHashKey=str(middle))

    def put_bytes(self, data: bytes) -> None:
        self._client.put_record(StreamName=STREAM, Data=data, PartitionKey="key")


@pytest.fixture(params=["memory", "kinesis"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "memory":
        yield InMemory()
        return
    with EmbeddedAws() as aws:
        yield OnKinesis(aws)


@pytest.fixture
def log(backend: Backend) -> TimedLog:
    return backend.log


def to_the_end(reader: Reader, limit: int = 1000) -> list[Record]:
    """All that is there now."""
    found: list[Record] = []
    while records := reader.read(limit).records:
        found += records
    return found


def by_shard(log: Log) -> dict[str, list[Record]]:
    return {shard.id: to_the_end(log.reader(shard.id, None)) for shard in log.shards()}


def everything(log: Log) -> list[Record]:
    return [record for records in by_shard(log).values() for record in records]


def of_one_mail(count: int, start: int = 0) -> list[Envelope]:
    """Envelopes that go to one shard."""
    return [envelope(id=f"event-{n}", detail={"emailId": "order-42"}) for n in range(start, start + count)]


def append_one_by_one(log: Log, given: Sequence[Envelope]) -> list[Record]:
    """And the records they became, in the order of the shard that has them all."""
    for each in given:
        log.append([each])
    return max(by_shard(log).values(), key=len)


# ── Appending ─────────────────────────────────────────────────────────────────────────────────────────────


def test_all_that_was_appended_can_be_read(log: Log) -> None:
    given = envelopes(40)
    log.append(given)
    assert sorted(record.data for record in everything(log)) == sorted(map(wire, given))


def test_many_mails_are_spread_over_the_shards(log: Log) -> None:
    log.append(envelopes(200))
    assert all(by_shard(log).values())


def test_what_concerns_one_mail_goes_to_one_shard(log: Log) -> None:
    log.append(of_one_mail(20))
    assert sorted(map(len, by_shard(log).values())) == [0, 0, 20]


def test_more_records_than_one_call_takes_are_appended(log: Log) -> None:
    log.append(envelopes(1201))
    assert len({record.data for record in everything(log)}) == 1201


def test_more_bytes_than_one_call_takes_are_appended(log: Log) -> None:
    given = envelopes(24, size=500_000)
    log.append(given)
    assert {record.data for record in everything(log)} == set(map(wire, given))


def test_appending_nothing_does_nothing(log: Log) -> None:
    log.append([])
    assert everything(log) == []


def test_entries_are_appended_as_they_are_whatever_they_are(backend: Backend) -> None:
    given = [Entry(b"\xff no event \x00", "größe"), Entry(b"{}", "x" * 256), Entry(b"{}", "y")]
    backend.raw.append_entries(given)
    assert sorted((each.data, each.partition_key) for each in everything(backend.log)) == sorted(given)


def test_an_entry_with_the_key_of_an_envelope_goes_to_its_shard(backend: Backend) -> None:
    backend.log.append(of_one_mail(1))
    backend.raw.append_entries([Entry(b"more", "order-42")] * 5)
    assert sorted(map(len, by_shard(backend.log).values())) == [0, 0, 6]


def test_more_entries_than_one_call_takes_are_appended(backend: Backend) -> None:
    backend.raw.append_entries([Entry(str(n).encode(), str(n)) for n in range(1201)])
    assert len({record.data for record in everything(backend.log)}) == 1201


def test_appending_no_entries_does_nothing(backend: Backend) -> None:
    backend.raw.append_entries([])
    assert everything(backend.log) == []


def test_bytes_that_are_no_event_are_read_as_they_are(backend: Backend) -> None:
    backend.put_bytes(b"\xff no event")
    assert [record.data for record in everything(backend.log)] == [b"\xff no event"]


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────


def test_records_of_a_shard_come_in_the_order_they_were_appended(log: Log) -> None:
    given = of_one_mail(30)
    assert [record.data for record in append_one_by_one(log, given)] == list(map(wire, given))


def test_sequence_numbers_increase_in_a_shard(log: Log) -> None:
    numbers = [record.sequence for record in append_one_by_one(log, of_one_mail(30))]
    assert numbers == sorted(set(numbers))


def test_the_text_of_sequence_numbers_has_their_order(log: Log) -> None:
    places = [record.place.sequence for record in append_one_by_one(log, of_one_mail(30))]
    assert places == sorted(set(places))


def test_a_record_knows_its_shard_its_key_and_its_arrival_in_utc(log: Log) -> None:
    log.append(of_one_mail(1))
    shard, (record,) = next((shard, records) for shard, records in by_shard(log).items() if records)
    assert (record.shard, record.partition_key) == (shard, "order-42")
    assert record.arrival.utcoffset() == timedelta(0)


def test_a_reader_goes_on_after_a_sequence_number(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(10))
    assert to_the_end(log.reader(records[0].shard, records[3].sequence)) == records[4:]


def test_a_reader_after_the_last_record_finds_nothing(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(3))
    assert to_the_end(log.reader(records[0].shard, records[-1].sequence)) == []


def test_a_reader_keeps_its_limit(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(10))
    assert len(log.reader(records[0].shard, None).read(limit=4).records) == 4


def test_reading_in_small_portions_gives_each_record_once(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(10))
    assert to_the_end(log.reader(records[0].shard, None), limit=3) == records


def test_a_quiet_shard_reads_empty_and_stays_open(log: Log) -> None:
    batch = log.reader(log.shards()[0].id, None).read()
    assert (list(batch.records), batch.behind_ms, batch.closed) == ([], 0, False)


def test_a_reader_at_the_end_finds_what_comes_later(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(2))
    reader = log.reader(records[0].shard, None)
    to_the_end(reader)
    log.append(of_one_mail(2, start=2))
    assert [record.data for record in to_the_end(reader)] == list(map(wire, of_one_mail(2, start=2)))


def test_readers_do_not_disturb_each_other(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(6))
    one, other = log.reader(records[0].shard, None), log.reader(records[0].shard, None)
    one.read(limit=4)
    assert to_the_end(other) == records


# ── Reading since a moment ────────────────────────────────────────────────────────────────────────────────

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LESS_THAN_A_STEP = timedelta(microseconds=600)  # of the clock that arrivals are told by


def test_a_reader_since_a_moment_begins_with_the_first_that_arrived_then(log: TimedLog) -> None:
    log.append(of_one_mail(3))
    sleep(0.01)
    later = append_one_by_one(log, of_one_mail(3, start=3))[3:]
    reader = log.reader_since(later[0].shard, later[0].arrival - LESS_THAN_A_STEP)
    assert to_the_end(reader, limit=2) == later


def test_a_reader_since_long_ago_begins_with_the_oldest(log: TimedLog) -> None:
    records = append_one_by_one(log, of_one_mail(3))
    assert to_the_end(log.reader_since(records[0].shard, LONG_AGO)) == records


def test_a_reader_since_after_the_last_record_finds_what_comes_later(log: TimedLog) -> None:
    records = append_one_by_one(log, of_one_mail(2))
    reader = log.reader_since(records[0].shard, records[-1].arrival + LESS_THAN_A_STEP)
    assert to_the_end(reader) == []
    sleep(0.01)
    log.append(of_one_mail(1, start=2))
    assert [record.data for record in to_the_end(reader)] == list(map(wire, of_one_mail(1, start=2)))


# ── Fetching ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_is_fetched_by_its_place(log: Log) -> None:
    records = append_one_by_one(log, of_one_mail(5))
    assert [log.fetch(record.place) for record in records] == records


def test_a_place_between_two_records_holds_none(log: Log) -> None:
    first, second = append_one_by_one(log, of_one_mail(2))
    assert second.sequence - first.sequence > 1
    assert log.fetch(place(first.sequence + 1, first.shard)) is None


def test_a_place_behind_the_last_record_holds_none(log: Log) -> None:
    (last,) = append_one_by_one(log, of_one_mail(1))
    assert log.fetch(place(last.sequence + 1, last.shard)) is None


def test_a_place_in_a_shard_that_is_not_there_holds_none(log: Log) -> None:
    assert log.fetch(place(1, "shardId-000000000099")) is None


# ── Splitting ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_open_shard_has_no_parents(log: Log) -> None:
    assert [shard.parents for shard in log.shards()] == [()] * SHARDS


def test_a_split_adds_two_children_that_name_their_parent(backend: Backend) -> None:
    parent = backend.log.shards()[0].id
    backend.split(parent)
    children = [shard for shard in backend.log.shards() if shard.parents == (parent,)]
    assert len(children) == 2
    assert len(backend.log.shards()) == SHARDS + 2


def test_a_split_shard_ends_with_closed_after_its_last_record(backend: Backend) -> None:
    records = append_one_by_one(backend.log, of_one_mail(5))
    backend.split(records[0].shard)
    reader = backend.log.reader(records[0].shard, None)
    found: list[Record] = []
    while not (batch := reader.read(limit=2)).closed:
        assert batch.records
        found += batch.records
    assert [*found, *batch.records] == records


def test_a_closed_shard_that_was_read_to_its_end_stays_closed(backend: Backend) -> None:
    records = append_one_by_one(backend.log, of_one_mail(2))
    backend.split(records[0].shard)
    batch = backend.log.reader(records[0].shard, records[-1].sequence).read()
    assert (list(batch.records), batch.closed) == ([], True)


def test_a_split_shard_is_closed_for_a_reader_since_a_later_moment(backend: Backend) -> None:
    records = append_one_by_one(backend.log, of_one_mail(2))
    backend.split(records[0].shard)
    batch = backend.log.reader_since(records[0].shard, records[-1].arrival + LESS_THAN_A_STEP).read()
    assert (list(batch.records), batch.closed) == ([], True)


def test_an_empty_shard_that_was_split_is_closed_at_once(backend: Backend) -> None:
    parent = backend.log.shards()[0].id
    backend.split(parent)
    assert backend.log.reader(parent, None).read().closed


def test_the_children_of_a_split_begin_empty(backend: Backend) -> None:
    records = append_one_by_one(backend.log, of_one_mail(5))
    backend.split(records[0].shard)
    found = by_shard(backend.log)
    children = [shard.id for shard in backend.log.shards() if shard.parents]
    assert [found[child] for child in children] == [[], []]


def test_what_comes_after_a_split_goes_to_a_child(backend: Backend) -> None:
    records = append_one_by_one(backend.log, of_one_mail(2))
    backend.split(records[0].shard)
    backend.log.append(of_one_mail(2, start=2))
    after = [record for record in everything(backend.log) if record not in records]
    assert {record.shard for record in after}.isdisjoint({records[0].shard})
    assert [record.data for record in after] == list(map(wire, of_one_mail(2, start=2)))


def test_a_closed_shard_keeps_its_records(backend: Backend) -> None:
    records = append_one_by_one(backend.log, of_one_mail(3))
    backend.split(records[0].shard)
    assert [backend.log.fetch(record.place) for record in records] == records
