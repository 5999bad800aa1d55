"""Faults that are injected into SendEmail calls: which call is struck depends on the seed and its number."""

from collections.abc import Callable, Mapping

from infra.embedded.ses.config import SesConfig
from infra.embedded.ses.dice import chance
from infra.embedded.ses.errors import ConnectionLost, throttled

__all__ = ["AFTER", "BEFORE", "strike"]

Errors = Mapping[str, Callable[[], Exception]]

BEFORE: Errors = {"throttled": throttled, "lost_before": ConnectionLost}
AFTER: Errors = {"lost_after": ConnectionLost}


def strike(config: SesConfig, call: int, errors: Errors) -> None:
    """Raises the first of the errors whose share the call falls into."""
    for fault, error in errors.items():
        if chance(config.seed, fault, call) < getattr(config.faults, fault):
            raise error()
