"""EventBridge Pipes from an SQS queue to a Kinesis stream: each deployed pipe has a thread that waits at its queue.

Delivery is at least once: a message is deleted after its record is on the stream. One that fails stays in the
queue until its visibility timeout ends, and goes to the queue's DLQ after maxReceiveCount.
"""

import json
import logging
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

from moto.kinesis.models import kinesis_backends
from moto.pipes.models import EventBridgePipesBackend, Pipe, pipes_backends
from moto.sqs.models import Message, Queue, sqs_backends
from moto.utilities.arns import parse_arn

from infra.embedded import sqs_waiting
from infra.embedded.atomic_requests import lock_of
from infra.embedded.json_path import at
from infra.embedded.kinesis_records import append
from infra.embedded.patches import Patches
from infra.embedded.pipe_template import render
from infra.embedded.sqs_events import as_event, with_parsed_body

__all__ = ["Pipes"]

log = logging.getLogger(__name__)

DEFAULT_BATCH = 10
MAX_BATCH = 500  # what one PutRecords takes
PAUSE = 0.2  # seconds, while the queue is not there or the pipe is stopped


class Pipes:
    """The running pipes of one embedded AWS; those of other kinds exist and do nothing."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    def install(self, patches: Patches) -> None:
        create = EventBridgePipesBackend.create_pipe

        def create_pipe(backend: EventBridgePipesBackend, *arguments: Any, **named: Any) -> Pipe:
            pipe: Pipe = create(backend, *arguments, **named)
            if (parse_arn(pipe.source).service, parse_arn(pipe.target).service) == ("sqs", "kinesis"):
                self._runs.append(Run(pipe))
            return pipe

        patches.replace(EventBridgePipesBackend, "create_pipe", create_pipe)

    def stop(self) -> None:
        """Finishes what is in flight and leaves no thread behind."""
        for run in self._runs:
            run.stop()
        for run in self._runs:
            run.join()
        self._runs.clear()


class Run:
    """One pipe at work, until it is stopped, deleted or replaced."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._stopped = Event()
        self._waits_at: Queue | None = None
        self._source = parse_arn(pipe.source)
        self._thread = Thread(target=self._run, name=f"pipe-{pipe.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._waits_at is not None:
            sqs_waiting.wake(self._waits_at)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while self._deployed():
            queue = self._queue()
            if queue is None or self._pipe.desired_state == "STOPPED":
                self._stopped.wait(PAUSE)
            elif not self._move(queue):
                self._rest(queue)

    def _deployed(self) -> bool:
        pipes = pipes_backends[self._pipe.account_id][self._pipe.region_name].pipes
        return not self._stopped.is_set() and pipes.get(self._pipe.name) is self._pipe

    def _queue(self) -> Queue | None:
        return sqs_backends[self._source.account][self._source.region].queues.get(self._source.resource_id)

    def _rest(self, queue: Queue) -> None:
        self._waits_at = queue
        # With the lock held no message can arrive between the last look and the wait.
        with lock_of("sqs"):
            if not self._stopped.is_set() and not queue.messages:
                sqs_waiting.wait_at(queue, at_most=1.0)

    def _move(self, queue: Queue) -> bool:
        """Whether there was anything to move."""
        messages = self._received(queue)
        delivered = {message.id for message in messages if self._delivered(queue, message)}
        with lock_of("sqs"):
            _delete(queue, lambda message: message.id in delivered)
        return bool(messages)

    def _received(self, queue: Any) -> list[Message]:
        parameters = (self._pipe.source_parameters or {}).get("SqsQueueParameters", {})
        batch = min(int(parameters.get("BatchSize", DEFAULT_BATCH)), MAX_BATCH)
        backend = sqs_backends[self._source.account][self._source.region]
        with lock_of("sqs"):
            return backend.receive_message(queue.name, batch, 0, queue.visibility_timeout, ["All"])

    def _delivered(self, queue: Queue, message: Message) -> bool:
        try:
            self._append(as_event(queue, message))
        except Exception as error:  # noqa: BLE001  whatever it is, the message stays in the queue
            log.warning("pipe %s could not deliver message %s: %s", self._pipe.name, message.id, error)
            return False
        return True

    def _append(self, original: dict[str, Any]) -> None:
        parameters = self._pipe.target_parameters or {}
        event = with_parsed_body(original)
        template = parameters.get("InputTemplate")
        data = render(template, event, self._reserved(original, event)) if template else json.dumps(original)
        key = str(parameters.get("KinesisStreamParameters", {}).get("PartitionKey", "$.messageId"))
        if key.startswith("$"):
            found = at(event, key)
            key = found if isinstance(found, str) else json.dumps(found)
        target = parse_arn(self._pipe.target)
        with lock_of("kinesis"):
            stream = kinesis_backends[target.account][target.region].describe_stream(self._pipe.target, None)
            append(stream, key, b64encode(data.encode()).decode())

    def _reserved(self, original: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "aws.pipes.pipe-arn": self._pipe.arn,
            "aws.pipes.pipe-name": self._pipe.name,
            "aws.pipes.source-arn": self._pipe.source,
            "aws.pipes.target-arn": self._pipe.target,
            "aws.pipes.event.ingestion-time": now,
            "aws.pipes.event": original,
            "aws.pipes.event.json": event,
        }


def _delete(queue: Queue, gone: Callable[[Message], bool]) -> None:
    """A batch at once: moto's deletion by receipt handle looks through the whole queue for each message."""
    kept, pending = queue._messages, queue._pending_messages  # noqa: SLF001  a queue's messages have no public name
    queue._messages = [message for message in kept if not gone(message)]  # noqa: SLF001
    queue._pending_messages = {message for message in pending if not gone(message)}  # noqa: SLF001
