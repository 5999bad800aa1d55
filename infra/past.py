"""The past of an engine: the events that had arrived in its log by a moment, from the archive and the stream.

            archive: files up to the moment        stream: what lies behind the last of them
  shard  ├──────────────┬──────────────┬────────┤├─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┤
                                                               ▲ moment

The files are listed first and the stream is read from where they end, however far behind the archiver is: what is
archived in between comes from the stream. A shard whose files go beyond the moment isn't read at all.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import duckdb

from analytics.duckdb import opened, question
from consumers.archiver import LONGEST_SPAN
from consumers.chain import Archived, chains, faults
from consumers.s3 import ArchiveBucket
from infra.aws import s3_access
from pipeline import times
from pipeline.archived import event_of
from pipeline.codec import Event, Unreadable, decode
from pipeline.engine import About, Engine
from pipeline.errors import UserError
from pipeline.kinesis import KinesisLog
from pipeline.log import Log, Record
from projections import suppression

__all__ = ["Archive", "events", "past"]

PAUSE_SECONDS = 0.5  # of the five reads a second that a shard takes, most belong to those who process it
SLACK = timedelta(minutes=1)  # arrivals in a shard are about in order

_KEY = re.compile(
    r"events/dt=(?P<day>\d{4}-\d\d-\d\d)/hh=(?P<hour>\d\d)/(?P<shard>[^/*?\[\]]+)_(?P<after>\d+)\.parquet"
)


@dataclass(frozen=True)
class Archive:
    """`root` and a slash before a key of `keys`, which are all of its files, is where `connection` finds the file."""

    connection: duckdb.DuckDBPyConnection
    root: str
    keys: Sequence[str]


def past(engine: Engine, about: About, moment: datetime) -> Iterator[Event]:
    """A `pipeline.engine.Past`. Raises UserError where a part of the archive is missing or can't be read."""
    settings = engine.settings
    files = ArchiveBucket(engine.client("s3"), settings.archive_bucket_name).files()
    archive = Archive(
        opened(s3_access()), f"s3://{settings.archive_bucket_name}", [file.key for file in files]
    )
    return events(archive, KinesisLog(engine.client("kinesis"), settings.stream_name), about, moment)


def events(
    archive: Archive, log: Log, about: About, moment: datetime, pause: Callable[[float], None] = time.sleep
) -> Iterator[Event]:
    chosen = _chosen(archive.keys, moment)
    files = [file.key for of_shard in chosen.values() for file in of_shard.files]
    ends: dict[str, int] = {}
    if files:
        with _read(archive.root):
            ends = _ends(archive, files)
            rows = _rows(archive, files, about, moment)
        yield from map(event_of, rows)
    beyond = {shard for shard, of_shard in chosen.items() if of_shard.beyond}
    for shard in log.shards():
        if shard.id not in beyond:
            for record in _behind(log, shard.id, ends.get(shard.id), moment, pause):
                if times.text(record.arrival) <= times.text(moment):
                    yield from _about(record, about)


# ── The archive ───────────────────────────────────────────────────────────────────────────────────────────


class _File(NamedTuple):
    shard: str
    after: int
    hour: datetime
    key: str


class _OfShard(NamedTuple):
    """The files that may hold what had arrived by the moment; whether there are files beyond it."""

    files: Sequence[_File]
    beyond: bool


def _chosen(keys: Sequence[str], moment: datetime) -> Mapping[str, _OfShard]:
    """By shard. A file lies under the hour of its first record, and the others arrived within an hour of that."""
    files = sorted(file for file in map(_file, keys) if file)
    chosen = {}
    for shard, group in groupby(files, key=lambda file: file.shard):
        chain = list(group)
        near = [number for number, file in enumerate(chain, 1) if file.hour <= moment + LONGEST_SPAN]
        end = max(near, default=0)
        chosen[shard] = _OfShard(chain[:end], beyond=end < len(chain))
    return chosen


def _file(key: str) -> _File | None:
    """None for what the archiver doesn't write."""
    found = _KEY.fullmatch(key)
    if not found:
        return None
    hour = datetime.fromisoformat(f"{found['day']}T{found['hour']}:00").replace(tzinfo=UTC)
    return _File(found["shard"], int(found["after"]), hour, key)


def _ends(archive: Archive, files: Sequence[str]) -> dict[str, int]:
    """The last sequence number of each shard in the files. Raises UserError where their chain has a gap."""
    told = question(archive.connection, "past_files", files=_paths(archive, files))
    found = {each["file"]: each for each in told}
    archived = [_archived(archive, key, found) for key in files]
    for fault in faults(archived):
        raise UserError(
            f"the archive is not complete: {fault.shard}: {fault.what} ({fault.key}); `sesmailengine archive check` "
            "names every fault"
        )
    return {shard: chain[-1].last for shard, chain in chains(archived).items()}


def _archived(archive: Archive, key: str, found: Mapping[str, Mapping[str, Any]]) -> Archived:
    told = found.get(f"{archive.root}/{key}", {})
    try:
        numbers = {name: int(told[name]) for name in ("after", "first", "last", "count")}
        return Archived(key, str(told["shard"]), **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{key} doesn't say what it holds, as files of the archiver do") from error


def _rows(archive: Archive, files: Sequence[str], about: About, moment: datetime) -> list[dict[str, Any]]:
    asked = {"files": _paths(archive, files), "moment": times.text(moment)}
    question(archive.connection, "past_rows")
    if about.email_id is not None:
        return question(archive.connection, "past_of_mail", email_id=about.email_id, **asked)
    return question(archive.connection, "past_of_addresses", addresses=list(about.addresses), **asked)


def _paths(archive: Archive, files: Sequence[str]) -> list[str]:
    return [f"{archive.root}/{key}" for key in files]


@contextmanager
def _read(root: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        told = " ".join(str(error).split("\n\n")[0].split())
        raise UserError(f"the archive {root} can't be read: {told}") from error


# ── The stream ────────────────────────────────────────────────────────────────────────────────────────────


def _behind(
    log: Log, shard: str, after: int | None, moment: datetime, pause: Callable[[float], None]
) -> Iterator[Record]:
    """What lies behind a sequence number, and somewhat more than up to the moment."""
    reader = log.reader(shard, after)
    while True:
        batch = reader.read()
        yield from batch.records
        passed = any(record.arrival > moment + SLACK for record in batch.records[-1:])
        if passed or batch.closed or not batch.behind_ms:
            return
        pause(PAUSE_SECONDS)


def _about(record: Record, about: About) -> Iterator[Event]:
    try:
        event = decode(record.data)
    except Unreadable:
        return
    of_mail = {getattr(event.body, name, None) for name in ("email_id", "original_email_id")}
    if about.email_id in of_mail - {None} or _of_addresses(event, about):
        yield event


def _of_addresses(event: Event, about: About) -> bool:
    return bool(about.addresses) and any(
        history.address in about.addresses for history in suppression.of(event)
    )
