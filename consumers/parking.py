"""Parking: a record that can't be processed goes to the dead-letter queue with its reason, and to the log.

Delivery guarantee: the queue first, then the fact; a crash in between repeats both. A record too large for
a message of the queue goes without its data, which the log keeps at its place for the retention.
"""

import base64
import json
from dataclasses import dataclass
from typing import Protocol

from pipeline import ids, times
from pipeline.events import RecordParked
from pipeline.log import Log, Record
from pipeline.times import Clock

__all__ = ["LETTER_BYTES", "Letter", "Letters", "Parking", "Parks", "letter_text"]

LETTER_BYTES = 256 * 1024  # every queue takes a message of this size


@dataclass(frozen=True, slots=True)
class Letter:
    """A parked record: enough to see why, and to put it back as it was."""

    consumer: str
    record: Record
    error: str
    attempts: int


class Letters(Protocol):
    """Where parked records go."""

    def put(self, letter: Letter) -> None: ...


def letter_text(letter: Letter) -> str:
    told = {
        "consumer": letter.consumer,
        "place": letter.record.place.model_dump(),
        "error": letter.error,
        "attempts": letter.attempts,
        "partitionKey": letter.record.partition_key,
        "data": base64.b64encode(letter.record.data).decode(),
    }
    whole = json.dumps(told)
    return whole if len(whole) <= LETTER_BYTES else json.dumps(told | {"data": None})


class Parks(Protocol):
    """What the runner asks of parking."""

    def park(self, record: Record, error: BaseException, attempts: int) -> None: ...


class Parking:
    def __init__(self, consumer: str, letters: Letters, log: Log, now: Clock) -> None:
        self._consumer, self._letters, self._log, self._now = consumer, letters, log, now

    def park(self, record: Record, error: BaseException, attempts: int) -> None:
        reason = f"{type(error).__name__}: {error}"[:500]
        self._letters.put(Letter(self._consumer, record, reason, attempts))
        fact = RecordParked(consumer=self._consumer, place=record.place, error=reason, attempts=attempts)
        place = record.place
        event_id = ids.derived_id(fact.detail_type, self._consumer, place.shard, place.sequence)
        self._log.append([fact.envelope(event_id, times.text(self._now()))])
