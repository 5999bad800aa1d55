"""Commands that compute the tables again from the log, or compare them with it: `replay`, `verify`."""

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from infra.aws import s3_access
from pipeline.engine import Engine
from pipeline.options import AsJson, Stack, moment

__all__ = ["commands"]

commands = typer.Typer()


class Name(StrEnum):
    SUPPRESSION = "suppression"
    REPUTATION = "reputation"
    TRACKING = "tracking"
    LEDGER = "ledger"


WorkFolder = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="Folder for what is computed, as large as the archive; default: one of the stack in the temporary folder.",
        file_okay=False,
    ),
]


@commands.command()
def replay(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(help="Only what arrived since then (ISO 8601, or 2h).", metavar="TIME")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only what arrived before (ISO 8601, or 2h).", metavar="TIME")
    ] = None,
    only: Annotated[list[Name] | None, typer.Option(help="What to replay; repeatable. Default: all.")] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="The tables were lost: senders hold until suppression is rebuilt."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Afterwards replace or delete rows that say what is not in the log."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; count what would be.")] = False,
    work: WorkFolder = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Compute the tables again from archive and stream, and join that into what they hold.

    Consumers may go on meanwhile. Nothing is sent or announced; nothing that is right changes. Goes as far as the
    projector has come. One that was interrupted goes on where it was when it is called again.

    Example: sesmailengine replay --only tracking --since 2026-11-24T08:00:00Z --dry-run
    """
    from analytics.duckdb import readable  # noqa: PLC0415  DuckDB is heavy, other commands aren't
    from infra.replay.job import Choice, Job  # noqa: PLC0415
    from infra.replay.repairing import repaired  # noqa: PLC0415
    from infra.replay.source import Window  # noqa: PLC0415
    from infra.replay.work import Work  # noqa: PLC0415

    engine: Engine = context.obj(stack)
    if (fresh or repair) and (since or until):
        raise typer.BadParameter("--fresh and --repair need the whole log; leave --since and --until out")
    names = [name for name in Name if name in (only or list(Name))]
    choice = Choice(
        tuple(names), Window(_moment(since, "--since"), _moment(until, "--until")), fresh, dry_run
    )
    folder = _folder(work, stack, "replay")
    begun = Work(folder, choice.asked(engine, "replay"))
    if begun.resumed:
        typer.echo(f"going on with what was begun before ({len(begun.done)} steps are done)", err=True)
    with readable(), _progress() as progress:
        job = Job(engine, choice, begun, s3_access())
        counts = job.replay(progress)
        if repair:
            repaired(engine, job, counts, progress)
    begun.remove()
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        Console().print(_summary(counts, dry=dry_run))


@commands.command()
def verify(
    context: typer.Context,
    sample: Annotated[
        int | None, typer.Option(help="Look at so many mails, addresses and minutes, drawn at random.", min=1)
    ] = None,
    work: WorkFolder = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Compare the tables with the log, and list every difference by row and field. Exit 1 if there are any.

    What the consumers write meanwhile is no difference. Also lists mails without an outcome: asked for and neither
    sent nor refused, or handed to SES and not heard of since within the 14 hours in which SES tries to deliver.

    Example: sesmailengine verify --sample 10000
    """
    from analytics.duckdb import readable  # noqa: PLC0415  DuckDB is heavy, other commands aren't
    from infra.replay.verifying import verified  # noqa: PLC0415

    engine: Engine = context.obj(stack)
    with readable(), _progress() as progress:
        found = verified(engine, _folder(work, stack, "verify"), s3_access(), sample, progress)
    typer.echo(json.dumps(found.told()) if as_json else "\n".join(found.lines()))
    if found.differences:
        raise typer.Exit(1)


def _moment(text: str | None, option: str) -> datetime | None:
    return moment(text, option) if text else None


def _folder(given: Path | None, stack: str, command: str) -> Path:
    return given or Path(tempfile.gettempdir()) / f"sesmailengine-{stack}-{command}"


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _summary(counts: Mapping[str, Mapping[str, int]], *, dry: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    headings = {
        "told": "told by the log",
        "past": "past their time",
        "written": "to be written" if dry else "written",
        "repaired": "to be repaired" if dry else "repaired",
        "changed": "changed meanwhile",
    }
    shown = [each for each in headings if any(each in of_name for of_name in counts.values())]
    for each in shown:
        table.add_column(headings[each], justify="right")
    for name, of_name in counts.items():
        table.add_row(name, *(f"{of_name[each]:,}" if each in of_name else "" for each in shown))
    return table
