"""Dead letters as the commands show them: tables and text for people, JSON for programs.

What strangers wrote moves no cursor and is no markup.
"""

import io
import json
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from consumers.dead_letters import Dead
from consumers.dlq import REDRIVEN, Result, Tally
from pipeline import json_text
from pipeline.codec import Unreadable
from pipeline.seen import printable

__all__ = ["say_json", "show_counts", "show_list", "show_results", "show_whole"]

SHORT = 8


def show_counts(tallies: Mapping[str, Tally], as_json: bool) -> None:
    """By the names of the queues."""
    rows = [(each.queue, name, each.waiting, each.in_flight) for name, each in tallies.items()]
    names = ("queue", "name", "messages", "inFlight")
    if as_json:
        say_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        _print_table(names, rows)


def show_list(letters: Sequence[Dead], waiting: int, as_json: bool) -> None:
    if as_json:
        say_json([_row(dead) for dead in letters])
        return
    headings = ("id", "sent", "kind", "emailId", "consumer", "attempts", "reason")
    if letters:
        _print_table(headings, [[_short(dead), *list(_row(dead).values())[1:7]] for dead in letters])
    more = f" of about {waiting:,}" if waiting > len(letters) else ""
    typer.echo(f"{len(letters):,}{more} message{'' if len(letters) == 1 and not more else 's'}")


def show_whole(dead: Dead, as_json: bool) -> None:
    if as_json:
        say_json(_whole(dead))
        return
    _print_table((), [[name, value] for name, value in _told(dead).items() if value not in (None, "")])
    typer.echo()
    _say(_text(dead))


def show_results(results: Sequence[Result], notes: Sequence[str], as_json: bool) -> None:
    """Those that were redriven are only counted, but for a program."""
    if as_json:
        say_json([_outcome(each) for each in results])
    else:
        if told := [_outcome(each, SHORT) for each in results if each.outcome != REDRIVEN]:
            _print_table(list(told[0]), [list(row.values()) for row in told])
        counts = Counter(each.outcome for each in results)
        typer.echo(
            ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) or "nothing is there"
        )
    for note in notes:
        typer.echo(note, err=as_json)


def say_json(value: Any) -> None:
    """In ASCII, control characters as escapes."""
    typer.echo(json.dumps(value))


def _outcome(result: Result, length: int | None = None) -> dict[str, Any]:
    dead = result.dead
    shown = {"id": dead.message.id[:length], "kind": dead.kind, "emailId": dead.email_id}
    return shown | {"outcome": result.outcome, "reason": result.reason}


def _row(dead: Dead) -> dict[str, Any]:
    return {
        "id": dead.message.id,
        "sent": dead.message.sent,
        "kind": dead.kind,
        "emailId": dead.email_id,
        "consumer": dead.consumer,
        "attempts": dead.attempts,
        "reason": dead.reason,
        "place": dead.place.model_dump() if dead.place else None,
    }


def _whole(dead: Dead) -> dict[str, Any]:
    """`record` is the stored envelope; `data` its bytes where they are no JSON."""
    shown = _row(dead) | {"attributes": dict(dead.message.attributes), "fault": dead.fault or None}
    if not dead.entry:
        return shown | {"body": dead.message.body}
    record = _json_of(dead.entry.data)
    error = str(dead.event) if isinstance(dead.event, Unreadable) else None
    data = b64encode(dead.entry.data).decode() if record is None else None
    return shown | {"partitionKey": dead.entry.partition_key, "record": record, "data": data, "error": error}


def _told(dead: Dead) -> dict[str, Any]:
    """What is known of it besides its record; the attributes are those of the SQS message."""
    place = f"{dead.place.shard} {int(dead.place.sequence)}" if dead.place else None
    error = dead.event if isinstance(dead.event, Unreadable) else None
    key = dead.entry.partition_key if dead.entry else None
    told = _row(dead) | {"place": place, "partition key": key}
    told |= {"unreadable": error, "can't be redriven": dead.fault}
    return told | {name: value for name, value in dead.message.attributes.items() if name not in told}


def _text(dead: Dead) -> str:
    if not dead.entry:
        return dead.message.body
    record = _json_of(dead.entry.data)
    if record is None:
        return dead.entry.data.decode(errors="backslashreplace")
    return json.dumps(record, indent=2, ensure_ascii=False)


def _json_of(data: bytes) -> Any:
    try:
        return json_text.loads(data)
    except ValueError:
        return None


def _short(dead: Dead) -> str:
    return dead.message.id[:SHORT]


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=bool(headings))
    for heading in headings or ("", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(printable("" if value is None else str(value)) for value in row))
    _any_letter()
    Console(highlight=False, markup=False, emoji=False).print(table)


def _say(text: str) -> None:
    """Line by line, printable."""
    _any_letter()
    for line in text.split("\n"):
        typer.echo(printable(line))


def _any_letter() -> None:
    """Not every terminal has all letters."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
