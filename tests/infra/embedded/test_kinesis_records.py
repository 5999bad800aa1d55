import base64
from datetime import UTC, datetime
from itertools import pairwise
from time import time
from typing import Any

import pytest

from infra.embedded import kinesis_iterators, kinesis_records
from infra.embedded.kinesis_records import ShardLog
from tests.infra.embedded.clients import ClientOf, iterator, read, records, shards, stream, summary

SHARD = "shardId-000000000000"
KIB = 1024
MIB = 1024 * KIB


@pytest.fixture
def log(client: ClientOf) -> str:
    return stream(client)


def put(client: ClientOf, *data: bytes) -> list[str]:
    return [
        client("kinesis").put_record(StreamName="log", PartitionKey="k", Data=each)["SequenceNumber"]
        for each in data
    ]


def test_numbers_have_56_digits_increase_and_are_sparse(client: ClientOf, log: str) -> None:
    numbers = [int(number) for number in put(client, *[b"x"] * 20)]
    assert {len(str(number)) for number in numbers} == {56}
    assert all(after - before > 2**64 for before, after in pairwise(numbers))


def test_a_record_comes_back_as_it_was_put(client: ClientOf, log: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    (number,) = put(client, b"\x00\xff data")
    (record,) = records(client)
    assert (record["Data"], record["PartitionKey"]) == (b"\x00\xff data", "k")
    assert record["SequenceNumber"] == number
    assert before <= record["ApproximateArrivalTimestamp"] <= datetime.now(UTC)


def test_the_shard_begins_before_its_first_record(client: ClientOf, log: str) -> None:
    (number,) = put(client, b"x")
    start = shards(client)[0]["SequenceNumberRange"]
    assert "EndingSequenceNumber" not in start
    assert int(start["StartingSequenceNumber"]) < int(number)
    found = read(client, SHARD, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start["StartingSequenceNumber"])
    assert [record["SequenceNumber"] for record in found["Records"]] == [number]


@pytest.mark.parametrize(
    ("kind", "expected"), [("AT_SEQUENCE_NUMBER", [b"b", b"c"]), ("AFTER_SEQUENCE_NUMBER", [b"c"])]
)
def test_an_iterator_starts_at_or_after_a_number(
    client: ClientOf, log: str, kind: str, expected: Any
) -> None:
    number = put(client, b"a", b"b", b"c")[1]
    found = read(client, SHARD, kind, StartingSequenceNumber=number)
    assert [record["Data"] for record in found["Records"]] == expected


def test_latest_sees_only_what_comes_later(client: ClientOf, log: str) -> None:
    put(client, b"before")
    latest = iterator(client, SHARD, "LATEST")
    put(client, b"after")
    found = client("kinesis").get_records(ShardIterator=latest)["Records"]
    assert [record["Data"] for record in found] == [b"after"]


def test_latest_on_an_empty_shard_sees_the_first_record(client: ClientOf, log: str) -> None:
    latest = iterator(client, SHARD, "LATEST")
    put(client, b"first")
    assert len(client("kinesis").get_records(ShardIterator=latest)["Records"]) == 1


def test_an_iterator_at_a_time_starts_with_the_first_record_of_that_time_or_later(
    client: ClientOf, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 200.0, 200.0, 300.0])
    monkeypatch.setattr(kinesis_records, "time", lambda: next(clock))
    put(client, b"a", b"b", b"c", b"d")
    for moment, expected in [
        (0, b"abcd"),
        (100, b"abcd"),
        (100.5, b"bcd"),
        (200, b"bcd"),
        (300, b"d"),
        (301, b""),
    ]:
        found = read(client, SHARD, "AT_TIMESTAMP", Timestamp=datetime.fromtimestamp(moment, UTC))
        assert b"".join(record["Data"] for record in found["Records"]) == expected


def test_a_clock_that_is_set_back_does_not_disorder_arrivals(
    client: ClientOf, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([200.0, 100.0])
    monkeypatch.setattr(kinesis_records, "time", lambda: next(clock))
    put(client, b"a", b"b")
    assert [record["ApproximateArrivalTimestamp"].timestamp() for record in records(client)] == [200, 200]


def test_reading_goes_on_where_it_stopped(client: ClientOf, log: str) -> None:
    put(client, b"a", b"b", b"c")
    first = client("kinesis").get_records(ShardIterator=iterator(client, SHARD), Limit=2)
    rest = client("kinesis").get_records(ShardIterator=first["NextShardIterator"], Limit=2)
    none = client("kinesis").get_records(ShardIterator=rest["NextShardIterator"])
    found = [[record["Data"] for record in answer["Records"]] for answer in (first, rest, none)]
    assert found == [[b"a", b"b"], [b"c"], []]
    assert none["NextShardIterator"]


def test_how_far_a_reader_is_behind(client: ClientOf, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.25])
    monkeypatch.setattr(kinesis_records, "time", lambda: next(clock))
    put(client, b"a", b"b")
    first = client("kinesis").get_records(ShardIterator=iterator(client, SHARD), Limit=1)
    rest = client("kinesis").get_records(ShardIterator=first["NextShardIterator"])
    assert (first["MillisBehindLatest"], rest["MillisBehindLatest"]) == (250, 0)


