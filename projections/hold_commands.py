"""Commands that hold mail back: `pause`, `resume`, and `paused`, which shows what is held."""

import json
import time
import uuid
from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pipeline import times
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.events import SendingFact, SendingPaused, SendingResumed
from pipeline.kinesis import KinesisLog
from pipeline.options import AsJson, Stack, duration, pairs
from projections import holds
from projections.dynamodb import HoldsTable
from projections.holds import KEPT_SECONDS, Hold, Selector

__all__ = ["commands"]

commands = typer.Typer()

POLL_SECONDS = 0.2

Source = Annotated[str | None, typer.Option(help="Only requests of this source.")]
Template = Annotated[str | None, typer.Option(help="Only requests for this template.")]
Metadata = Annotated[
    list[str] | None, typer.Option(help="Only requests with this metadata entry, name=value; repeatable.")
]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.")]
Timeout = Annotated[str, typer.Option(help="How long to wait for the projector.", metavar="DURATION")]


@commands.command()
def pause(
    context: typer.Context,
    source: Source = None,
    template: Template = None,
    metadata: Metadata = None,
    reason: Reason = "no reason given",
    timeout: Timeout = "30s",
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Hold back the mails whose requests match all that is given; without any option, all mails.

    They wait until `resume`; one that grows too old meanwhile ends as failed, REQUEST_EXPIRED. What has
    gone to SES before can't be held.

    Example: sesmailengine pause --template newsletter --metadata campaignId=spring --reason "wrong price"
    """
    engine: Engine = context.obj(stack)
    fact = _fact(SendingPaused, source, template, metadata, reason)
    _told(_said(engine, fact, duration(timeout)), f"senders heed it within {KEPT_SECONDS:g} s", as_json)


@commands.command()
def resume(
    context: typer.Context,
    source: Source = None,
    template: Template = None,
    metadata: Metadata = None,
    reason: Reason = "no reason given",
    timeout: Timeout = "30s",
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """End a pause, named by the options it was made with. Exit 1 if no such pause stands.

    Each mail that it held is sent once, at the engine's pace, unless another pause holds it.

    Example: sesmailengine resume --template newsletter --metadata campaignId=spring
    """
    engine: Engine = context.obj(stack)
    fact = _fact(SendingResumed, source, template, metadata, reason)
    about = _selector(fact)
    if about not in [hold.selector for hold in _table(engine).standing()]:
        raise UserError(
            f"nothing pauses exactly {_words(about)}; `sesmailengine paused` lists what is paused"
        )
    within = engine.settings.paused_round_seconds + KEPT_SECONDS
    _told(
        _said(engine, fact, duration(timeout)), f"what it held comes back within about {within:g} s", as_json
    )


@commands.command()
def paused(context: typer.Context, stack: Stack = "sesmailengine", as_json: AsJson = False) -> None:
    """List what is paused, the oldest first.

    Example: sesmailengine paused
    """
    standing = _table(context.obj(stack)).standing()
    if as_json:
        typer.echo(json.dumps([_shown(hold) for hold in standing]))
        return
    if not standing:
        typer.echo("nothing is paused")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("since", "what", "reason"):
        table.add_column(heading, overflow="fold")
    for hold in standing:
        table.add_row(hold.time, _words(hold.selector), hold.reason)
    Console().print(table)


def _fact(
    kind: type[SendingFact],
    source: str | None,
    template: str | None,
    metadata: list[str] | None,
    reason: str,
) -> SendingFact:
    try:
        given = pairs(metadata or [], "--metadata")
        return kind(source=source, template_name=template, metadata=given, reason=reason)
    except ValidationError as error:
        fault = error.errors()[0]
        raise typer.BadParameter(f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}") from error


def _said(engine: Engine, fact: SendingFact, timeout: float) -> Hold:
    """What stands once the projector has read the fact."""
    table, about = _table(engine), _selector(fact)
    event_id, moment = str(uuid.uuid4()), _moment(table, about)
    log = KinesisLog(engine.client("kinesis"), engine.settings.stream_name)
    log.append([fact.envelope(event_id, moment)])
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = table.load([about.key]).get(about.key)
        if found and (found.state.id == event_id or found.state.time > moment):
            return found.state
        time.sleep(POLL_SECONDS)
    raise UserError(
        f"it stands in the log, but the projector has not read it within {timeout:g} s; it holds as soon as "
        "the projector runs: see `sesmailengine paused`"
    )


def _moment(table: HoldsTable, about: Selector) -> str:
    """Now, or just behind what was said last, by whose clock ever: the later word stands."""
    last, now = table.load([about.key]).get(about.key), times.utc_now()
    behind = times.parse(last.state.time) + timedelta(milliseconds=1) if last else now
    return times.text(max(now, behind))


def _told(hold: Hold, what_follows: str, as_json: bool) -> None:
    word = "paused" if hold.paused else "resumed"
    typer.echo(json.dumps(_shown(hold)) if as_json else f"{word} {_words(hold.selector)}; {what_follows}")


def _shown(hold: Hold) -> dict[str, Any]:
    selected = hold.selector._asdict() | {"metadata": dict(hold.selector.metadata)}
    return selected | {"paused": hold.paused, "since": hold.time, "reason": hold.reason}


def _words(about: Selector) -> str:
    parts = [f"--source {about.source}"] if about.source is not None else []
    parts += [f"--template {about.template}"] if about.template is not None else []
    parts += [f"--metadata {name}={value}" for name, value in about.metadata]
    return " ".join(parts) or "everything"


def _selector(fact: SendingFact) -> Selector:
    return holds.selector(fact.source, fact.template_name, fact.metadata)


def _table(engine: Engine) -> HoldsTable:
    return HoldsTable(engine.client("dynamodb"), engine.settings.reputation_table_name)
