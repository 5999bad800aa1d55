"""Commands about the archive: `archive status | check`."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress
from rich.table import Table

from consumers.archiver import shard_of
from consumers.chain import Archived, Broken, Comparison, Fault, chains, faults
from consumers.parquet import NeedsMore, facts_of
from consumers.s3 import ArchiveBucket, Listed
from pipeline import times
from pipeline.engine import Engine
from pipeline.kinesis import KinesisLog
from pipeline.log import Log, Record
from pipeline.options import AsJson, Stack

__all__ = ["Ends", "archived", "commands"]

commands = typer.Typer()
archive = typer.Typer(help="The log for ever: Parquet files in S3.", no_args_is_help=True)
commands.add_typer(archive, name="archive")

AT_ONCE = 16
END_BYTES = 64 * 1024  # of a file; most footers are shorter
LATE_FLUSHES = 3  # a record that has waited for so many flushes should be archived


@archive.command()
def status(context: typer.Context, stack: Stack = "sesmailengine", as_json: AsJson = False) -> None:
    """Say what the archive holds: files, bytes, the hours they span, and when the last one was written.

    Example: sesmailengine archive status
    """
    listed = list(_bucket(context.obj(stack)).files())
    of_shards = groupby(sorted(listed, key=_shard), key=_shard)
    told = [_told(shard, list(files)) for shard, files in of_shards]
    whole = _told("all", listed)
    if as_json:
        typer.echo(json.dumps(whole | {"shards": told}))
        return
    if not listed:
        typer.echo("the archive is empty: the archiver writes its first file after its flush interval")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("shard", "files", "bytes", "first hour", "last written"):
        table.add_column(column, justify="right" if column in {"files", "bytes"} else "left", no_wrap=True)
    for each in [*told, whole] if len(told) > 1 else told:
        size = (f"{each['files']:,}", decimal(each["bytes"]))
        table.add_row(each["shard"], *size, each["firstHour"], each["lastWritten"][:19].replace("T", " "))
    Console().print(table)


@archive.command()
def check(
    context: typer.Context,
    chain_only: Annotated[
        bool, typer.Option("--chain-only", help="Look at the files alone; don't read the stream.")
    ] = False,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Prove that the archive is complete; exit 1 and name each fault where it isn't.

    Each file says which records it holds and whom it follows, so one that was removed or cut short is found. What
    the stream still holds is read and counted against the files.

    Example: sesmailengine archive check
    """
    engine: Engine = context.obj(stack)
    bucket = _bucket(engine)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        files = _read(bucket, list(bucket.files()), progress)
        found = list(faults(files))
        compared = 0
        if not chain_only:
            compared, differing = _against_stream(engine, files, progress)
            found += differing
    good = [file for file in files if isinstance(file, Archived)]
    told = {
        "files": len(files),
        "records": sum(file.count for file in good),
        "shards": len({file.shard for file in good}),
        "comparedWithStream": compared,
        "faults": [asdict(fault) for fault in found],
    }
    typer.echo(json.dumps(told) if as_json else _sentence(told, found, chain_only))
    if found:
        raise typer.Exit(1)


def _sentence(told: dict[str, Any], found: Sequence[Fault], chain_only: bool) -> str:
    held = f"{told['files']:,} files of {told['shards']:,} shards hold {told['records']:,} records"
    stream = "" if chain_only else f"; {told['comparedWithStream']:,} records of the stream were compared"
    if not found:
        return f"complete: {held}{stream}"
    lines = [f"{fault.shard}: {fault.what}" + (f" ({fault.key})" if fault.key else "") for fault in found]
    return "\n".join([*lines, f"NOT complete: {held}{stream}"])


def _bucket(engine: Engine) -> ArchiveBucket:
    return ArchiveBucket(engine.client("s3"), engine.settings.archive_bucket_name)


def _shard(file: Listed) -> str:
    return shard_of(file.key)


def _hour(file: Listed) -> str:
    parts = dict(part.split("=") for part in file.key.split("/") if "=" in part)
    return f"{parts['dt']} {parts['hh']}h"


def _told(shard: str, files: Sequence[Listed]) -> dict[str, Any]:
    return {
        "shard": shard,
        "files": len(files),
        "bytes": sum(file.size for file in files),
        "firstHour": min(map(_hour, files), default=None),
        "lastHour": max(map(_hour, files), default=None),
        "lastWritten": max((times.text(file.written) for file in files), default=None),
    }


class Ends(Protocol):
    def end_of(self, key: str, length: int) -> bytes:
        """The last bytes of a file, or the whole one where it is shorter; none of a file that is gone or empty."""
        ...


def _read(bucket: Ends, listed: Sequence[Listed], progress: Progress) -> list[Archived | Broken]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = pool.map(lambda file: archived(bucket, file.key, file.size), listed)
        return list(progress.track(seen, total=len(listed), description="files"))


def archived(files: Ends, key: str, size: int, length: int = END_BYTES) -> Archived | Broken:
    """A file as its end says, of which so many bytes are read first."""
    try:
        facts = facts_of(files.end_of(key, length), size)
        numbers = {name: int(facts[name]) for name in ("after", "first", "last", "count")}
    except NeedsMore as more:
        return archived(files, key, size, more.size) if more.size <= size else Broken(key, "it was cut short")
    except KeyError as missing:
        return Broken(key, f"it doesn't say {missing}, as files of the archiver do")
    except ValueError as error:
        return Broken(key, str(error))
    return Archived(key, facts["shard"], **numbers)


def _against_stream(
    engine: Engine, files: Sequence[Archived | Broken], progress: Progress
) -> tuple[int, list[Fault]]:
    """How many records were compared, and what differs."""
    log, settings = KinesisLog(engine.client("kinesis"), engine.settings.stream_name), engine.settings
    of_shard = chains(file for file in files if isinstance(file, Archived))
    late = times.utc_now() - timedelta(seconds=LATE_FLUSHES * settings.archive_flush_seconds + 60)
    task, found = progress.add_task("records of the stream", total=None), list[Fault]()
    for shard in log.shards():
        comparison = Comparison(shard.id, of_shard.get(shard.id, []), late)
        for records in _whole(log, shard.id, late):
            comparison.take(records)
            progress.advance(task, len(records))
        found += comparison.faults()
    return int(progress.tasks[task].completed), found


def _whole(log: Log, shard: str, late: datetime) -> Iterator[Sequence[Record]]:
    """What the stream holds of a shard, up to what came lately."""
    reader = log.reader(shard, None)
    while True:
        batch = reader.read()
        yield batch.records
        if batch.closed or (batch.behind_ms == 0 and not batch.records):
            return
        if batch.records and batch.records[-1].arrival > late and batch.behind_ms == 0:
            return
