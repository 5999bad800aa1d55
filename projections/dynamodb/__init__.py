"""The projections' tables on DynamoDB: compare-and-swap on a version, calls that carry many rows."""

from projections.dynamodb.holds import HoldsTable
from projections.dynamodb.reputation import ReputationTable
from projections.dynamodb.suppression import SuppressionTable
from projections.dynamodb.tracking import TrackingTable

__all__ = ["HoldsTable", "ReputationTable", "SuppressionTable", "TrackingTable"]
