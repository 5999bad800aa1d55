"""Commands about the dead-letter queues: `dlq list | show | redrive`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from consumers.dead_letters import Dead, Queue
from consumers.dlq import (
    HIDDEN_SECONDS,
    KEPT,
    REDRIVEN,
    WOULD,
    DeadLetters,
    Look,
    Result,
    redrive,
    with_its_record,
    would_redrive,
)
from consumers.dlq_telling import show_counts, show_list, show_results, show_whole
from pipeline.engine import Engine
from pipeline.errors import Unavailable, UserError
from pipeline.kinesis import KinesisLog
from pipeline.options import AsJson, Stack
from pipeline.seen import printable

__all__ = ["commands"]

commands = typer.Typer()
dlq = typer.Typer(
    help="What could not be processed or did not reach the log, and how it gets there.", no_args_is_help=True
)
commands.add_typer(dlq, name="dlq")

AT_ONCE = 10

InQueue = Annotated[Queue, typer.Argument(help="The queue.")]
AnyQueue = Annotated[Queue | None, typer.Argument(help="The queue. Default: all four, counted.")]
Limit = Annotated[int, typer.Option(help="List at most so many messages.", min=1)]
Id = Annotated[str, typer.Argument(metavar="ID", help="A message's id, or its beginning.")]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="Ids, or their beginnings.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All messages of the queue.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list them.")]


@dlq.command("list")
def list_(
    context: typer.Context,
    queue: AnyQueue = None,
    limit: Limit = 1000,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Count what lies in the dead-letter queues; with a queue named, list it, the oldest first.

    Nothing is consumed: what is looked at is hidden from others for a moment, and counts as in flight. SQS keeps
    a message for 14 days from when it was first sent, which for feedback and delay is before it came here.

    Example: sesmailengine dlq list parked
    """
    engine: Engine = context.obj(stack)
    if queue is None:
        every = [_letters(engine, each) for each in Queue]
        show_counts({each.name: each.tally() for each in every}, as_json)
        return
    with _letters(engine, queue).look() as look:
        found = list(islice(_each(_with_progress(look.batches(), look.tally.waiting, "read")), limit))
    show_list(
        sorted(found, key=lambda dead: (dead.message.sent, dead.message.id)), look.tally.waiting, as_json
    )


@dlq.command()
def show(
    context: typer.Context, queue: InQueue, id_: Id, stack: Stack = "sesmailengine", as_json: AsJson = False
) -> None:
    """Show everything about a message: why it lies there, and the record that redriving would append.

    Example: sesmailengine dlq show parked 16df84a5
    """
    engine: Engine = context.obj(stack)
    with _letters(engine, queue).look() as look:
        (found,) = _named(look, queue, [id_])
    show_whole(with_its_record(found, _log(engine)), as_json)


@dlq.command("redrive")
def redrive_(
    context: typer.Context,
    queue: InQueue,
    ids: Ids = None,
    every: All = False,
    dry_run: DryRun = False,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Append the stored envelopes to the log, unchanged and under their ids, and delete the messages.

    A message is deleted only once the log has its record; what can't be redriven stays, with the reason: exit 1.
    Redriving twice changes nothing, and mails nobody twice. Remove the cause first: a record that still can't
    be processed is parked again.

    A request that a sender parked may have ended as `failed` (INTERNAL_ERROR, SES_ERROR): redriving repeats that
    fact, and sends nothing. Ask for those under new ids:
    sesmailengine resend --code INTERNAL_ERROR --since 24h

    Example: sesmailengine dlq redrive parked --all --dry-run
    """
    if every is bool(ids):
        raise typer.BadParameter("name messages by their ids, as `dlq list` shows them, or all with --all")
    engine: Engine = context.obj(stack)
    results: list[Result] = []
    notes: list[str] = []
    with _letters(engine, queue).look() as look:
        groups = _groups(look, queue, ids or [])
        log = _log(engine)
        try:
            for some in would_redrive(log, groups) if dry_run else redrive(look, log, groups):
                results += some
        except Unavailable as error:
            notes.append(f"stopped: {printable(str(error))}; what is not told of was not tried")
    stopped = bool(notes)
    notes += _notes(queue, look, results)
    show_results(results, notes, as_json)
    if stopped or any(each.outcome not in {REDRIVEN, WOULD} for each in results):
        raise typer.Exit(1)


# Reading.


def _letters(engine: Engine, queue: Queue) -> DeadLetters:
    settings = engine.settings
    urls = {
        Queue.request: settings.request_dlq_url,
        Queue.feedback: settings.feedback_dlq_url,
        Queue.delay: settings.delay_dlq_url,
        Queue.parked: settings.parked_queue_url,
    }
    return DeadLetters(engine.client("sqs"), queue, urls[queue])


def _log(engine: Engine) -> KinesisLog:
    return KinesisLog(engine.client("kinesis"), engine.settings.stream_name)


def _groups(look: Look, queue: Queue, ids: Sequence[str]) -> Iterator[Sequence[Dead]]:
    if not ids:
        return _with_progress(look.batches(), look.tally.waiting, "redriven")
    found = _named(look, queue, ids)
    groups = [found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE)]
    return _with_progress(groups, len(found), "redriven")


def _named(look: Look, queue: Queue, ids: Sequence[str]) -> list[Dead]:
    """The messages of these ids or beginnings of ids. Raises UserError unless each names one."""
    wanted = tuple(dict.fromkeys(each.strip().lower() for each in ids))
    batches = _with_progress(look.batches(), look.tally.waiting, "read")
    found = [dead for dead in _each(batches) if dead.message.id.startswith(wanted)]
    for each in wanted:
        matching = [dead.message.id for dead in found if dead.message.id.startswith(each)]
        if len(matching) > 1:
            raise UserError(f"'{printable(each)}' begins several ids: {', '.join(sorted(matching)[:5])}")
        if not matching:
            raise UserError(
                f"there is no message '{printable(each)}' in the {queue} queue; "
                f"one that somebody else looks at is hidden for up to {HIDDEN_SECONDS} s"
            )
    return found


def _each(batches: Iterable[Sequence[Dead]]) -> Iterator[Dead]:
    return (dead for batch in batches for dead in batch)


def _with_progress(batches: Iterable[Sequence[Dead]], total: int, what: str) -> Iterator[Sequence[Dead]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))


def _notes(queue: Queue, look: Look, results: Sequence[Result]) -> Iterator[str]:
    if look.came_later:
        yield f"{look.came_later:,} came meanwhile, and stay: see `sesmailengine dlq list {queue}`"
    if any(each.dead.consumer.startswith("sender") and each.outcome != KEPT for each in results):
        yield (
            "requests among them whose mails had ended as failed are not sent: "
            "ask for those again by `sesmailengine resend`"
        )
