"""Senders hold while suppression is rebuilt: a pause of everything, as a person says it, that stands in the log.

It is joined into the table of holds at once, since the projector may be behind, or not be running. Who is killed
leaves it standing: `replay --fresh` goes on and lifts it, and `sesmailengine paused` shows it.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pipeline import times
from pipeline.codec import decode
from pipeline.events import SendingFact, SendingPaused, SendingResumed
from pipeline.log import Log
from projections import holds
from projections.dynamodb import HoldsTable
from projections.holds import Hold, Selector
from projections.store import merge

__all__ = ["REASON", "holding"]

REASON = "suppression is being rebuilt (replay --fresh)"
EVERYTHING = Selector()


@contextmanager
def holding(table: HoldsTable, log: Log) -> Iterator[None]:
    """Held from here to the end; where everything is paused for another reason, it stays so."""
    standing = _standing(table)
    if standing is None:
        _say(table, log, SendingPaused(reason=REASON))
    yield
    if standing is None or standing.reason == REASON:
        _say(table, log, SendingResumed(reason=REASON))


def _standing(table: HoldsTable) -> Hold | None:
    return next((hold for hold in table.standing() if hold.selector == EVERYTHING), None)


def _say(table: HoldsTable, log: Log, fact: SendingFact) -> None:
    last = table.load([EVERYTHING.key]).get(EVERYTHING.key)
    behind = times.parse(last.state.time) + timedelta(milliseconds=1) if last else times.utc_now()
    envelope = fact.envelope(str(uuid.uuid4()), times.text(max(times.utc_now(), behind)))
    log.append([envelope])
    merge(table, holds.fold([decode(envelope.to_bytes())]), holds.join)
