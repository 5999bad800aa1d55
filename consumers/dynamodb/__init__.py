"""The consumers' tables on DynamoDB: the ledger of sends, the grants of its pace, what is heard, the hosts' notes."""

from consumers.dynamodb.checkpoints import CheckpointTable
from consumers.dynamodb.ledger import LedgerTable
from consumers.dynamodb.marks import MarksTable
from consumers.dynamodb.notes import NotesTable
from consumers.dynamodb.pace import PaceTable

__all__ = ["CheckpointTable", "LedgerTable", "MarksTable", "NotesTable", "PaceTable"]
