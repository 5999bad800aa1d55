"""A deployed engine as a command sees it: its settings and its AWS clients, made when first asked for."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from pipeline.settings import Settings

__all__ = ["Engine", "EngineOf"]


class Engine:
    def __init__(self, client: Callable[..., Any], settings: Callable[[], Settings]) -> None:
        self.client, self._settings = client, settings

    @cached_property
    def settings(self) -> Settings:
        return self._settings()


EngineOf = Callable[[str], Engine]
"""The engine of a stack's name: what the command line hands to every command."""
