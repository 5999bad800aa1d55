"""Kinesis keeps records as AWS does: by shard, under sparse numbers of 56 digits, found without a scan.

moto numbers records 1, 2, 3, reads a shard from its beginning at each GetRecords, and takes 5 MB at most.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from time import time
from typing import Any, NamedTuple

from moto.core.exceptions import JsonRESTError
from moto.kinesis import models
from moto.kinesis.exceptions import InvalidArgumentError
from moto.kinesis.models import Shard, Stream
from moto.kinesis.responses import KinesisResponse

from infra.embedded import kinesis_iterators, kinesis_resharding
from infra.embedded.atomic_requests import atomic
from infra.embedded.kinesis_streams import largest_record_kib
from infra.embedded.patches import Patches
from infra.embedded.plain_results import PlainResult

__all__ = ["ShardLog", "StoredRecord", "append", "check_size", "install"]

MAX_RECORDS = 500
MAX_REQUEST_BYTES = MAX_READ_BYTES = 10 * 1024 * 1024
MAX_READ_RECORDS = 10_000
TRIM_LOT = 1_000


class StoredRecord(NamedTuple):
    number: int
    arrived: float
    partition_key: str
    data: str
    explicit_hash_key: str | None

    @property
    def size(self) -> int:
        return _decoded_size(self.data) + len(self.partition_key.encode())

    def as_dict(self) -> dict[str, Any]:
        return {
            "SequenceNumber": str(self.number),
            "ApproximateArrivalTimestamp": round(self.arrived, 3),
            "Data": self.data,
            "PartitionKey": self.partition_key,
        }


class ShardLog(Shard):
    """A shard whose records are a list in the order of their numbers. Nothing is ever moved out of it."""

    def __init__(self, *arguments: Any, created: int | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.created = int(time()) if created is None else created
        self.children: list[Shard] = []
        self.first_number = self.last_number = self._number(0)
        self._log: list[StoredRecord] = []
        self._count = 0

    def put_record(self, partition_key: str, data: str, explicit_hash_key: str | None) -> str:
        self._count += 1
        arrived = time()
        if self._log:  # the clock may be set back; records found by time must be in its order
            arrived = max(arrived, self._log[-1].arrived)
        self.last_number = self._number(self._count)
        self._log.append(StoredRecord(self.last_number, arrived, partition_key, data, explicit_hash_key))
        return str(self.last_number)

    def trim(self, retention: float) -> None:
        """Forgets what is so many seconds older than the last; in lots, since each moves all that remains."""
        horizon = self._log[-1].arrived - retention
        if len(self._log) > TRIM_LOT and self._log[TRIM_LOT].arrived < horizon:
            del self._log[: bisect_left(self._log, horizon, key=_arrival_of)]

    def read(self, after: int, limit: int | None) -> tuple[list[StoredRecord], int]:
        """Records with greater numbers, as many as one response holds, and how far the last is behind (ms)."""
        start = bisect_right(self._log, after, key=_number_of)
        found = list(_within_bytes(self._log[start : start + (limit or MAX_READ_RECORDS)]))
        behind = self._log[-1].arrived - found[-1].arrived if found else 0
        return found, int(behind * 1000)

    def exhausted(self, after: int) -> bool:
        """Whether nothing follows, now or later."""
        return not self.is_open and after >= self.last_number

    def close(self, children: list[Shard]) -> None:
        self.is_open = False
        self.children = children

    def get_min_sequence_number(self) -> int:
        return self.first_number

    def get_max_sequence_number(self) -> int:
        return self.last_number

    def number_before(self, moment: float) -> int:
        """The number after which the records that arrived at that time or later begin."""
        index = bisect_left(self._log, moment, key=_arrival_of)
        return self._log[index - 1].number if index else self.first_number

    def _number(self, count: int) -> int:
        """As Kinesis makes them: shard's creation, count and shard, in 186 bits. Between two lie 2**80."""
        index = self._shard_id
        return 2 << 184 | self.created << 148 | (index & 15) << 144 | count << 80 | index << 4 | 2


def install(patches: Patches) -> None:
    patches.replace(models, "Shard", ShardLog)
    patches.replace(Stream, "put_record", atomic("kinesis", Stream.put_record))
    patches.replace(KinesisResponse, "put_record", _put_record)
    patches.replace(KinesisResponse, "put_records", _put_records)
    patches.replace(KinesisResponse, "get_records", _get_records)
    kinesis_iterators.install(patches)
    kinesis_resharding.install(patches)


def append(
    stream: Any, partition_key: str, data: str, explicit_hash_key: str | None = None
) -> dict[str, str]:
    """One record, `data` in base64; its place as in a response. Raises the errors of PutRecord."""
    check_size(stream, partition_key, data)
    number, shard = stream.put_record(partition_key, explicit_hash_key, data)
    stream.shards[shard].trim(stream.retention_period_hours * 3600)
    return {"SequenceNumber": number, "ShardId": shard}


def check_size(stream: Any, partition_key: str, data: str) -> int:
    """The bytes that count. Raises if the stream takes none so large."""
    size = _decoded_size(data) + len(partition_key.encode())
    limit = largest_record_kib(stream)
    if size > limit * 1024:
        raise JsonRESTError(
            "ValidationException", f"a record of {size} bytes exceeds the stream's limit of {limit} KiB"
        )
    return size


def _put_record(self: KinesisResponse) -> PlainResult:
    get = self._get_param
    return PlainResult(append(_stream(self), get("PartitionKey"), get("Data"), get("ExplicitHashKey")))


def _put_records(self: KinesisResponse) -> PlainResult:
    stream = _stream(self)
    records: list[dict[str, Any]] = self._get_param("Records")
    if len(records) > MAX_RECORDS:
        raise JsonRESTError("ValidationException", f"records: length must be at most {MAX_RECORDS}")
    if sum(check_size(stream, r["PartitionKey"], r["Data"]) for r in records) > MAX_REQUEST_BYTES:
        raise InvalidArgumentError("Records size exceeds 10 MB limit")
    placed = [append(stream, r["PartitionKey"], r["Data"], r.get("ExplicitHashKey")) for r in records]
    return PlainResult({"FailedRecordCount": 0, "Records": placed})


def _get_records(self: KinesisResponse) -> PlainResult:
    place = kinesis_iterators.place(self._get_param("ShardIterator"))
    shard: Any = self.kinesis_backend.describe_stream(None, place.stream).get_shard(place.shard)
    records, behind = shard.read(place.after, self._get_param("Limit"))
    after = records[-1].number if records else place.after
    result = {"Records": [record.as_dict() for record in records], "MillisBehindLatest": behind}
    if shard.exhausted(after):
        return PlainResult({**result, "ChildShards": kinesis_resharding.child_shards(shard)})
    return PlainResult(
        {**result, "NextShardIterator": kinesis_iterators.iterator(place._replace(after=after))}
    )


def _stream(request: KinesisResponse) -> Stream:
    get = request._get_param  # noqa: SLF001  what moto's own actions read their parameters with
    return request.kinesis_backend.describe_stream(get("StreamARN"), get("StreamName"))


def _within_bytes(records: list[StoredRecord]) -> Iterator[StoredRecord]:
    """At least one, since a record may be as large as a response."""
    room = MAX_READ_BYTES
    for index, record in enumerate(records):
        room -= record.size
        if room < 0 and index:
            return
        yield record


def _number_of(record: StoredRecord) -> int:
    return record.number


def _arrival_of(record: StoredRecord) -> float:
    return record.arrived


def _decoded_size(data: str) -> int:
    return len(data) * 3 // 4 - data[-2:].count("=")
