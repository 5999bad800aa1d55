"""The option `--as-of`: what the engine knew at a moment of the past, by when events arrived in its log."""

from datetime import datetime
from typing import Annotated

import typer

from pipeline import times
from pipeline.options import moment

__all__ = ["AsOf", "as_of_moment"]

AsOf = Annotated[
    str | None,
    typer.Option(
        help="Tell what was known then, by what had arrived in the log: a time (RFC 3339; UTC where it names no "
        "zone), a date, or how long ago (2h).",
        metavar="TIME",
    ),
]


def as_of_moment(given: str | None, clock: times.Clock = times.utc_now) -> datetime | None:
    """To the millisecond, as arrivals are archived. Raises BadParameter for what is no time, or still to come."""
    if given is None:
        return None
    asked = times.parse(times.text(moment(given, "--as-of")))
    now = clock()
    if asked > now:
        raise typer.BadParameter(
            f"{times.text(asked)} is still to come; it is {times.text(now)}", param_hint="--as-of"
        )
    return asked
