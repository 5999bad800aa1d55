from typing import Any

import pytest

from tests.infra.embedded.clients import ClientOf, iterator, read, records, shards, stream, summary

FIRST, SECOND, THIRD = (f"shardId-{number:012}" for number in range(3))
HALF = str(2**127)
EXPLICIT = {"low": "0", "high": str(2**128 - 1)}


@pytest.fixture
def log(client: ClientOf) -> str:
    return stream(client)


def put(client: ClientOf, data: str, where: str = "low") -> dict[str, Any]:
    placed: dict[str, Any] = client("kinesis").put_record(
        StreamName="log", PartitionKey="k", Data=data.encode(), ExplicitHashKey=EXPLICIT[where]
    )
    return placed


def split(client: ClientOf, shard: str = FIRST) -> None:
    client("kinesis").split_shard(StreamName="log", ShardToSplit=shard, NewStartingHashKey=HALF)


def merge(client: ClientOf, one: str = SECOND, other: str = THIRD) -> None:
    client("kinesis").merge_shards(StreamName="log", ShardToMerge=one, AdjacentShardToMerge=other)


def test_the_highest_hash_key_has_a_shard(client: ClientOf, log: str) -> None:
    assert put(client, "x", "high")["ShardId"] == FIRST


def test_a_split_shard_keeps_its_records_and_the_children_begin_empty(client: ClientOf, log: str) -> None:
    put(client, "before")
    split(client)
    assert [read(client, shard)["Records"] == [] for shard in (FIRST, SECOND, THIRD)] == [False, True, True]


def test_later_records_go_to_the_children(client: ClientOf, log: str) -> None:
    split(client)
    assert [put(client, "x", where)["ShardId"] for where in ("low", "high")] == [SECOND, THIRD]


def test_a_closed_shard_ends_after_its_last_record_and_names_its_children(client: ClientOf, log: str) -> None:
    put(client, "a")
    put(client, "b")
    split(client)
    first = client("kinesis").get_records(ShardIterator=iterator(client, FIRST), Limit=1)
    assert first["NextShardIterator"]
    assert "ChildShards" not in first
    last = client("kinesis").get_records(ShardIterator=first["NextShardIterator"])
    assert len(last["Records"]) == 1
    assert "NextShardIterator" not in last
    assert [(child["ShardId"], child["ParentShards"]) for child in last["ChildShards"]] == [
        (SECOND, [FIRST]),
        (THIRD, [FIRST]),
    ]
    assert last["ChildShards"][0]["HashKeyRange"] == {
        "StartingHashKey": "0",
        "EndingHashKey": str(2**127 - 1),
    }


def test_a_closed_shard_without_records_ends_at_once(client: ClientOf, log: str) -> None:
    split(client)
    found = read(client, FIRST)
    assert (found["Records"], "NextShardIterator" in found, len(found["ChildShards"])) == ([], False, 2)


def test_an_iterator_from_before_the_split_comes_to_the_end(client: ClientOf, log: str) -> None:
    open_ = iterator(client, FIRST)
    split(client)
    assert "NextShardIterator" not in client("kinesis").get_records(ShardIterator=open_)


def test_merged_shards_keep_their_records_and_share_a_child(client: ClientOf, log: str) -> None:
    split(client)
    put(client, "low")
    put(client, "high", "high")
    merge(client, THIRD, SECOND)
    found = [read(client, shard) for shard in (SECOND, THIRD)]
    assert [len(answer["Records"]) for answer in found] == [1, 1]
    assert found[0]["ChildShards"] == found[1]["ChildShards"]
    child = found[0]["ChildShards"][0]
    assert (child["ShardId"], child["ParentShards"]) == ("shardId-000000000003", [THIRD, SECOND])
    assert put(client, "x")["ShardId"] == child["ShardId"]
    assert len(records(client)) == 3


def test_a_childs_numbers_are_greater_than_its_parents(client: ClientOf, log: str) -> None:
    before = int(put(client, "x")["SequenceNumber"])
    split(client)
    after = int(put(client, "x")["SequenceNumber"])
    merge(client)
    assert before < after < int(put(client, "x")["SequenceNumber"])


def test_shards_say_where_they_come_from_and_that_they_are_closed(client: ClientOf, log: str) -> None:
    last = put(client, "x")["SequenceNumber"]
    split(client)
    parent, child, _ = shards(client)
    assert parent["SequenceNumberRange"]["EndingSequenceNumber"] == last
    assert child["ParentShardId"] == FIRST
    assert "EndingSequenceNumber" not in child["SequenceNumberRange"]


def test_the_summary_counts_open_shards(client: ClientOf, log: str) -> None:
    split(client)
    assert summary(client)["OpenShardCount"] == 2
    merge(client)
    assert summary(client)["OpenShardCount"] == 1


def test_a_count_is_reached_by_splits_and_merges(client: ClientOf, log: str) -> None:
    for count in (4, 3, 1):
        client("kinesis").update_shard_count(
            StreamName="log", TargetShardCount=count, ScalingType="UNIFORM_SCALING"
        )
        assert summary(client)["OpenShardCount"] == count


@pytest.mark.parametrize("change", [split, lambda client: merge(client, FIRST, SECOND)])
def test_a_closed_shard_is_not_split_or_merged_again(client: ClientOf, log: str, change: Any) -> None:
    split(client)
    with pytest.raises(client("kinesis").exceptions.ClientError, match="InvalidArgumentException"):
        change(client)


def test_shards_that_do_not_touch_are_not_merged(client: ClientOf, log: str) -> None:
    split(client)
    client("kinesis").split_shard(StreamName="log", ShardToSplit=THIRD, NewStartingHashKey=str(3 * 2**126))
    with pytest.raises(client("kinesis").exceptions.ClientError, match="not an adjacent pair"):
        merge(client, SECOND, "shardId-000000000004")


@pytest.mark.parametrize("key", ["0", "1", str(2**128 - 1)])
def test_a_shard_is_not_split_at_its_edge(client: ClientOf, log: str, key: str) -> None:
    with pytest.raises(client("kinesis").exceptions.ClientError, match="NewStartingHashKey"):
        client("kinesis").split_shard(StreamName="log", ShardToSplit=FIRST, NewStartingHashKey=key)


def test_a_hash_key_beyond_the_range_is_refused(client: ClientOf, log: str) -> None:
    with pytest.raises(client("kinesis").exceptions.ClientError, match="InvalidArgumentException"):
        client("kinesis").put_record(
            StreamName="log", PartitionKey="k", Data=b"x", ExplicitHashKey=str(2**128)
        )
