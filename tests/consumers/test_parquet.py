import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from consumers.parquet import encoded, encoded_records
from pipeline import archive
from pipeline.log import Record
from tests.builders import feedback, mail_sent, record, requested

FACTS = {"shard": "shard", "after": "0", "last": "2"}
RECORDS = [
    record(requested(), 1),
    record(mail_sent().envelope("fact-1", "2026-11-24T09:15:02.114Z"), 2),
    record(feedback("Click"), 3),
    record(b"\xff", 4),
]


def read(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return rows


def given_back(records: list[Record]) -> list[dict[str, Any]]:
    return read(encoded_records(records, FACTS))


def test_what_is_read_back_is_what_the_archive_keeps_of_a_record() -> None:
    blank = dict.fromkeys(archive.COLUMNS)
    assert given_back(RECORDS) == [blank | archive.row(each) for each in RECORDS]


def test_the_columns_are_those_of_the_archive() -> None:
    assert list(given_back(RECORDS)[0]) == list(archive.COLUMNS)


def test_the_file_knows_its_place_in_the_chain() -> None:
    metadata = pq.read_schema(io.BytesIO(encoded([], FACTS))).metadata
    assert {key.decode(): value.decode() for key, value in metadata.items()} == FACTS


@pytest.fixture
def unfit(monkeypatch: pytest.MonkeyPatch) -> Record:
    """A record that this version can't bring into the columns."""

    def row(each: Record) -> dict[str, Any]:
        if each == RECORDS[1]:
            raise ValueError("secret content")
        return archive.row(each) | ({"time": "no time"} if each == RECORDS[2] else {})

    monkeypatch.setattr("consumers.parquet.row", row)
    return RECORDS[1]


def test_a_record_that_does_not_fit_leaves_a_trace(unfit: Record) -> None:
    row = given_back(RECORDS)[1]
    assert row["kind"] == archive.UNREADABLE
    assert (row["sequence"], row["arrival"]) == (unfit.place.sequence, unfit.arrival)
    assert json.loads(row["rest"])["size"] == len(unfit.data)


def test_a_value_that_does_not_fit_leaves_a_trace(unfit: Record) -> None:
    assert given_back(RECORDS)[2]["kind"] == archive.UNREADABLE


def test_the_records_beside_it_are_archived_as_they_are(unfit: Record) -> None:
    kinds = [row["kind"] for row in given_back(RECORDS)]
    assert (kinds[0], kinds[3]) == ("Email Request", archive.UNREADABLE)
    assert len(kinds) == 4


def test_the_trace_bears_nothing_of_the_content(unfit: Record) -> None:
    assert "secret" not in json.dumps(given_back(RECORDS)[1], default=str)
