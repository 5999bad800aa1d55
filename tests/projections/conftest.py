from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from infra.stack import deploy
from projections.dynamodb import HoldsTable, SuppressionTable, TrackingTable
from tests.projections.world import RETENTION


@dataclass(frozen=True)
class Tables:
    """The projections' tables as the stack deploys them."""

    client: Any
    tracking_name: str
    suppression_name: str
    reputation_name: str

    @property
    def tracking(self) -> TrackingTable:
        return TrackingTable(self.client, self.tracking_name, RETENTION)

    @property
    def suppression(self) -> SuppressionTable:
        return SuppressionTable(self.client, self.suppression_name)

    @property
    def holds(self) -> HoldsTable:
        return HoldsTable(self.client, self.reputation_name)

    def tracking_row(self, email_id: str) -> Any:
        """As an application reads it; None if there is none."""
        found = self.client.get_item(TableName=self.tracking_name, Key={"emailId": {"S": email_id}})
        return found.get("Item")

    def suppression_row(self, address: str) -> Any:
        found = self.client.get_item(TableName=self.suppression_name, Key={"email": {"S": address}})
        return found.get("Item")


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    """One deployment for a module: its tests use mails and addresses of their own."""
    parameters = {"DefaultSenderEmail": "a@b.example", "DeletionProtection": "false"}
    with EmbeddedAws() as aws:
        told = deploy(aws.client("cloudformation"), "engine", parameters)
        names = (told[f"{each}TableName"] for each in ("Tracking", "Suppression", "Reputation"))
        yield Tables(aws.client("dynamodb"), *names)
