"""The JSON paths that EventBridge takes: `$.detail.items[0].id`."""

import re
from functools import cache
from typing import Any

__all__ = ["PathNotFound", "at"]

STEP = re.compile(r"\[(\d+)\]|\['([^']+)'\]|\.?([^.\[\]]+)")


class PathNotFound(LookupError):
    """The event has nothing there."""


def at(value: Any, path: str) -> Any:
    """Raises PathNotFound."""
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError) as error:
            raise PathNotFound(f"there is no {path}") from error
    return value


@cache
def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(
        int(index) if index else quoted or name
        for index, quoted, name in STEP.findall(path.removeprefix("$"))
    )
