"""Commands about whom never to mail again: `suppression list | check | suppress | release`.

Suppressing and releasing are facts in the log; the projector writes the table. A release also takes the
address off SES's own suppression list, since the next mail would be suppressed there again.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from consumers.ses import forgive
from pipeline import addresses, times
from pipeline.as_of import AsOf, as_of_moment
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.events import AddressReleased, AddressSuppressed
from pipeline.kinesis import KinesisLog
from pipeline.options import AsJson, Stack, duration
from projections.dynamodb import SuppressionTable
from projections.suppression import History
from projections.telling import told_as_of
from projections.then import Then

__all__ = ["commands"]

commands = typer.Typer()
suppression = typer.Typer(help="Whom never to mail again.", no_args_is_help=True)
commands.add_typer(suppression, name="suppression")

POLL_SECONDS = 0.2
AT_ONCE = 100

Given = Annotated[
    list[str] | None, typer.Argument(metavar="ADDRESS…", help="One or more addresses.", show_default=False)
]
File = Annotated[
    Path | None, typer.Option(help="A file with an address a line.", exists=True, dir_okay=False)
]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.")]
Timeout = Annotated[str, typer.Option(help="How long to wait for the projector.", metavar="DURATION")]


@suppression.command("list")
def list_(context: typer.Context, stack: Stack = "sesmailengine", as_json: AsJson = False) -> None:
    """List the suppressed addresses, the latest first.

    Example: sesmailengine suppression list --json
    """
    rows = sorted(_table(context.obj(stack)).all_suppressed(), key=_since, reverse=True)
    if as_json:
        typer.echo(json.dumps([_shown(row) for row in rows]))
    elif rows:
        Console().print(_as_table(rows))
    else:
        typer.echo("no address is suppressed")


@suppression.command()
def check(
    context: typer.Context,
    given: Given = None,
    file: File = None,
    as_of: AsOf = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Tell which of the addresses are suppressed, since when and why. Exit 1 if any is.

    Example: sesmailengine suppression check ana@example.com bo@example.com --as-of 2026-11-24
    """
    keys, engine = _keys(given, file), context.obj(stack)
    moment = as_of_moment(as_of)
    rows = Then(engine, moment).suppressed(keys) if moment else _table(engine).suppressed(keys)
    if as_json:
        answers: dict[str, Any] = {key: _shown(rows[key]) if key in rows else None for key in keys}
        typer.echo(json.dumps(answers | ({"asOf": times.text(moment)} if moment else {})))
    else:
        for key in keys:
            row = rows.get(key)
            told = f"suppressed since {_since(row)}: {row['reason']}" if row else "not suppressed"
            typer.echo(f"{key}: {told}")
        if moment:
            typer.echo(told_as_of(moment))
    raise typer.Exit(1 if rows else 0)


@suppression.command()
def suppress(
    context: typer.Context,
    reason: Reason,
    given: Given = None,
    file: File = None,
    timeout: Timeout = "30s",
    stack: Stack = "sesmailengine",
) -> None:
    """Never mail these addresses again.

    Example: sesmailengine suppression suppress ana@example.com --reason "asked by phone"
    """
    engine: Engine = context.obj(stack)
    keys = _keys(given, file)
    _said(engine, keys, lambda key: AddressSuppressed(email=key, reason=reason), duration(timeout))
    typer.echo(f"suppressed {_counted(keys)}")


@suppression.command()
def release(
    context: typer.Context,
    reason: Reason,
    given: Given = None,
    file: File = None,
    timeout: Timeout = "30s",
    stack: Stack = "sesmailengine",
) -> None:
    """Let these addresses be mailed again, here and at SES.

    Example: sesmailengine suppression release ana@example.com --reason "mailbox mended"
    """
    engine: Engine = context.obj(stack)
    keys = _keys(given, file)
    for key in _with_progress(keys, "at SES"):
        forgive(engine.client("sesv2"), key)
    _said(engine, keys, lambda key: AddressReleased(email=key, reason=reason), duration(timeout))
    typer.echo(f"released {_counted(keys)}")


def _keys(given: Sequence[str] | None, file: Path | None) -> list[str]:
    """The suppression keys, each once. Raises BadParameter naming the first that is no address."""
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    wanted = [*(given or []), *(line.strip() for line in lines if line.strip())]
    if not wanted:
        raise typer.BadParameter("name an address, or a --file with an address a line")
    return list(dict.fromkeys(map(_key, wanted)))


def _key(address: str) -> str:
    try:
        return addresses.suppression_key(addresses.validated(address))
    except addresses.InvalidAddress as error:
        raise typer.BadParameter(f"'{address}' is no e-mail address: {error}") from error


def _said(
    engine: Engine,
    keys: Sequence[str],
    fact: Callable[[str], AddressSuppressed | AddressReleased],
    timeout: float,
) -> None:
    """Return once the projector has read the facts."""
    table = _table(engine)
    log = KinesisLog(engine.client("kinesis"), engine.settings.stream_name)
    for chunk in _with_progress(
        [keys[at : at + AT_ONCE] for at in range(0, len(keys), AT_ONCE)], "in the log"
    ):
        before = table.load(chunk)
        moments = {key: _moment(before[key].state if key in before else None) for key in chunk}
        log.append([fact(key).envelope(str(uuid.uuid4()), moments[key]) for key in chunk])
        _await(table, moments, timeout)


def _moment(history: History | None) -> str:
    """Now, or just behind what was said last, by whose clock ever: the later word stands."""
    last = max([history.released, *(cause.time for cause in history.causes)]) if history else ""
    now = times.utc_now()
    return times.text(max(now, times.parse(last) + timedelta(milliseconds=1)) if last else now)


def _await(table: SuppressionTable, moments: Mapping[str, str], timeout: float) -> None:
    deadline, missing = time.monotonic() + timeout, set(moments)
    while missing:
        known = table.load(missing)
        missing = {key for key in missing if key not in known or _last(known[key].state) < moments[key]}
        if missing and time.monotonic() > deadline:
            raise UserError(
                f"it stands in the log, but the projector has not read it within {timeout:g} s; it holds as soon as "
                "the projector runs: see `sesmailengine suppression check`"
            )
        time.sleep(POLL_SECONDS if missing else 0)


def _last(history: History) -> str:
    return max([history.released, *(cause.time for cause in history.causes)])


def _with_progress(each: Sequence[Any], what: str) -> Iterable[Any]:
    console = Console(stderr=True)
    return track(each, what, console=console, transient=True) if len(each) > 1 else each


def _table(engine: Engine) -> SuppressionTable:
    return SuppressionTable(engine.client("dynamodb"), engine.settings.suppression_table_name)


def _since(row: Mapping[str, Any] | None) -> str:
    return str(row["addedToSuppressionDate"]) if row else ""


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "history"}


def _as_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("address", "since", "why", "emailId"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row["email"], _since(row), row["reason"], row.get("emailId", ""))
    return table


def _counted(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} addresses"
