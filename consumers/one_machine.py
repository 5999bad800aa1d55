"""The host for one machine: every consumer reads every shard in a thread of its own, at its own pace.

Checkpoints lie in DynamoDB. A shard that a split or merge has ended is finished before its children begin.
It polls more often than the five reads a second that Kinesis grants a shard: it is for the embedded AWS.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from consumers.handler import Handler
from consumers.metrics import Metrics, silent
from consumers.parking import Parks
from consumers.patience import Patience, Stopped
from consumers.runner import Runner
from pipeline.errors import Unavailable
from pipeline.log import Log, Shard
from pipeline.times import Clock

__all__ = ["Checkpoints", "Consumer", "OneMachineHost"]

SHARD_LOOKUP_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Checkpoints(Protocol):
    def read(self, consumer: str, shard: str) -> tuple[int | None, bool]:
        """The checkpointed sequence number, and whether the shard was read to its end."""
        ...

    def write(
        self, consumer: str, shard: str, sequence: int | None, at: datetime, *, ended: bool
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer's name, what makes its handler for a shard (from a checkpoint), and where it parks.

    `stopping` is set when the host stops: a handler that waits for room inside `process` watches it, too.
    """

    name: str
    handler: Callable[[str, int | None], Handler]
    parking: Parks
    stopping: threading.Event = field(default_factory=threading.Event)
    metrics: Metrics = field(default_factory=silent)


@dataclass(frozen=True, slots=True)
class OneMachine:
    """What the host works with. Seconds: pause on a quiet shard, and grace for draining."""

    log: Log
    checkpoints: Checkpoints
    now: Clock
    idle: float = 0.1
    grace: float = 3.0
    checkpoint_seconds: float = 1.0  # from one checkpoint to the next


class OneMachineHost:
    def __init__(self, machine: OneMachine, consumers: Sequence[Consumer]) -> None:
        self._machine, self._consumers = machine, consumers
        self._stopping = threading.Event()
        self._readers: dict[tuple[str, str], ShardReader] = {}
        self._supervisor = threading.Thread(target=self._supervise, name="host", daemon=True)

    def start(self) -> None:
        self._supervisor.start()

    def stop(self) -> None:
        """Drain every handler within the grace, checkpoint, and return."""
        deadline = time.monotonic() + self._machine.grace + 1
        self._stopping.set()
        for consumer in self._consumers:
            consumer.stopping.set()
        self._supervisor.join()
        for reader in self._readers.values():
            reader.join(max(0.0, deadline - time.monotonic()))

    def caught_up(self) -> bool:
        """Whether every reader found nothing new when it read last."""
        readers = list(self._readers.values())
        return bool(readers) and all(reader.quiet or reader.ended for reader in readers)

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            try:
                self._begin_new_shards(self._machine.log.shards())
            except Unavailable as error:
                _log.warning("the host waits for the stream: %s", error)
            self._stopping.wait(SHARD_LOOKUP_SECONDS)

    def _begin_new_shards(self, shards: Sequence[Shard]) -> None:
        """Parents before children; a reader that died of a fault of ours begins again at its checkpoint."""
        known = {shard.id for shard in shards}
        for consumer in self._consumers:
            for shard in shards:
                parents = [
                    self._readers.get((consumer.name, parent)) for parent in shard.parents if parent in known
                ]
                if all(parent and parent.ended for parent in parents):
                    self._keep_reading(consumer, shard.id)

    def _keep_reading(self, consumer: Consumer, shard: str) -> None:
        reader = self._readers.get((consumer.name, shard))
        if reader and (reader.ended or reader.is_alive()):
            return
        self._readers[consumer.name, shard] = ShardReader(self._machine, consumer, shard)
        self._readers[consumer.name, shard].start()


class ShardReader(threading.Thread):
    """One consumer on one shard."""

    def __init__(self, machine: OneMachine, consumer: Consumer, shard: str) -> None:
        super().__init__(name=f"{consumer.name} {shard}", daemon=True)
        self._machine, self._consumer, self._shard = machine, consumer, shard
        self._patience = Patience(consumer.name, consumer.stopping, consumer.metrics)
        self._checkpoint: int | None = None
        self._next_checkpoint = 0.0
        self.ended = False
        self.quiet = False

    def run(self) -> None:
        try:
            call = self._patience.call
            after, self.ended = call(lambda: self._machine.checkpoints.read(self._consumer.name, self._shard))
            if not self.ended:
                self._checkpoint = after
                self._read(after)
        except Stopped:
            return
        except Exception:  # noqa: BLE001  the host begins again at the checkpoint
            _log.exception("%s stopped reading %s", self._consumer.name, self._shard)

    def _read(self, after: int | None) -> None:
        consumer = self._consumer
        handler = consumer.handler(self._shard, after)
        runner = Runner(consumer.name, handler, consumer.parking, self._patience, consumer.metrics)
        try:
            self._read_on(runner, after)
        except Stopped:
            runner.drain(time.monotonic() + self._machine.grace)
            self._write(runner.durable(), now=True)

    def _read_on(self, runner: Runner, after: int | None) -> None:
        reader = self._machine.log.reader(self._shard, after)
        closed = False
        while not closed:
            batch = self._patience.call(reader.read)
            runner.process(batch.records)
            self._write(runner.durable())
            closed = batch.closed
            self.quiet = not batch.records
            self._patience.pause(self._machine.idle if self.quiet else 0)
        runner.finish()  # the children of the shard begin once everything in it is durable
        self._write(runner.durable(), now=True, ended=True)
        self.ended = True

    def _write(self, durable: int | None, *, now: bool = False, ended: bool = False) -> None:
        """A handler that has finished nothing yet leaves the checkpoint that it began at."""
        if durable in (None, self._checkpoint) and not ended:
            return
        if time.monotonic() < self._next_checkpoint and not now:
            return
        machine, name = self._machine, self._consumer.name
        self._next_checkpoint = time.monotonic() + machine.checkpoint_seconds
        reached = self._checkpoint if durable is None else durable
        try:
            machine.checkpoints.write(name, self._shard, reached, machine.now(), ended=ended)
        except Unavailable as error:
            _log.warning("%s could not checkpoint %s: %s", name, self._shard, error)
        else:
            self._checkpoint = reached
