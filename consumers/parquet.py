"""Rows of the archive as a Parquet file (zstd), with its place in the shard's chain in the file's metadata."""

import io
import json
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.archive import COLUMNS, UNREADABLE, row
from pipeline.log import Record, sequence_text

__all__ = ["encoded", "encoded_records"]

_log = logging.getLogger(__name__)

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


def encoded_records(records: Sequence[Record], facts: Mapping[str, str]) -> bytes:
    """One row for each record, whatever is in it: one that doesn't fit the columns leaves a trace of itself."""
    try:
        return encoded([row(record) for record in records], facts)
    except Exception:  # noqa: BLE001  whatever a record holds, the archive goes on
        _log.exception("a record doesn't fit the archive; each is tried alone")
        return encoded([_fitting_row(record) for record in records], facts)


def _fitting_row(record: Record) -> Mapping[str, Any]:
    try:
        fitting = row(record)
        encoded([fitting], {})
    except Exception as error:  # noqa: BLE001  it is kept with the record's trace
        return _trace(record, error)
    return fitting


def _trace(record: Record, error: Exception) -> Mapping[str, Any]:
    digest = sha256(record.data).hexdigest()
    told = {"digest": digest, "size": len(record.data), "error": type(error).__name__}
    return {
        "event_id": digest[:32],
        "kind": UNREADABLE,
        "time": record.arrival,
        "arrival": record.arrival,
        "shard": record.shard,
        "sequence": sequence_text(record.sequence),
        "rest": json.dumps(told),
    }
