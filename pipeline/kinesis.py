"""The log on Kinesis Data Streams.

Delivery guarantee: at-least-once; a PutRecords whose answer was lost is repeated. Readers poll
(GetRecords, shared throughput: 5 calls a second and shard).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.appending import Entry, append_all, put_all
from pipeline.aws import error_code, service_errors
from pipeline.envelope import Envelope
from pipeline.log import Batch, Place, Record, Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["KinesisLog"]

_GONE = {"ResourceNotFoundException", "InvalidArgumentException"}


class KinesisLog:
    def __init__(self, client: "KinesisClient", stream: str) -> None:
        self._client, self._stream = client, stream

    def append(self, envelopes: Sequence[Envelope]) -> None:
        if envelopes:
            append_all(self._put, envelopes)

    def append_entries(self, entries: Sequence[Entry]) -> None:
        if entries:
            put_all(self._put, entries)

    def _put(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        asked = [{"Data": entry.data, "PartitionKey": entry.partition_key} for entry in entries]
        with service_errors("Kinesis"):
            answer = self._client.put_records(StreamName=self._stream, Records=asked)  # type: ignore[arg-type]
        return [e for e, told in zip(entries, answer["Records"], strict=True) if told.get("ErrorCode")]

    def shards(self) -> Sequence[Shard]:
        with service_errors("Kinesis"):
            return [_shard(each) for page in self._pages_of_shards() for each in page["Shards"]]

    def _pages_of_shards(self) -> Iterator[Any]:
        """By hand, since Kinesis refuses the SDK's paginator, which names the stream beside the token."""
        page = self._client.list_shards(StreamName=self._stream)
        yield page
        while page.get("NextToken"):
            page = self._client.list_shards(NextToken=page["NextToken"])
            yield page

    def reader(self, shard: str, after: int | None) -> "_KinesisReader":
        return _KinesisReader(self._client, self._stream, shard, _behind(after))

    def reader_since(self, shard: str, moment: datetime) -> "_KinesisReader":
        start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment}
        return _KinesisReader(self._client, self._stream, shard, start)

    def fetch(self, place: Place) -> Record | None:
        wanted = int(place.sequence)
        with service_errors("Kinesis"):
            try:
                found = [_record(place.shard, raw) for raw in self._first_at(place.shard, wanted)]
            except ClientError as error:
                if error_code(error) in _GONE:
                    return None
                raise
        return next((record for record in found if record.sequence == wanted), None)

    def _first_at(self, shard: str, sequence: int) -> Sequence[Any]:
        """The first record from there on; an answer without records says nothing while more lies ahead."""
        iterator: str | None = self._client.get_shard_iterator(
            StreamName=self._stream,
            ShardId=shard,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=str(sequence),
        )["ShardIterator"]
        while iterator:
            answer = self._client.get_records(ShardIterator=iterator, Limit=1)
            if answer["Records"] or not answer.get("MillisBehindLatest"):
                return answer["Records"]
            iterator = answer.get("NextShardIterator")
        return ()


class _KinesisReader:
    """Holds the shard iterator, and asks for a new one behind the last record when it has expired."""

    def __init__(self, client: "KinesisClient", stream: str, shard: str, start: Any) -> None:
        self._client, self._stream, self._shard, self._start = client, stream, shard, start
        self._iterator: str | None = None

    def read(self, limit: int = 1000) -> Batch:
        with service_errors("Kinesis"):
            answer = self._answer(limit)
        records = [_record(self._shard, raw) for raw in answer["Records"]]
        if records:
            self._start = _behind(records[-1].sequence)
        self._iterator = answer.get("NextShardIterator")
        return Batch(records, answer.get("MillisBehindLatest", 0), closed=self._iterator is None)

    def _answer(self, limit: int) -> Any:
        try:
            iterator = self._iterator or self._new_iterator()
            return self._client.get_records(ShardIterator=iterator, Limit=limit)
        except ClientError as error:
            if error_code(error) != "ExpiredIteratorException":
                raise
            return self._client.get_records(ShardIterator=self._new_iterator(), Limit=limit)

    def _new_iterator(self) -> str:
        answer = self._client.get_shard_iterator(StreamName=self._stream, ShardId=self._shard, **self._start)
        return answer["ShardIterator"]


def _behind(after: int | None) -> dict[str, Any]:
    """Where a new iterator is to start."""
    if after is None:
        return {"ShardIteratorType": "TRIM_HORIZON"}
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(after)}


def _shard(raw: Any) -> Shard:
    parents = (raw.get("ParentShardId"), raw.get("AdjacentParentShardId"))
    return Shard(raw["ShardId"], tuple(parent for parent in parents if parent))


def _record(shard: str, raw: Any) -> Record:
    arrival = raw["ApproximateArrivalTimestamp"].astimezone(UTC)
    return Record(raw["Data"], raw["PartitionKey"], shard, int(raw["SequenceNumber"]), arrival)
