"""Items of the projections' tables: listed by pages of keys, and written together or not at all."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws import error_code, service_errors
from pipeline.chunks import chunks

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["as_read", "key_pages", "replacement", "successor", "written", "written_in_groups"]

Raw = dict[str, Any]
Item = Mapping[str, Any]

WRITES = 100  # a transaction
BYTES = 2_000_000  # a transaction: DynamoDB takes 4 MB
LOST = ("ConditionalCheckFailed", "TransactionConflict")


def key_pages(client: "DynamoDBClient", table: str, *names: str) -> Iterator[Sequence[Item]]:
    """The keys of all items, a page of a scan at a time. Reads the whole table."""
    named = {f"#{number}": name for number, name in enumerate(names)}
    asked: Any = {"ProjectionExpression": ", ".join(named), "ExpressionAttributeNames": named}
    with service_errors("DynamoDB"):
        for page in client.get_paginator("scan").paginate(TableName=table, **asked):
            yield page["Items"]


def as_read(old: Item, names: Iterable[str]) -> Raw:
    """The condition that these attributes are as they were read; those that were absent, absent."""
    named = {f"#{number}": name for number, name in enumerate(names)}
    tests = [
        f"{alias} = :{alias[1:]}" if name in old else f"attribute_not_exists({alias})"
        for alias, name in named.items()
    ]
    values = {f":{alias[1:]}": old[name] for alias, name in named.items() if name in old}
    condition: Raw = {"ConditionExpression": " AND ".join(tests), "ExpressionAttributeNames": named}
    return condition | ({"ExpressionAttributeValues": values} if values else {})


def replacement(
    table: str, key: Item, old: Item | None, new: Item | None, matters: Collection[str] = ()
) -> Raw:
    """The write that puts `new` in the place of exactly `old`, where None is no item.

    An item that bears a version is the same while that is; another while all its attributes are, and none of
    those that matter has come.
    """
    read = old or {}
    names = key if old is None else ["version"] if "version" in old else {*old, *matters}
    common = {"TableName": table, **as_read(read, sorted(names))}
    return {"Put": {**common, "Item": dict(new)}} if new is not None else {"Delete": {**common, "Key": key}}


def successor(old: Item | None) -> Raw:
    """The version after the one of this item; after none, or after what a hand made of it, the first."""
    version = (old or {}).get("version", {}).get("N", "")
    return {"N": str(int(version) + 1 if version.isdecimal() else 1)}


def written_in_groups(client: "DynamoDBClient", writes: Mapping[str, Sequence[Raw]]) -> Collection[str]:
    """As `written`, in as many transactions as it takes."""
    most = WRITES // max(map(len, writes.values()), default=1)
    groups = chunks(writes.items(), most, BYTES, lambda item: len(repr(item[1])))
    return [key for group in groups for key in written(client, dict(group))]


def written(client: "DynamoDBClient", writes: Mapping[str, Sequence[Raw]]) -> Collection[str]:
    """Carry out each key's writes, all or none; returns the keys where others were first.

    One of them cancels the transaction of all, so the rest is written again without it.
    """
    if not writes:
        return []
    owners = [key for key, own in writes.items() for _ in own]
    with service_errors("DynamoDB"):
        try:
            client.transact_write_items(TransactItems=[write for own in writes.values() for write in own])  # type: ignore[misc]
        except ClientError as error:
            lost = _losers(error, owners)
        else:
            return []
    return [*lost, *written(client, {key: own for key, own in writes.items() if key not in lost})]


def _losers(error: ClientError, owners: Sequence[str]) -> set[str]:
    """Whose items somebody else wrote first, or is writing now. Raises the error where it is another."""
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = [reason.get("Code") or "None" for reason in reasons]
    if not {error_code(error), *codes} <= {"TransactionCanceledException", "None", *LOST}:
        raise error
    return {owners[number] for number, code in enumerate(codes) if code in LOST} or set(owners)
