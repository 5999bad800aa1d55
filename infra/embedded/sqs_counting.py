"""A queue's attributes one at a time, and its messages with one look at the clock.

moto counts all messages three times for any attribute, which it asks for at each message that is sent or received:
with a thousand in the queue it moves twenty a second.
"""

# ruff: noqa: SLF001  a queue's messages have no public name

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.core.utils import camelcase_to_underscores, unix_time_millis
from moto.sqs.models import Message, Queue

from infra.embedded.patches import Patches

__all__ = ["install"]


class Attributes(Mapping[str, Any]):
    """Worked out when they are asked for."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getitem__(self, name: str) -> Any:
        if name not in self._names():
            raise KeyError(name)
        value = getattr(self._queue, camelcase_to_underscores(name))
        if name == "RedrivePolicy" and value:
            return json.dumps(value)
        return str(value).lower() if isinstance(value, bool) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[str]:
        queue: Any = self._queue
        fifo = queue.FIFO_ATTRIBUTES if queue.fifo_queue else []
        return [*queue.BASE_ATTRIBUTES, *fifo, *(queue.KMS_ATTRIBUTES if queue.kms_master_key_id else [])]


COUNTS: dict[str, Callable[[Message, float], bool]] = {
    "approximate_number_of_messages": lambda m, now: m.visible_at < now and m.delayed_until <= now,
    "approximate_number_of_messages_delayed": lambda m, now: m.delayed_until > now,
    "approximate_number_of_messages_not_visible": lambda m, now: m.visible_at >= now,
}


def install(patches: Patches) -> None:
    for name, counts in COUNTS.items():
        patches.replace(Queue, name, property(_counting(counts)))
    patches.replace(Queue, "messages", property(_messages))
    patches.replace(Queue, "attributes", property(Attributes))


def _messages(queue: Queue) -> list[Message]:
    now = unix_time_millis()
    return [m for m in queue._messages if m.visible_at < now and m.delayed_until <= now]


def _counting(counts: Callable[[Message, float], bool]) -> Callable[[Queue], int]:
    def count(queue: Queue) -> int:
        now = unix_time_millis()
        return sum(counts(message, now) for message in queue._messages)

    return count
