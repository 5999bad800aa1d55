"""A transaction costs what it writes.

moto copies every table that a transaction names, deeply, so as to put it back when the transaction is cancelled: a
second for some thousand rows. A put and a delete replace a row as a whole; only an update changes one in place. So
what has to be kept is which rows there were, and the rows that are to be updated.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from functools import wraps
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from infra.embedded.patches import Patches

__all__ = ["install"]

Items = Sequence[dict[str, Any]]


def install(patches: Patches) -> None:
    patches.replace(Table, "__deepcopy__", _with_the_same_rows)
    whole = _updating_copies(DynamoDBBackend.transact_write_items)
    patches.replace(DynamoDBBackend, "transact_write_items", whole)


def _with_the_same_rows(table: Table, _: Any) -> Table:
    kept = copy(table)
    kept.items = defaultdict(dict)
    for key, row in table.items.items():
        kept.items[key] = dict(row) if table.range_key_attr else row
    return kept


def _updating_copies(transact: Callable[..., None]) -> Callable[..., None]:
    @wraps(transact)
    def write(backend: DynamoDBBackend, transact_items: Items) -> None:
        before = [(row, deepcopy(vars(row))) for row in _updated(backend, transact_items)]
        try:
            transact(backend, transact_items)
        except Exception:
            for row, attributes in before:
                vars(row).update(attributes)
            raise

    return write


def _updated(backend: DynamoDBBackend, transact_items: Items) -> list[Any]:
    asked = [item["Update"] for item in transact_items if "Update" in item]
    known = [each for each in asked if each.get("TableName") in backend.tables]
    rows = [backend.get_item(each["TableName"], each["Key"]) for each in known]
    return [row for row in rows if row is not None]
