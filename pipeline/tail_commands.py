"""`tail`: the log as it grows, on a terminal or into a pipe."""

import io
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from pipeline import times
from pipeline.engine import Engine
from pipeline.kinesis import KinesisLog
from pipeline.options import AsJson, Stack, duration
from pipeline.seen import KINDS, Seen, printable
from pipeline.tail import Tail

__all__ = ["commands"]

commands = typer.Typer()

LONGEST_SECONDS = 366 * 86400.0  # Kinesis keeps nothing longer
WIDTH = max(map(len, KINDS))

_STYLES = {
    "Email Request": "cyan",
    **dict.fromkeys(("Mail Sent", "Delivery", "Open", "Click"), "green"),
    **dict.fromkeys(("Mail Duplicate", "Send Due", "DeliveryDelay"), "yellow"),
    **dict.fromkeys(("Address Suppressed", "Sending Paused"), "yellow"),
    **dict.fromkeys(("Mail Failed", "Bounce", "Complaint", "Reject", "Rendering Failure"), "red"),
    **dict.fromkeys(("Record Parked", "Unreadable"), "bold red"),
}

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")]
Kind = Annotated[
    list[str] | None, typer.Option(help="Only events of this kind, such as 'Mail Failed'; repeatable.")
]
EmailId = Annotated[str | None, typer.Option(help="Only events about this mail and its retry.")]
Since = Annotated[str, typer.Option(help="How far back to begin.", metavar="DURATION")]


@commands.command()
def tail(
    context: typer.Context,
    follow: Follow = False,
    kind: Kind = None,
    email_id: EmailId = None,
    since: Since = "10m",
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Show the log's latest events in order of arrival; with --follow, those that come as well.

    With --json each line is one event: its envelope whole, with place and arrival.

    Example: sesmailengine tail --follow --kind "Mail Failed" --kind Bounce --since 1h
    """
    kinds, moment = _kinds(kind or []), _moment(since)
    engine: Engine = context.obj(stack)
    stream = engine.settings.stream_name
    log = KinesisLog(engine.client("kinesis"), stream)
    show = _shown_as_json if as_json else _Screen().show
    try:
        for record in Tail(log, moment, follow=follow, tell=_tell):
            seen = Seen.of(record)
            if (not kinds or seen.kind in kinds) and (email_id is None or seen.concerns(email_id)):
                show(seen)
    except KeyboardInterrupt:
        if not follow:
            raise
    except BrokenPipeError:
        _say_no_more()


def _kinds(given: Sequence[str]) -> set[str]:
    known = {kind.casefold(): kind for kind in KINDS}
    unknown = [each for each in given if each.casefold() not in known]
    if unknown:
        raise typer.BadParameter(
            f"'{printable(unknown[0])}' is no kind of event; there are: {', '.join(KINDS)}",
            param_hint="--kind",
        )
    return {known[each.casefold()] for each in given}


def _moment(since: str) -> datetime:
    return times.utc_now() - timedelta(seconds=min(duration(since), LONGEST_SECONDS))


def _tell(sentence: str) -> None:
    typer.echo(f"sesmailengine: {printable(sentence)}", err=True)


def _shown_as_json(seen: Seen) -> None:
    typer.echo(seen.json())


class _Screen(Console):
    """One line for each event, coloured on a terminal."""

    def __init__(self) -> None:
        super().__init__(soft_wrap=True, highlight=False, markup=False, emoji=False)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has all letters

    def show(self, seen: Seen) -> None:
        kind = printable(seen.kind)[: 2 * WIDTH]
        line = Text.assemble(
            (seen.arrival, "dim"),
            "  ",
            (f"{kind:{WIDTH}}", _STYLES.get(seen.kind, "")),
            f"  {printable(seen.email_id or '-')}  {seen.words()}",
        )
        self.print(line)

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _say_no_more() -> None:
    """Whoever read has read enough; what is still buffered goes nowhere, lest Python complain as it ends.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
