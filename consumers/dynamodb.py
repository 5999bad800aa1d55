"""The ledger of sends, the grants of its pace, the hosts' notes and checkpoints on DynamoDB.

A claim's row: `token`, `eventId`, `shard` and `sequence` (where its request lies), `sendBefore`, `attempt`,
`state` (open | closed), `outcome` (the fact's envelope as JSON, once closed), `ttl`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumers.in_hand import Note
from consumers.ledger import Claim
from consumers.pace import Block
from pipeline.aws import error_code, service_errors
from pipeline.dynamodb import Statement, execute, insert, marshal, read_items, unmarshal, update
from pipeline.envelope import Envelope
from pipeline.log import Place, sequence_text
from pipeline.times import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["CheckpointTable", "LedgerTable", "NotesTable", "PaceTable"]

OPEN, CLOSED = "open", "closed"


class LedgerTable:
    """`{stack}-SendLedger`: never emptied; a claim is kept for the retention."""

    def __init__(self, client: "DynamoDBClient", table: str, retention: timedelta, now: Clock) -> None:
        self._client, self._table, self._retention, self._now = client, table, retention, now

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        """A claim may be released between the two calls, and nobody's claim stands until it is put again.

        A:  insert ─► duplicate ─────────────► read ─► nothing ─► insert ─► mine
        B:             (its claim) ─► release
        """
        first = {claim.email_id: claim for claim in reversed(wanted)}  # one statement an id, the first's
        standing: dict[str, Claim] = {}
        while missing := [claim for claim in first.values() if claim.email_id not in standing]:
            outcomes = execute(self._client, [insert(self._table, self._item(claim)) for claim in missing])
            standing |= {c.email_id: c for c, failed in zip(missing, outcomes, strict=True) if not failed}
            taken = [c.email_id for c, failed in zip(missing, outcomes, strict=True) if failed]
            standing |= self.read(taken)
        return [standing[claim.email_id] for claim in wanted]

    def replace(self, standing: Claim, mine: Claim) -> bool:
        return execute(self._client, [self._change(standing, self._item(mine))]) == [None]

    def close(self, claims: Sequence[Claim]) -> Mapping[str, Claim]:
        last = {claim.email_id: claim for claim in claims}
        outcomes = execute(self._client, [self._change(claim, self._item(claim)) for claim in last.values()])
        lost = [email_id for email_id, failed in zip(last, outcomes, strict=True) if failed]
        return {**{key: last[key] for key in last.keys() - lost}, **self.read(lost)}

    def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        found = map(_claim, read_items(self._client, self._table, "emailId", email_ids))
        return {claim.email_id: claim for claim in found}

    def still_open(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        """Nearly all are closed, whose outcome nobody asks for: it isn't read."""
        states = read_items(self._client, self._table, "emailId", email_ids, ("state",))
        rows = [raw["emailId"]["S"] for raw in states if raw["state"]["S"] == OPEN]
        return {key: claim for key, claim in self.read(rows).items() if claim.outcome is None}

    def known(self, email_ids: Collection[str]) -> Collection[str]:
        return {
            raw["emailId"]["S"] for raw in read_items(self._client, self._table, "emailId", email_ids, ())
        }

    def release(self, claim: Claim) -> None:
        with service_errors("DynamoDB"):
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key={"emailId": {"S": claim.email_id}},
                    ConditionExpression="#token = :token AND #state = :open",
                    ExpressionAttributeNames={"#token": "token", "#state": "state"},
                    ExpressionAttributeValues={":token": {"S": claim.token}, ":open": {"S": OPEN}},
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def _change(self, standing: Claim, item: Mapping[str, Any]) -> Statement:
        """Only while the open claim still stands as it was read."""
        change = {name: value for name, value in item.items() if name != "emailId"}
        condition = {"token": {"S": standing.token}, "state": {"S": OPEN}}
        return update(self._table, {"emailId": item["emailId"]}, change, (), condition)

    def _item(self, claim: Claim) -> dict[str, Any]:
        item = {
            "emailId": claim.email_id,
            "eventId": claim.event_id,
            "token": claim.token,
            "sendBefore": str(claim.send_before),
            "attempt": claim.attempt,
            "state": CLOSED if claim.outcome else OPEN,
            "ttl": int((self._now() + self._retention).timestamp()),
        }
        if claim.place:
            item |= claim.place.model_dump()
        if claim.outcome:
            item["outcome"] = claim.outcome.to_bytes().decode()
        return {name: marshal(value) for name, value in item.items()}


def _claim(raw: Mapping[str, Any]) -> Claim:
    row = {name: unmarshal(value) for name, value in raw.items()}
    return Claim(
        email_id=row["emailId"],
        event_id=row["eventId"],
        token=row["token"],
        send_before=float(row["sendBefore"]),
        attempt=row["attempt"],
        outcome=Envelope.model_validate_json(row["outcome"]) if "outcome" in row else None,
        place=Place(shard=row["shard"], sequence=row["sequence"]) if "shard" in row else None,
    )


