"""`resend`: asks again, under new ids, for mails that failed."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, NamedTuple, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from pipeline import times
from pipeline.codec import Request, decode
from pipeline.engine import Engine
from pipeline.errors import Misconfigured, Unavailable
from pipeline.eventbridge import Asked, ask
from pipeline.kinesis import KinesisLog
from pipeline.log import Record
from pipeline.options import AsJson, Stack, moment
from pipeline.rereading import reread
from projections.dynamodb import TrackingTable
from projections.resending import Failure, failure_of

__all__ = ["commands"]

commands = typer.Typer()

Answer = TypeVar("Answer")

AT_ONCE = 100
PATIENCE_SECONDS = 120.0
ASKED, WOULD_ASK, BEFORE, GONE = "asked", "would be asked", "asked before", "left the log"

Code = Annotated[str, typer.Option(help="The errorCode they failed with, such as TEMPLATE_NOT_FOUND.")]
Since = Annotated[
    str, typer.Option(help="Failed since this time (ISO 8601), or within this duration (2h).", metavar="TIME")
]
Source = Annotated[str | None, typer.Option(help="Only requests of this source.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list them.")]


class Result(NamedTuple):
    failure: Failure
    outcome: str


@commands.command()
def resend(
    context: typer.Context,
    code: Code,
    since: Since,
    source: Source = None,
    dry_run: DryRun = False,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Ask again, under new ids, for the mails that failed with an error code.

    Repeating the command sends nothing twice: the new id is derived from the old one and from the event
    that says the mail failed, so one failure is asked for again once. A request is read from the log; one
    that has left it (after 7 days) is listed, and can't be asked for again: exit 1.

    Example: sesmailengine resend --code TEMPLATE_NOT_FOUND --since 2026-11-24T20:00:00Z --dry-run
    """
    engine, after = context.obj(stack), times.text(moment(since, "--since"))
    progress = Progress(time.monotonic)
    failures = _failures(engine, progress, (code, after, source))
    results = sorted(_results(engine, progress, failures, dry_run))
    _show(results, as_json)
    if any(result.outcome == GONE for result in results):
        raise typer.Exit(1)


class Progress:
    """Tells people on stderr how far it is, every two seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()

    def tell(self, sentence: str) -> None:
        if self._clock() - self._last >= 2:
            self._last = self._clock()
            typer.echo(sentence, err=True)


def _failures(engine: Engine, progress: Progress, asked: tuple[str, str, str | None]) -> list[Failure]:
    failures: list[Failure] = []
    rows = 0
    for read, mails in _mails(engine).failed(*asked):
        failures += map(failure_of, mails)
        rows += read
        progress.tell(f"{rows:,} rows read, {len(failures):,} failures found")
    return failures


def _results(
    engine: Engine, progress: Progress, failures: Sequence[Failure], dry_run: bool
) -> Iterator[Result]:
    known = _mails(engine).load([failure.new_id for failure in failures])
    yield from (Result(failure, BEFORE) for failure in failures if failure.new_id in known)
    wanted = sorted((each for each in failures if each.new_id not in known), key=_place)  # neighbours
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        requests = _patiently(lambda some=some: _requests(engine, some))  # type: ignore[misc]
        if not dry_run:
            _patiently(lambda asked=requests: _ask(engine, asked))  # type: ignore[misc]
        there = WOULD_ASK if dry_run else ASKED
        yield from (Result(each, there if each.new_id in requests else GONE) for each in some)
        progress.tell(f"{start + len(some):,} of {len(wanted):,} done")


def _place(failure: Failure) -> tuple[str, str]:
    return (failure.place.shard, failure.place.sequence) if failure.place else ("", "")


def _requests(engine: Engine, failures: Sequence[Failure]) -> dict[str, Asked]:
    """Those that are still in the log, by their new ids."""
    log = KinesisLog(engine.client("kinesis"), engine.settings.stream_name)
    records = dict(reread(log, [failure.place for failure in failures if failure.place]))
    asked = {each.new_id: _again(each, records.get(each.place)) for each in failures if each.place}
    return {new_id: request for new_id, request in asked.items() if request}


def _again(failure: Failure, record: Record | None) -> Asked | None:
    """The request as it was, but for its id."""
    event = decode(record.data) if record else None
    if event is None or not isinstance(event.body, Request):
        return None
    detail = event.body.detail | {"emailId": failure.new_id}
    return Asked(event.body.source, detail, tuple(event.envelope.resources))


def _ask(engine: Engine, requests: dict[str, Asked]) -> None:
    ask(engine.client("events"), engine.settings.event_bus_name, requests.values())


def _patiently(action: Callable[[], Answer]) -> Answer:
    """Asking twice is harmless: a second request with an id sends nothing."""
    patient = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_exponential_jitter(multiplier=0.2, max=5),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )
    return patient(action)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, Misconfigured)


def _show(results: Sequence[Result], as_json: bool) -> None:
    rows = [(each.failure.time, each.failure.email_id, each.failure.new_id, each.outcome) for each in results]
    names = ("failedAt", "emailId", "newEmailId", "outcome")
    if as_json:
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    if rows:
        table = Table(box=None, pad_edge=False)
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
    counts = Counter(result.outcome for result in results)
    typer.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no such mail failed")


def _mails(engine: Engine) -> TrackingTable:
    settings = engine.settings
    return TrackingTable(engine.client("dynamodb"), settings.tracking_table_name, settings.retention)