def test_one_response_holds_10_mib_at_most(client: ClientOf, log: str) -> None:
    for _ in range(12):
        put(client, b"x" * (MIB - 1))
    first = read(client, SHARD)
    rest = client("kinesis").get_records(ShardIterator=first["NextShardIterator"])
    assert (len(first["Records"]), len(rest["Records"])) == (10, 2)


def test_an_iterator_lasts_five_minutes(client: ClientOf, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = iterator(client, SHARD)
    now = time()
    monkeypatch.setattr(kinesis_iterators, "time", lambda: now + 301)
    with pytest.raises(client("kinesis").exceptions.ClientError, match="ExpiredIteratorException"):
        client("kinesis").get_records(ShardIterator=old)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"ShardId": SHARD, "ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "InvalidArgumentException"),
        ({"ShardId": SHARD, "ShardIteratorType": "NOWHERE"}, "InvalidArgumentException"),
        ({"ShardId": "shardId-000000000009", "ShardIteratorType": "LATEST"}, "ResourceNotFoundException"),
    ],
)
def test_an_iterator_to_nowhere_is_refused(
    client: ClientOf, log: str, request_: dict[str, Any], error: str
) -> None:
    with pytest.raises(client("kinesis").exceptions.ClientError, match=error):
        client("kinesis").get_shard_iterator(StreamName="log", **request_)


def test_what_is_no_iterator_is_refused(client: ClientOf, log: str) -> None:
    with pytest.raises(client("kinesis").exceptions.ClientError, match="InvalidArgumentException"):
        client("kinesis").get_records(ShardIterator="bm9uc2Vuc2U=")


def test_what_is_older_than_the_retention_is_forgotten_in_lots(
    client: ClientOf, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = 24 * 3600.0
    now = [0.0]
    monkeypatch.setattr(kinesis_records, "time", lambda: now[0])
    batch = [{"PartitionKey": "k", "Data": b"x"}] * 500
    for moment in (0.0, 1.0, 1.2, day + 1.5):
        now[0] = moment
        client("kinesis").put_records(StreamName="log", Records=batch)
    assert sum(len(read(client, shard["ShardId"])["Records"]) for shard in shards(client)) == 500


def test_a_request_holds_500_records_and_10_mib(client: ClientOf, log: str) -> None:
    entries = [{"PartitionKey": f"{number:04}", "Data": b"x" * 20_900} for number in range(500)]
    answer = client("kinesis").put_records(StreamName="log", Records=entries)
    assert (answer["FailedRecordCount"], len(answer["Records"])) == (0, 500)
    with pytest.raises(client("kinesis").exceptions.ClientError, match="ValidationException"):
        client("kinesis").put_records(StreamName="log", Records=[*entries, entries[0]])
    large = [{"PartitionKey": "k", "Data": b"x" * (MIB - 1)}] * 10
    client("kinesis").put_records(StreamName="log", Records=large)
    with pytest.raises(client("kinesis").exceptions.ClientError, match="InvalidArgumentException"):
        client("kinesis").put_records(
            StreamName="log", Records=[*large, {"PartitionKey": "k", "Data": b"x" * 10}]
        )


def test_a_refused_request_puts_none_of_its_records(client: ClientOf, log: str) -> None:
    entries = [{"PartitionKey": "k", "Data": b"ok"}, {"PartitionKey": "k", "Data": b"x" * (MIB + 1)}]
    with pytest.raises(client("kinesis").exceptions.ClientError, match="ValidationException"):
        client("kinesis").put_records(StreamName="log", Records=entries)
    assert records(client) == []


@pytest.mark.parametrize("size", [MIB, MIB + 1])
def test_a_record_counts_with_its_key_and_is_a_mebibyte_by_default(
    client: ClientOf, log: str, size: int
) -> None:
    data = b"x" * (size - 1)
    if size == MIB:
        put(client, data)
    else:
        with pytest.raises(client("kinesis").exceptions.ClientError, match="ValidationException"):
            put(client, data)


def test_a_stream_takes_records_as_large_as_it_says(client: ClientOf, log: str) -> None:
    client("kinesis").update_max_record_size(StreamARN=log, MaxRecordSizeInKiB=2048)
    put(client, b"x" * (2 * MIB - 1))
    assert summary(client)["MaxRecordSizeInKiB"] == 2048


def test_a_record_limit_out_of_range_is_refused(client: ClientOf, log: str) -> None:
    with pytest.raises(client("kinesis").exceptions.ClientError, match="InvalidArgumentException"):
        client("kinesis").update_max_record_size(StreamARN=log, MaxRecordSizeInKiB=20_000)


def test_reading_a_long_shard_looks_at_few_records() -> None:
    shard, looks = ShardLog(0, 0, 1), 0
    for _ in range(20_000):
        shard.put_record("k", base64.b64encode(b"x").decode(), None)
    middle = shard._log[10_000].number

    class Counting(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            nonlocal looks
            looks += 1
            return super().__getitem__(index)

    shard._log = Counting(shard._log)
    found, _ = shard.read(middle, 10)
    assert (len(found), looks < 30) == (10, True)
