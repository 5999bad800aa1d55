"""The folds in SQL at work: a history goes through a file of the archive into DuckDB."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.folding import Folding, Projection
from consumers.parquet import encoded_records
from tests import builders

__all__ = ["InSql", "archived"]


def archived(history: Sequence[bytes]) -> pa.Table:
    """Through a file, as the archiver writes it."""
    records = [builders.record(data, number) for number, data in enumerate(history, 1)]
    return pq.read_table(io.BytesIO(encoded_records(records, {})))


class InSql:
    def __init__(self, work: Path, partitions: int = 3) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.take([])
        self.folding = Folding(self.connection, work, partitions)

    def take(self, history: Sequence[bytes]) -> None:
        self.connection.register("archived", archived(history))
        self.connection.execute("CREATE OR REPLACE TABLE events AS FROM archived")

    def undealt(self, projection: Projection) -> list[dict[str, Any]]:
        """The rows over all events at once."""
        rows: list[dict[str, Any]] = (
            self.connection.execute(f"FROM {projection}").to_arrow_table().to_pylist()
        )
        return rows
