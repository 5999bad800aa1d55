"""The option `--as-of`: what the engine knew at a moment of the past, by when events arrived in its log."""

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer

from pipeline import times
from pipeline.options import duration

__all__ = ["AsOf", "moment_of"]

AsOf = Annotated[
    str | None,
    typer.Option(
        help="Tell what was known then, by what had arrived in the log: a time (RFC 3339; UTC where it names no "
        "zone), a date, or how long ago (2h).",
        metavar="TIME",
    ),
]


def moment_of(given: str | None, now: datetime) -> datetime | None:
    """To the millisecond, as arrivals are archived. Raises BadParameter for what is no time, or still to come."""
    if given is None:
        return None
    moment = times.parse(times.text(_read(given.strip(), now)))
    if moment > now:
        raise typer.BadParameter(
            f"{times.text(moment)} is still to come; it is {times.text(now)}", param_hint="--as-of"
        )
    return moment


def _read(given: str, now: datetime) -> datetime:
    try:
        if re.fullmatch(r"[\d.]+[a-z]+", given):
            return now - timedelta(seconds=duration(given))
        return times.parse(given.upper())  # RFC 3339 has `t` and `z` in either case
    except (ValueError, OverflowError, typer.BadParameter) as error:
        raise typer.BadParameter(
            f"'{given}' is no time; write for example 2026-11-24T20:00:00Z, 2026-11-24 or 2h",
            param_hint="--as-of",
        ) from error
