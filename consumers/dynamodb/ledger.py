"""The ledger of sends on DynamoDB.

A claim's row: `token`, `eventId`, `shard` and `sequence` (where its request lies), `sendBefore`, `attempt`,
`state` (open | closed), `outcome` (the fact's envelope as JSON, once closed), `ttl`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumers.ledger import Claim
from pipeline.aws import error_code, service_errors
from pipeline.dynamodb import Statement, execute, insert, marshal, read_items, unmarshal, update
from pipeline.envelope import Envelope
from pipeline.log import Place
from pipeline.times import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["LedgerTable"]

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
