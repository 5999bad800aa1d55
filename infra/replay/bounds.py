"""How far the projector has come in each shard: nobody replays past that.

What lies behind its checkpoint has had no effects yet; a row that knew it already would never announce it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from consumers.names import ConsumerName
from pipeline.aws import service_errors
from pipeline.dynamodb import unmarshal_item
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.log import SEQUENCE_DIGITS

__all__ = ["END", "LOCAL_CHECKPOINTS", "Bounds", "bounds_of"]

Bounds = Mapping[str, int]
"""Of each shard that the projector has begun, the sequence number up to which it has processed every record."""

END = 10**SEQUENCE_DIGITS - 1  # behind every record: the shard was read to its end
LOCAL_CHECKPOINTS = "LocalCheckpoints"


def bounds_of(engine: Engine) -> Bounds:
    """From the checkpoints of whichever host runs the projector. Raises UserError where none ever has."""
    found: dict[str, int] = {}
    for shard, sequence in (*_leases(engine), *_checkpoints(engine)):
        found[shard] = max(sequence, found.get(shard, 0))
    if not found:
        raise UserError(
            f"the projector of stack '{engine.settings.stack_name}' has no checkpoints: a replay goes as far as "
            "the projector has come, so start the consumers first"
        )
    return found


def _leases(engine: Engine) -> Iterator[tuple[str, int]]:
    """Of the Kinesis Client Library."""
    for row in _rows(engine, str(ConsumerName.PROJECTOR)):
        checkpoint = row.get("checkpoint", "")
        if checkpoint == "SHARD_END":
            yield row["leaseKey"], END
        elif checkpoint.isdigit():
            yield row["leaseKey"], int(checkpoint)


def _checkpoints(engine: Engine) -> Iterator[tuple[str, int]]:
    """Of the one-machine host."""
    for row in _rows(engine, LOCAL_CHECKPOINTS):
        if row["consumer"] != ConsumerName.PROJECTOR:
            continue
        if row.get("ended"):
            yield row["shard"], END
        elif "sequence" in row:
            yield row["shard"], int(row["sequence"])


def _rows(engine: Engine, table: str) -> Iterator[dict[str, Any]]:
    dynamodb = engine.client("dynamodb")
    with service_errors("DynamoDB"):
        try:
            pages = list(
                dynamodb.get_paginator("scan").paginate(
                    TableName=f"{engine.settings.stack_name}-{table}", ConsistentRead=True
                )
            )
        except dynamodb.exceptions.ResourceNotFoundException:
            return
    yield from (unmarshal_item(raw) for page in pages for raw in page["Items"])
