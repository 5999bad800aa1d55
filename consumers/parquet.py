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

__all__ = ["NeedsMore", "encoded", "encoded_records", "facts_of"]

MAGIC, FOOTER = b"PAR1", 8  # a file ends with its footer's length in four bytes, and this mark

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


def facts_of(tail: bytes, size: int) -> dict[str, str]:
    """The facts that a file was written with, from its end; `size`: of the whole file, in bytes.

    Raises ValueError where the file is not as it was written; NeedsMore where its end is longer than this tail.
    """
    if len(tail) < FOOTER or tail[-4:] != MAGIC:
        raise ValueError("it was cut short, or is no Parquet file")
    footer = int.from_bytes(tail[-FOOTER:-4], "little") + FOOTER
    if footer > len(tail):
        raise NeedsMore(footer)
    try:
        metadata = pq.read_metadata(io.BytesIO(tail))
    except (pa.ArrowException, OSError) as error:
        raise ValueError("its end can't be read") from error
    if footer + _data_end(metadata) > size:
        raise ValueError("it was cut short")
    told = (metadata.metadata or {}).items()
    facts = {name.decode(): value.decode() for name, value in told if not name.startswith(b"ARROW:")}
    if str(metadata.num_rows) != facts.get("count"):
        raise ValueError(f"it holds {metadata.num_rows:,} records and says {facts.get('count')}")
    return facts


class NeedsMore(Exception):
    """So many bytes of the file's end are needed."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def _data_end(metadata: Any) -> int:
    """Where the last column ends, which the footer follows."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    starts = [(each.dictionary_page_offset or each.data_page_offset, each) for each in chunks]
    return max((start + each.total_compressed_size for start, each in starts), default=0)


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
