"""The fold of holds: which requests wait because a person said so, as a join-semilattice.

Of what was said about one selector the later stands, and a tie pauses; joining takes the greater by
(time, whether it pauses, id). Selectors are apart: what a pause of everything holds, a resume of one
campaign doesn't set free.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline import ids
from pipeline.codec import Event
from pipeline.events import SendingFact, SendingPaused

__all__ = ["KEPT_SECONDS", "Hold", "Selector", "fold", "join", "of", "selector"]

KEPT_SECONDS = 5.0
"""How long whoever heeds holds may go without looking."""


class Selector(NamedTuple):
    """Requests that match all given parts; `metadata` as sorted pairs."""

    source: str | None = None
    template: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return ids.content_id(self._asdict())

    def matches(self, source: str | None, template: str, metadata: Mapping[str, Any]) -> bool:
        return (
            self.source in (None, source)
            and self.template in (None, template)
            and all(name in metadata and _is(metadata[name], value) for name, value in self.metadata)
        )


class Hold(NamedTuple):
    """The last word about a selector: `paused`, or resumed. Its parts are in the order that decides."""

    time: str
    paused: bool
    id: str
    reason: str
    selector: Selector


def selector(source: str | None, template: str | None, metadata: Mapping[str, str]) -> Selector:
    return Selector(source, template, tuple(sorted(metadata.items())))


def of(event: Event) -> Hold | None:
    """What one event says; None if it is about no hold."""
    match event.body:
        case SendingFact() as said:
            about = selector(said.source, said.template_name, said.metadata)
            return Hold(event.time, isinstance(said, SendingPaused), event.id, said.reason, about)
    return None


def join(one: Hold, other: Hold) -> Hold:
    """Of one selector."""
    return max(one, other)


def fold(events: Iterable[Event]) -> dict[str, Hold]:
    """The last words by the keys of their selectors, from these events alone."""
    holds: dict[str, Hold] = {}
    for hold in filter(None, map(of, events)):
        key = hold.selector.key
        holds[key] = join(holds.get(key, hold), hold)
    return holds


def _is(found: Any, wanted: str) -> bool:
    """Text as it is, anything else as JSON: `true`, `7`."""
    return bool(found == wanted if isinstance(found, str) else json.dumps(found) == wanted)
