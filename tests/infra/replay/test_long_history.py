"""Tables of a long history, filled by the projector's own fold, emptied, and rebuilt by DuckDB from the archive."""

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.progress import Progress

from analytics.duckdb import connect, local_access, rows
from consumers.dynamodb import CheckpointTable
from infra.local import LocalEngine, LocalOptions
from infra.replay.bounds import LOCAL_CHECKPOINTS
from infra.replay.job import Choice, Job, tables_of
from infra.replay.work import Work
from pipeline.archive import SCHEMA_VERSION
from pipeline.archived import event_of
from pipeline.codec import Event
from pipeline.engine import Engine
from pipeline.times import utc_now
from projections import suppression, tracking
from projections.rebuilding import rejoined
from projections.store import merge
from tests.bench.archive import write_archive

CHUNK = 500


def events_of(folder: Path) -> Iterator[Event]:
    connection = connect(str(folder))
    return map(event_of, rows(connection, "everything"))


def upload(engine: LocalEngine, folder: Path) -> None:
    client, bucket = engine.client("s3"), engine.settings.archive_bucket_name
    for path in (path for path in folder.rglob("*.parquet") if pq.read_metadata(path).num_rows):
        client.put_object(Bucket=bucket, Key=str(path.relative_to(folder)), Body=with_facts(path))


def with_facts(path: Path) -> bytes:
    """The file as the archiver writes it, with its place in the chain."""
    table, buffer = pq.read_table(path, partitioning=None), BytesIO()
    sequences, (shard, after) = table.column("sequence"), path.stem.split("_")
    facts = {
        "shard": shard,
        "after": after,
        "first": sequences[0].as_py(),
        "last": sequences[-1].as_py(),
        "count": str(len(table)),
        "schema": str(SCHEMA_VERSION),
    }
    pq.write_table(table.replace_schema_metadata(facts), buffer, compression="zstd")
    return buffer.getvalue()


def project(engine: LocalEngine, folder: Path) -> None:
    """As the projector does, with its effects carried out."""
    tables, notify = (
        tables_of(Engine(engine.client, lambda: engine.settings)),
        engine.settings.notify_statuses,
    )
    mails: dict[str, tracking.Mail] = {}
    events = events_of(folder)
    while batch := list(islice(events, 50_000)):
        tables.reputation.add(batch)
        merge(tables.suppression, suppression.fold(batch), suppression.join)
        for key, mail in tracking.fold(batch).items():
            mails[key] = tracking.join(mails[key], mail) if key in mails else mail
    done = iter([rejoined(None, mail, notify) for mail in mails.values()])
    while chunk := list(islice(done, CHUNK)):
        merge(tables.tracking, {mail.email_id: mail for mail in chunk}, tracking.join)


def items(engine: LocalEngine, table: str) -> dict[str, dict[str, Any]]:
    found = {}
    for page in engine.client("dynamodb").get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            item.pop("version", None)
            for name in ("accepted", "bounced"):
                if name in item:
                    item[name]["BS"].sort()
            key = [item[name]["S"] for name in ("emailId", "email", "day", "minute") if name in item]
            found[" ".join(key[:2])] = item
    return found


def empty(engine: LocalEngine, table: str, *key: str) -> None:
    client = engine.client("dynamodb")
    for page in client.get_paginator("scan").paginate(TableName=table):
        for start in range(0, len(page["Items"]), 25):
            deletes = [
                {"DeleteRequest": {"Key": {name: item[name] for name in key}}}
                for item in page["Items"][start : start + 25]
            ]
            client.batch_write_item(RequestItems={table: deletes})


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("mails", [2_000, pytest.param(300_000, marks=pytest.mark.soak)])
def test_a_fresh_replay_gives_what_the_projector_gave(tmp_path: Path, mails: int) -> None:
    archive = tmp_path / "archive"
    written = write_archive(archive, mails)
    with LocalEngine(LocalOptions(shards=1)) as engine:
        engine.drain()
        checkpoints = CheckpointTable(
            engine.client("dynamodb"), f"{engine.settings.stack_name}-{LOCAL_CHECKPOINTS}"
        )
        checkpoints.write("projector", "shardId-000000000001", 1, utc_now(), ended=True)
        upload(engine, archive)
        project(engine, archive)
        settings = engine.settings
        tables = {
            settings.tracking_table_name: ("emailId",),
            settings.suppression_table_name: ("email",),
            settings.reputation_table_name: ("day", "minute"),
        }
        before = {table: items(engine, table) for table in tables}
        for table, key in tables.items():
            empty(engine, table, *key)
        assert {table: items(engine, table) for table in tables} == {table: {} for table in tables}
        known = Engine(engine.client, lambda: settings)
        choice = Choice(("suppression", "reputation", "tracking"), fresh=True)
        work = Work(tmp_path / "work", choice.asked(known, "replay"))
        access = local_access(engine.aws.endpoint, engine.aws.region)
        counts = Job(known, choice, work, access).replay(Progress(disable=True))
        after = {table: items(engine, table) for table in tables}
    print(f"{written:,} events: {counts}")  # noqa: T201
    for table, of_table in before.items():
        projected = {key: row for key, row in after[table].items() if "rebuilt" not in str(row)}
        assert projected == of_table
