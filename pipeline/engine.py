"""A deployed engine as a command sees it: its settings and its AWS clients, made when first asked for."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pipeline.codec import Event
from pipeline.errors import UserError
from pipeline.settings import Settings

__all__ = ["About", "Engine", "EngineOf", "Past"]


@dataclass(frozen=True, slots=True)
class About:
    """What a question about the past is about: a mail with its retry, or addresses by their suppression keys."""

    email_id: str | None = None
    addresses: Collection[str] = ()


Past = Callable[["Engine", About, datetime], Iterable[Event]]
"""The events about a mail or addresses that had arrived in the log by a moment, in any order, some of them twice."""


def _without_archive(*_: object) -> Iterable[Event]:
    raise UserError("this engine can't be asked about the past: nobody told it how to read the archive")


class Engine:
    def __init__(
        self, client: Callable[..., Any], settings: Callable[[], Settings], past: Past = _without_archive
    ) -> None:
        self.client, self._settings, self._past = client, settings, past

    @cached_property
    def settings(self) -> Settings:
        return self._settings()

    def past(self, about: About, moment: datetime) -> Iterable[Event]:
        """Raises UserError where the archive can't be read."""
        return self._past(self, about, moment)


EngineOf = Callable[[str], Engine]
"""The engine of a stack's name: what the command line hands to every command."""
