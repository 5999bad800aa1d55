"""Rows of the archive as a Parquet file (zstd), with its place in the shard's chain in the file's metadata."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.archive import COLUMNS

__all__ = ["encoded"]

_TYPES = {
    "string": pa.string(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
    "int32": pa.int32(),
    "bool": pa.bool_(),
}
_SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in COLUMNS.items()])


def encoded(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, str]) -> bytes:
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    table = pa.table(columns, schema=_SCHEMA.with_metadata(dict(facts)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
