"""Options that commands share, and how their values are read."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from pipeline import times

__all__ = ["AsJson", "Stack", "duration", "moment", "pairs"]

Stack = Annotated[
    str, typer.Option(envvar="SESMAILENGINE_STACK", help="The CloudFormation stack of the engine.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """Seconds in `90s`, `15m`, `1.5h`. Raises BadParameter."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text.strip())
    if not found:
        raise typer.BadParameter(f"'{text}' is no duration; write for example 30s, 15m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def moment(text: str, option: str) -> datetime:
    """A time as `2026-11-24T20:00:00Z` (UTC where it names no zone), a date, or how long ago (`2h`). Raises BadParameter."""
    try:
        if re.fullmatch(r"[\d.]+[a-z]+", text.strip()):
            return times.utc_now() - timedelta(seconds=duration(text))
        return times.parse(text.strip().upper())  # RFC 3339 has `t` and `z` in either case
    except (ValueError, OverflowError, typer.BadParameter) as error:
        raise typer.BadParameter(
            f"'{text}' is no time; write for example 2026-11-24T20:00:00Z, 2026-11-24 or 2h",
            param_hint=option,
        ) from error


def pairs(given: Sequence[str], option: str) -> dict[str, Any]:
    """`name=value` options as a mapping. Raises BadParameter."""
    wrong = [each for each in given if each.find("=") < 1]
    if wrong:
        raise typer.BadParameter(f"'{wrong[0]}' is not of the form name=value", param_hint=option)
    return {name: value for name, _, value in (each.partition("=") for each in given)}
