"""A backend that is there already is found by a dictionary's lookup.

moto takes a lock that all services share, and compares every service's backends with one another, each time.
"""

from collections.abc import Callable
from typing import Any

from moto.core.base_backend import BackendDict

from infra.embedded.patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    patches.replace(BackendDict, "__getitem__", _known_first(BackendDict.__getitem__))


def _known_first(find: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def known_or_new(backends: Any, account: str) -> Any:
        known = dict.get(backends, account)
        registered: list[Any] = vars(BackendDict)["_instances"]
        if known is not None and any(each is backends for each in registered):
            return known
        return find(backends, account)  # which also registers them among those that a reset forgets

    return known_or_new
