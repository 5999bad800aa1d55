# ruff: noqa: SLF001  a queue's messages and their condition have no public name
"""Waiting for messages: woken by the message that arrives or by the clock of one that becomes visible.

moto looks once a second for delayed and invisible messages, and a request that waits would hold the service's
lock. Here each queue has a condition on that lock, which a waiting thread lets go.
"""

from threading import Condition
from time import monotonic
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.models import Queue, SQSBackend

from infra.embedded.atomic_requests import lock_of
from infra.embedded.patches import Patches

__all__ = ["Waiting", "wait_at", "wake"]

BREATH = 0.02  # seconds, should a message be visible that can't be received all the same
LONGEST = 60.0


def wake(queue: Queue) -> None:
    """Lets every thread that waits at the queue look again."""
    with queue._messages_lock:  # moto's own condition, on our lock
        queue._messages_lock.notify_all()


def wait_at(queue: Queue, at_most: float = LONGEST) -> None:
    """Returns when there may be something to receive. To be called with the queue's lock held."""
    moments = [max(m.visible_at, m.delayed_until) for m in queue._messages]
    if moments:  # a message isn't visible yet in its very millisecond, hence one more
        at_most = min(at_most, max(BREATH, (min(moments) - unix_time_millis() + 1) / 1000))
    queue._messages_lock.wait(at_most)


class Waiting:
    """Long polls of one embedded AWS. After `release` none waits any longer."""

    def __init__(self) -> None:
        self._released = False

    def install(self, patches: Patches) -> None:
        receive, change = SQSBackend.receive_message, SQSBackend.change_message_visibility
        initialise = Queue.__init__

        def __init__(queue: Queue, *arguments: Any, **named: Any) -> None:  # noqa: N807
            initialise(queue, *arguments, **named)
            queue._messages_lock = Condition(lock_of("sqs"))

        def receive_message(
            backend: SQSBackend, queue_name: str, count: int, seconds: float, *rest: Any, **named: Any
        ) -> list[Any]:
            deadline = monotonic() + int(seconds or 0)
            queue = backend.get_queue(queue_name)
            with queue._messages_lock:
                while not self._released:
                    found: list[Any] = receive(backend, queue_name, count, 0, *rest, **named)
                    left = deadline - monotonic()
                    if found or left <= 0:
                        return found
                    wait_at(queue, left)
                return []

        def change_message_visibility(backend: SQSBackend, queue_name: str, *rest: Any, **named: Any) -> None:
            change(backend, queue_name, *rest, **named)
            wake(backend.get_queue(queue_name))

        patches.replace(Queue, "__init__", __init__)
        patches.replace(SQSBackend, "receive_message", receive_message)
        patches.replace(SQSBackend, "change_message_visibility", change_message_visibility)

    def release(self, queues: list[Queue]) -> None:
        self._released = True
        for queue in queues:
            wake(queue)