class PaceTable:
    """The grants of sending, in one item of `{stack}-Reputation`, which has no key that a client chooses."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def take(self, number: int, wanted: int, most: int) -> Block:
        wanted = min(wanted, most)
        while wanted > 0:
            there = self._add(number, wanted, most)
            if there is None or (there.number < number and self._begin(number, wanted)):
                return Block(number, wanted)
            if there.number >= number:
                number, wanted = there.number, min(wanted, most - there.granted)
        return Block(number, 0)

    def _add(self, number: int, wanted: int, most: int) -> Block | None:
        """None once it is granted, else the block that is there."""
        return self._update(
            "SET granted = granted + :wanted",
            "#block = :block AND granted <= :room",
            {":block": marshal(number), ":wanted": marshal(wanted), ":room": marshal(most - wanted)},
        )

    def _begin(self, number: int, wanted: int) -> bool:
        values = {":block": marshal(number), ":wanted": marshal(wanted)}
        condition = "attribute_not_exists(#block) OR #block < :block"
        return self._update("SET #block = :block, granted = :wanted", condition, values) is None

    def _update(self, update: str, condition: str, values: Mapping[str, Any]) -> Block | None:
        with service_errors("DynamoDB"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"day": {"S": "pace"}, "minute": {"S": "sending"}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#block": "block"},
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                item: Any = error.response.get("Item") or {}
                return Block(*(int(item[name]["N"]) if name in item else -1 for name in ("block", "granted")))
        return None


class NotesTable:
    """Notes of what is in hand, in items of `{stack}-Reputation`, which has no key that a client chooses."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def read(self, consumer: str, shard: str) -> Note | None:
        with service_errors("DynamoDB"):
            found = self._client.get_item(
                TableName=self._table, Key=_note_key(consumer, shard), ConsistentRead=True
            )
        row = {name: unmarshal(value) for name, value in found.get("Item", {}).items()}
        if not row:
            return None
        checkpoint, record = (int(row[name]) if name in row else None for name in ("checkpoint", "record"))
        return Note(checkpoint, row["starts"], record, row.get("attempts", 0), row.get("beat", 0))

    def write(self, consumer: str, shard: str, note: Note, owner: str) -> None:
        with service_errors("DynamoDB"):
            self._client.put_item(TableName=self._table, Item=_note_item(consumer, shard, note, owner))

    def change(self, consumer: str, shard: str, note: Note, owner: str) -> bool:
        with service_errors("DynamoDB"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_note_item(consumer, shard, note, owner),
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _note_item(consumer: str, shard: str, note: Note, owner: str) -> dict[str, Any]:
    item = _note_key(consumer, shard) | {"starts": marshal(note.starts), "owner": {"S": owner}}
    if note.checkpoint is not None:
        item["checkpoint"] = marshal(sequence_text(note.checkpoint))
    if note.record is not None:
        item |= {"record": marshal(sequence_text(note.record)), "attempts": marshal(note.attempts)}
        item["beat"] = marshal(note.beat)
    return item


def _note_key(consumer: str, shard: str) -> dict[str, Any]:
    return {"day": {"S": "in hand"}, "minute": {"S": f"{consumer} {shard}"}}


class CheckpointTable:
    """Checkpoints of the one-machine host, in a table of its own that it makes when it is missing."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def create(self) -> None:
        with service_errors("DynamoDB"):
            try:
                self._client.create_table(
                    TableName=self._table,
                    BillingMode="PAY_PER_REQUEST",
                    KeySchema=[
                        {"AttributeName": "consumer", "KeyType": "HASH"},
                        {"AttributeName": "shard", "KeyType": "RANGE"},
                    ],
                    AttributeDefinitions=[
                        {"AttributeName": "consumer", "AttributeType": "S"},
                        {"AttributeName": "shard", "AttributeType": "S"},
                    ],
                )
            except ClientError as error:
                if error_code(error) != "ResourceInUseException":
                    raise
            self._client.get_waiter("table_exists").wait(TableName=self._table)

    def read(self, consumer: str, shard: str) -> tuple[int | None, bool]:
        """The checkpointed sequence number, and whether the shard was read to its end."""
        with service_errors("DynamoDB"):
            found = self._client.get_item(
                TableName=self._table, Key=_checkpoint_key(consumer, shard), ConsistentRead=True
            )
        row = {name: unmarshal(value) for name, value in found.get("Item", {}).items()}
        return (int(row["sequence"]) if "sequence" in row else None), bool(row.get("ended"))

    def write(self, consumer: str, shard: str, sequence: int | None, at: datetime, *, ended: bool) -> None:
        item = _checkpoint_key(consumer, shard) | {"ended": marshal(ended), "at": marshal(at.isoformat())}
        if sequence is not None:
            item["sequence"] = marshal(sequence_text(sequence))
        with service_errors("DynamoDB"):
            self._client.put_item(TableName=self._table, Item=item)


def _checkpoint_key(consumer: str, shard: str) -> dict[str, Any]:
    return {"consumer": {"S": consumer}, "shard": {"S": shard}}
