"""Shard iterators: a place in a shard, good for five minutes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from time import time
from typing import Any, NamedTuple

from moto.core.exceptions import JsonRESTError
from moto.kinesis.exceptions import InvalidArgumentError, ResourceNotFoundError
from moto.kinesis.responses import KinesisResponse

from infra.embedded.patches import Patches
from infra.embedded.plain_results import PlainResult

__all__ = ["Place", "install", "iterator", "place"]

LIFETIME = 300.0


class Place(NamedTuple):
    stream: str
    shard: str
    after: int


# Where the iterator starts, by shard and by the one parameter that its type takes.
STARTS: dict[str, tuple[str, Callable[[Any, Any], int]]] = {
    "TRIM_HORIZON": ("", lambda shard, _: shard.first_number),
    "LATEST": ("", lambda shard, _: shard.last_number),
    "AT_SEQUENCE_NUMBER": ("StartingSequenceNumber", lambda _, number: int(number) - 1),
    "AFTER_SEQUENCE_NUMBER": ("StartingSequenceNumber", lambda _, number: int(number)),
    "AT_TIMESTAMP": ("Timestamp", lambda shard, moment: shard.number_before(float(moment))),
}


def iterator(at: Place) -> str:
    text = f"{time():.3f} {at.after} {at.shard} {at.stream}"
    return urlsafe_b64encode(text.encode()).decode()


def place(shard_iterator: str) -> Place:
    """Raises the errors of GetRecords."""
    try:
        made, after, shard, stream = urlsafe_b64decode(shard_iterator).decode().split(" ", 3)
    except ValueError as error:
        raise InvalidArgumentError("Invalid ShardIterator.") from error
    if time() - float(made) > LIFETIME:
        raise JsonRESTError("ExpiredIteratorException", f"Iterator expired: it lasts {LIFETIME:.0f} s.")
    return Place(stream, shard, int(after))


def install(patches: Patches) -> None:
    patches.replace(KinesisResponse, "get_shard_iterator", _get_shard_iterator)


def _get_shard_iterator(self: KinesisResponse) -> PlainResult:
    get = self._get_param
    stream = self.kinesis_backend.describe_stream(get("StreamARN"), get("StreamName"))
    kind, shard_id = get("ShardIteratorType"), get("ShardId")
    if kind not in STARTS:
        raise InvalidArgumentError(f"Invalid ShardIteratorType: {kind}")
    if shard_id not in stream.shards:
        raise ResourceNotFoundError(
            f"Shard {shard_id} in stream {stream.stream_name} under account {stream.account_id} does not exist"
        )
    parameter, start = STARTS[kind]
    try:
        after = start(stream.shards[shard_id], get(parameter))
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{parameter} is missing or invalid for {kind}") from error
    return PlainResult({"ShardIterator": iterator(Place(stream.stream_name, shard_id, after))})
