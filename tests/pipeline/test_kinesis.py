"""What Kinesis does that a test can't wait for, by a client that follows a script."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from infra.embedded import EmbeddedAws
from infra.embedded.kinesis_iterators import LIFETIME
from pipeline.errors import Misconfigured, Unavailable
from pipeline.kinesis import KinesisLog
from pipeline.log import Shard, TimedLog
from tests.builders import SHARD, envelopes, place, wire

STREAM = "log"
LARGE = 49680511073380382946848553188939313722915917137012850690
ARRIVAL = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
Answer = Mapping[str, Any] | Exception


class Script:
    """A client whose operations give the answers they were given, in turn, and note what was asked."""

    def __init__(self, **answers: Sequence[Answer]) -> None:
        self._answers: dict[str, Sequence[Answer]] = {
            "get_shard_iterator": [{"ShardIterator": "fresh"}] * 9
        } | answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**asked: Any) -> Any:
            self.asked.append((operation, asked))
            answer, *self._answers[operation] = self._answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def asked_of(self, operation: str) -> list[dict[str, Any]]:
        return [asked for name, asked in self.asked if name == operation]


def kinesis(client: Any) -> KinesisLog:
    return KinesisLog(client, STREAM)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said so"}}, "Operation")


def raw(sequence: int = LARGE) -> dict[str, Any]:
    return {
        "SequenceNumber": str(sequence),
        "Data": b"data",
        "PartitionKey": "key",
        "ApproximateArrivalTimestamp": ARRIVAL,
    }


def records(*sequences: int, after: str | None = "next", behind: int = 0) -> dict[str, Any]:
    answer = {"Records": [raw(sequence) for sequence in sequences], "MillisBehindLatest": behind}
    return answer | ({"NextShardIterator": after} if after else {})


EXPIRED = refused("ExpiredIteratorException")
TAKEN, THROTTLED = (
    {"SequenceNumber": "1", "ShardId": SHARD},
    {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"},
)


# ── Appending ─────────────────────────────────────────────────────────────────────────────────────────────


def test_records_that_failed_in_part_are_put_again_and_no_others() -> None:
    given = envelopes(3)
    answers: list[Answer] = [{"Records": [TAKEN, THROTTLED, TAKEN]}, {"Records": [TAKEN]}]
    client = Script(put_records=answers)
    kinesis(client).append(given)
    put = [[each["Data"] for each in asked["Records"]] for asked in client.asked_of("put_records")]
    assert put == [list(map(wire, given)), [wire(given[1])]]


def test_appending_nothing_asks_nothing() -> None:
    client = Script()
    kinesis(client).append([])
    assert client.asked == []


# ── Shards ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stream_is_not_named_beside_the_token_of_a_further_page() -> None:
    pages: list[Answer] = [{"Shards": [{"ShardId": "a"}], "NextToken": "t"}, {"Shards": [{"ShardId": "b"}]}]
    client = Script(list_shards=pages)
    assert [shard.id for shard in kinesis(client).shards()] == ["a", "b"]
    assert client.asked_of("list_shards") == [{"StreamName": STREAM}, {"NextToken": "t"}]


def test_a_merged_shard_has_two_parents() -> None:
    merged = {"ShardId": "c", "ParentShardId": "a", "AdjacentParentShardId": "b"}
    client = Script(list_shards=[{"Shards": [merged]}])
    assert kinesis(client).shards() == [Shard("c", ("a", "b"))]


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_keeps_its_iterator() -> None:
    client = Script(get_records=[records(LARGE), records()])
    reader = kinesis(client).reader(SHARD, None)
    reader.read(), reader.read()
    assert [asked["ShardIterator"] for asked in client.asked_of("get_records")] == ["fresh", "next"]


def test_an_expired_iterator_is_renewed_behind_the_last_record() -> None:
    client = Script(get_records=[records(LARGE), EXPIRED, records(LARGE + 9)])
    reader = kinesis(client).reader(SHARD, None)
    reader.read()
    assert [record.sequence for record in reader.read().records] == [LARGE + 9]
    assert client.asked_of("get_shard_iterator")[-1] == {
        "StreamName": STREAM,
        "ShardId": SHARD,
        "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
        "StartingSequenceNumber": str(LARGE),
    }


def test_an_iterator_that_expired_before_any_record_begins_at_the_oldest_again() -> None:
    client = Script(get_records=[records(), EXPIRED, records(LARGE)])
    reader = kinesis(client).reader(SHARD, None)
    reader.read(), reader.read()
    assert client.asked_of("get_shard_iterator")[-1]["ShardIteratorType"] == "TRIM_HORIZON"


def test_an_iterator_of_a_moment_that_expired_before_any_record_begins_there_again() -> None:
    client = Script(get_records=[records(), EXPIRED, records(LARGE), EXPIRED, records()])
    reader = kinesis(client).reader_since(SHARD, ARRIVAL)
    reader.read(), reader.read(), reader.read()
    asked = client.asked_of("get_shard_iterator")
    assert [each.get("Timestamp") for each in asked] == [ARRIVAL, ARRIVAL, None]
    assert asked[-1]["StartingSequenceNumber"] == str(LARGE)


def test_an_iterator_that_expires_at_once_is_a_reason_to_wait() -> None:
    with pytest.raises(Unavailable):
        kinesis(Script(get_records=[EXPIRED, EXPIRED])).reader(SHARD, None).read()


def test_a_read_that_failed_is_repeated_from_the_same_place() -> None:
    throttled = refused("ProvisionedThroughputExceededException")
    client = Script(get_records=[records(LARGE), throttled, records(LARGE + 9)])
    reader = kinesis(client).reader(SHARD, None)
    reader.read()
    with pytest.raises(Unavailable):
        reader.read()
    assert [record.sequence for record in reader.read().records] == [LARGE + 9]


def test_a_shard_without_a_next_iterator_is_closed() -> None:
    assert kinesis(Script(get_records=[records(LARGE, after=None)])).reader(SHARD, None).read().closed


def test_a_batch_says_how_far_it_is_behind() -> None:
    assert (
        kinesis(Script(get_records=[records(LARGE, behind=250)])).reader(SHARD, None).read().behind_ms == 250
    )


def test_sequence_numbers_are_read_whole() -> None:
    batch = kinesis(Script(get_records=[records(LARGE)])).reader(SHARD, None).read()
    assert batch.records[0].sequence == LARGE


# ── Fetching ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_answer_says_nothing_while_more_lies_ahead() -> None:
    client = Script(get_records=[records(behind=9000), records(LARGE)])
    found = kinesis(client).fetch(place(LARGE))
    assert found
    assert found.sequence == LARGE


def test_an_empty_answer_at_the_end_of_the_shard_is_none() -> None:
    assert kinesis(Script(get_records=[records()])).fetch(place(LARGE)) is None


def test_an_empty_answer_of_a_closed_shard_is_none() -> None:
    assert kinesis(Script(get_records=[records(after=None, behind=5)])).fetch(place(LARGE)) is None


def test_another_record_than_the_wanted_is_none() -> None:
    assert kinesis(Script(get_records=[records(LARGE + 1)])).fetch(place(LARGE)) is None


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidArgumentException"])
def test_a_place_that_has_left_the_retention_is_none(code: str) -> None:
    assert kinesis(Script(get_shard_iterator=[refused(code)])).fetch(place(LARGE)) is None


def test_an_iterator_that_expired_does_not_say_that_the_record_is_gone() -> None:
    with pytest.raises(Unavailable):
        kinesis(Script(get_records=[EXPIRED])).fetch(place(LARGE))


# ── Errors ────────────────────────────────────────────────────────────────────────────────────────────────

OPERATIONS: dict[str, tuple[str, Callable[[TimedLog], object]]] = {
    "append": ("put_records", lambda log: log.append(envelopes(1))),
    "shards": ("list_shards", lambda log: log.shards()),
    "read": ("get_records", lambda log: log.reader(SHARD, None).read()),
    "fetch": ("get_records", lambda log: log.fetch(place(LARGE))),
    "read's iterator": ("get_shard_iterator", lambda log: log.reader(SHARD, None).read()),
    "iterator since a moment": ("get_shard_iterator", lambda log: log.reader_since(SHARD, ARRIVAL).read()),
    "fetch's iterator": ("get_shard_iterator", lambda log: log.fetch(place(LARGE))),
}


NOWHERE = "http://127.0.0.1"
FAULTS: dict[str, tuple[Exception, type[Exception]]] = {
    "throughput exceeded": (refused("ProvisionedThroughputExceededException"), Unavailable),
    "key service throttles": (refused("KMSThrottlingException"), Unavailable),
    "internal failure": (refused("InternalFailure"), Unavailable),
    "an error nobody knows": (refused("BrandNewException"), Unavailable),
    "no connection": (EndpointConnectionError(endpoint_url=NOWHERE), Unavailable),
    "no answer": (ReadTimeoutError(endpoint_url=NOWHERE), Unavailable),
    "no right": (refused("AccessDeniedException"), Misconfigured),
    "no right to the key": (refused("KMSAccessDeniedException"), Misconfigured),
    "no credentials": (NoCredentialsError(), Misconfigured),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_errors_of_the_service_are_translated(operation: str, fault: str) -> None:
    (called, act), (error, translation) = OPERATIONS[operation], FAULTS[fault]
    with pytest.raises(translation) as raised:
        act(kinesis(Script(**{called: [error]})))
    assert type(raised.value) is translation


@pytest.mark.parametrize("operation", ["append", "shards", "read"])
def test_a_stream_that_is_not_there_is_an_operators_business(operation: str) -> None:
    called, act = OPERATIONS[operation]
    with pytest.raises(Misconfigured):
        act(kinesis(Script(**{called: [refused("ResourceNotFoundException")]})))


# ── In the embedded AWS ───────────────────────────────────────────────────────────────────────────────────


def test_a_reader_outlives_its_iterators_on_kinesis(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time()
    monkeypatch.setattr("infra.embedded.kinesis_iterators.time", lambda: clock)
    with EmbeddedAws() as aws:
        client = aws.client("kinesis")
        client.create_stream(StreamName=STREAM, ShardCount=1)
        log = kinesis(client)
        reader = log.reader(SHARD, None)
        log.append(envelopes(1))
        reader.read()
        clock += LIFETIME + 1
        log.append(envelopes(2)[1:])
        assert [record.data for record in reader.read().records] == [wire(envelopes(2)[1])]


def test_sequence_numbers_exceed_what_a_dynamodb_number_holds() -> None:
    with EmbeddedAws() as aws:
        client = aws.client("kinesis")
        client.create_stream(StreamName=STREAM, ShardCount=1)
        log = kinesis(client)
        log.append(envelopes(1))
        (record,) = log.reader(SHARD, None).read().records
        assert 38 < len(str(record.sequence)) <= 60
