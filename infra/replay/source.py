"""All that the projector has processed, as one view for DuckDB: files of the archive, and what the stream has behind them.

Taken once: what is found stands in the work folder, so that a replay that was interrupted goes on with the same events.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import duckdb

from analytics.duckdb import S3Access, opened, view
from consumers.archive_commands import archived
from consumers.archiver import LONGEST_SPAN, shard_of
from consumers.chain import Broken
from consumers.parquet import encoded_records
from consumers.s3 import ArchiveBucket, Listed
from infra.replay.bounds import END, Bounds
from pipeline import times
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.kinesis import KinesisLog
from pipeline.log import Log, Record, sequence_text

__all__ = ["Source", "Window", "connection_of", "take"]

TAIL_RECORDS = 20_000  # a file


@dataclass(frozen=True, slots=True)
class Window:
    """Arrivals from a moment on, and before another."""

    since: datetime | None = None
    until: datetime | None = None

    def may_hold(self, key: str) -> bool:
        """Whether a file may; it lies under the hour in which its first record arrived."""
        parts = dict(part.split("=") for part in key.split("/") if "=" in part)
        begun = times.parse(f"{parts['dt']}T{parts['hh']}:00:00Z")
        too_early = self.since is not None and begun + timedelta(hours=1) + LONGEST_SPAN <= self.since
        return not too_early and (self.until is None or begun < self.until)


@dataclass(frozen=True, slots=True)
class Source:
    """Files that count as a `whole`, those that are `cut` at the bound of their shard, and their size in bytes."""

    bounds: Bounds
    window: Window
    whole: Sequence[str]
    cut: Sequence[str]
    size: int

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), default=datetime.isoformat), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Source":
        told = json.loads(path.read_text(encoding="utf-8"))
        moments = {name: times.parse(text) if text else None for name, text in told["window"].items()}
        return cls(**told | {"window": Window(**moments)})


def take(engine: Engine, work: Path, bounds: Bounds, window: Window) -> Source:
    """What there is now. Raises UserError where the archive can't be read."""
    bucket = ArchiveBucket(engine.client("s3"), engine.settings.archive_bucket_name)
    log = KinesisLog(engine.client("kinesis"), engine.settings.stream_name)
    alive = {shard.id for shard in log.shards()}
    files = _by_shard(list(bucket.files()))
    whole, cut, size = [_nothing(work)], [_nothing(work)], 0
    for shard in sorted(files.keys() | alive):
        of_shard = files.get(shard, [])
        # What has left the stream was processed, or is lost; what is in it and was never begun was not.
        bound = bounds.get(shard, 0 if shard in alive else END)
        last = _last(bucket, of_shard[-1]) if of_shard else 0
        for file, following in pairwise([*of_shard, None]):
            assert file is not None
            end = _after(following) if following else last
            if _after(file) < bound and window.may_hold(file.key):
                address = f"s3://{engine.settings.archive_bucket_name}/{file.key}"
                (whole if end <= bound else cut).append(address)
                size += file.size
        if shard in alive and last < bound:
            whole += _tail(log, work, shard, last, bound)
    return Source(bounds, window, whole, cut, size)


def connection_of(source: Source, s3: S3Access) -> duckdb.DuckDBPyConnection:
    """A connection with the source as the view `events`."""
    connection = opened(s3)
    bounds = [(shard, sequence_text(sequence)) for shard, sequence in source.bounds.items()]
    connection.execute("CREATE TEMP TABLE bounds (shard VARCHAR, bound VARCHAR)")
    if bounds:
        connection.executemany("INSERT INTO bounds VALUES (?, ?)", bounds)
    variables = {
        "whole": source.whole,
        "cut": source.cut,
        "since": source.window.since,
        "until": source.window.until,
    }
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = $value", {"value": value})
    view(connection, "bounded")
    if connection.execute("SELECT count(*) FROM parked").fetchone() != (0,):
        view(connection, "without_parked")
    return connection


def _by_shard(files: Sequence[Listed]) -> Mapping[str, list[Listed]]:
    """In the order of the chain."""
    ordered = sorted(files, key=lambda file: (shard_of(file.key), _after(file)))
    return {shard: list(group) for shard, group in groupby(ordered, key=lambda file: shard_of(file.key))}


def _after(file: Listed) -> int:
    return int(file.key.rpartition("_")[2].removesuffix(".parquet"))


def _last(bucket: ArchiveBucket, file: Listed) -> int:
    found = archived(bucket, file.key, file.size)
    if isinstance(found, Broken):
        raise UserError(f"{file.key} can't be read: {found.why}; see `sesmailengine archive check`")
    return found.last


def _nothing(work: Path) -> str:
    """A file without records: with it a list of files is never empty, and every column is there."""
    path = work / "nothing.parquet"
    path.write_bytes(encoded_records([], {}))
    return str(path)


def _tail(log: Log, work: Path, shard: str, after: int, bound: int) -> Iterator[str]:
    """What the stream has of a shard behind a record, up to the bound, in files as the archiver writes them."""
    waiting: list[Record] = []
    number = 0
    for records in _records(log, shard, after):
        waiting += [record for record in records if record.sequence <= bound]
        done = not records or records[-1].sequence >= bound
        if waiting and (done or len(waiting) >= TAIL_RECORDS):
            path = work / f"{shard}-{number}.parquet"
            path.write_bytes(encoded_records(waiting, {}))
            yield str(path)
            waiting, number = [], number + 1
        if done:
            return


def _records(log: Log, shard: str, after: int) -> Iterator[Sequence[Record]]:
    """Batches with records; in the end one without."""
    reader = log.reader(shard, after or None)
    while True:
        batch = reader.read()
        if batch.records:
            yield batch.records
        if batch.closed or not (batch.records or batch.behind_ms):
            yield ()
            return
