"""Stores of projections as a port, and the loop that joins what a batch says into what is stored.

A store compares and swaps, so concurrent writers lose nothing: whoever finds the stored state changed
reads again and joins again.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["MemoryStore", "Store", "Stored", "merge"]

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Stored(Generic[State]):
    """A state, and the store's own token for what it was read from; None: it isn't stored yet."""

    state: State
    token: Any = None


class Store(Protocol[State]):
    def load(self, keys: Collection[str]) -> Mapping[str, Stored[State]]:
        """The states that are stored; keys without one are left out."""
        ...

    def save(self, changes: Mapping[str, Stored[State]]) -> Collection[str]:
        """Write each state if what it was read from still stands; returns the keys where it doesn't."""
        ...


def merge(
    store: Store[State],
    said: Mapping[str, State],
    join: Callable[[State, State], State],
    before_write: Callable[[Sequence[State]], Sequence[State]] = lambda states: states,
) -> None:
    """Join `said` into the store. `before_write` carries out what the new states ask for and marks it.

    Delivery guarantee: `before_write` sees a state at least once before it is stored.
    """
    waiting = dict(said)
    while waiting:
        stored = store.load(waiting)
        changes = _changes(stored, waiting, join)
        ready = dict(zip(changes, before_write([each.state for each in changes.values()]), strict=True))
        writes = {
            key: replace(changes[key], state=state)
            for key, state in ready.items()
            if key not in stored or stored[key].state != state
        }
        refused = store.save(writes) if writes else ()
        waiting = {key: waiting[key] for key in refused}


def _changes(
    stored: Mapping[str, Stored[State]], said: Mapping[str, State], join: Callable[[State, State], State]
) -> dict[str, Stored[State]]:
    changes = {}
    for key, state in said.items():
        known = stored.get(key)
        changes[key] = replace(known, state=join(known.state, state)) if known else Stored(state)
    return changes


class MemoryStore(Generic[State]):
    """The store in memory; `rows` is what a table would hold."""

    def __init__(self) -> None:
        self.rows: dict[str, Stored[State]] = {}
        self._lock = threading.Lock()

    def load(self, keys: Collection[str]) -> Mapping[str, Stored[State]]:
        with self._lock:
            return {key: self.rows[key] for key in keys if key in self.rows}

    def save(self, changes: Mapping[str, Stored[State]]) -> Collection[str]:
        return [key for key, change in changes.items() if not self._saved(key, change)]

    def _saved(self, key: str, change: Stored[State]) -> bool:
        with self._lock:
            if change.token != (self.rows[key].token if key in self.rows else None):
                return False
            self.rows[key] = Stored(change.state, (change.token or 0) + 1)
            return True
