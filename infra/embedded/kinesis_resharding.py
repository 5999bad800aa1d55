"""Split and merge: a closed shard keeps its records and names its children; the children start empty.

moto moves a closed shard's records to its children, and goes on writing into closed shards.
"""

from time import time
from typing import Any

from moto.kinesis import models
from moto.kinesis.exceptions import InvalidArgumentError
from moto.kinesis.models import Shard, Stream
from moto.utilities.utils import md5_hash

from infra.embedded.patches import Patches

__all__ = ["child_shards", "install"]

MAX_KEY = 256


def install(patches: Patches) -> None:
    patches.replace(Stream, "get_shard_for_key", _get_shard_for_key)
    patches.replace(Stream, "split_shard", _split_shard)
    patches.replace(Stream, "merge_shards", _merge_shards)


def child_shards(shard: Any) -> list[dict[str, Any]]:
    return [
        {
            "ShardId": child.shard_id,
            "ParentShards": [parent for parent in (child.parent, child.adjacent_parent) if parent],
            "HashKeyRange": {
                "StartingHashKey": str(child.starting_hash),
                "EndingHashKey": str(child.ending_hash),
            },
        }
        for child in shard.children
    ]


def _get_shard_for_key(self: Stream, partition_key: str, explicit_hash_key: str | None) -> Shard:
    if not 1 <= len(partition_key) <= MAX_KEY:
        raise InvalidArgumentError("partition_key")
    if explicit_hash_key:
        place = int(explicit_hash_key)
    else:
        place = int(md5_hash(partition_key.encode()).hexdigest(), 16)
    for shard in self.shards.values():
        if shard.is_open and shard.starting_hash <= place <= shard.ending_hash:
            return shard
    raise InvalidArgumentError("explicit_hash_key")


def _split_shard(self: Stream, shard_to_split: str, new_starting_hash_key: str) -> None:
    parent = _open(self, shard_to_split)
    middle = int(new_starting_hash_key)
    if not parent.starting_hash + 1 < middle < parent.ending_hash:
        raise InvalidArgumentError(
            f"NewStartingHashKey {middle} used in SplitShard() on shard {shard_to_split} in stream "
            f"{self.stream_name} under account {self.account_id} is not both greater than one plus the shard's "
            f"StartingHashKey {parent.starting_hash} and less than the shard's EndingHashKey {parent.ending_hash}."
        )
    lower = _child(self, 1, parent.starting_hash, middle - 1, [parent])
    upper = _child(self, 2, middle, parent.ending_hash, [parent])
    _replace(self, [parent], [lower, upper])


def _merge_shards(self: Stream, shard_to_merge: str, adjacent_shard_to_merge: str) -> None:
    parents = [_open(self, shard_to_merge), _open(self, adjacent_shard_to_merge)]
    lower, upper = sorted(parents, key=lambda shard: int(shard.starting_hash))
    if lower.ending_hash + 1 != upper.starting_hash:
        raise InvalidArgumentError(
            f"Shards {shard_to_merge} and {adjacent_shard_to_merge} in stream {self.stream_name} under account "
            f"{self.account_id} are not an adjacent pair of shards eligible for merging"
        )
    _replace(self, parents, [_child(self, 1, lower.starting_hash, upper.ending_hash, parents)])


def _open(stream: Stream, shard_id: str) -> Any:
    shard = stream.get_shard(shard_id)
    if not shard.is_open:
        raise InvalidArgumentError(
            f"Shard {shard_id} in stream {stream.stream_name} under account {stream.account_id} has already been "
            "merged or split, and thus is not eligible for merging or splitting."
        )
    return shard


def _child(stream: Stream, step: int, start: int, end: int, parents: list[Any]) -> Any:
    """Its numbers are greater than its parents', however soon it follows them."""
    shards: list[Any] = list(stream.shards.values())
    ids = [parent.shard_id for parent in parents]
    shard: Any = models.Shard  # the one in force while the embedded AWS is open
    return shard(
        max(shard._shard_id for shard in shards) + step,  # noqa: SLF001  the number in its id; there is no other
        start,
        end,
        parent=ids[0],
        adjacent_parent=ids[1] if len(ids) > 1 else None,
        created=max(int(time()), *(parent.created + 1 for parent in parents)),
    )


def _replace(stream: Stream, parents: list[Any], children: list[Any]) -> None:
    stream.shards.update({child.shard_id: child for child in children})
    for parent in parents:
        parent.close(children)
    stream.shard_count = sum(shard.is_open for shard in stream.shards.values())
