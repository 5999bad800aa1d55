"""The host for production: a record processor of the Kinesis Client Library, one process for each leased shard.

    MultiLangDaemon ─stdin─► process_records ─► runner ─► handler
                    ◄stdout─ checkpoint(durable)

Delivery guarantee: only `durable()` is checkpointed, so a crash repeats records and never skips one. The library
takes an exception for a success; so none gets there: what the runner can't deal with ends the process hard,
the daemon with it, and the records come again. Protocol and calls:
https://docs.aws.amazon.com/streams/latest/dev/kcl-multilang-daemon.html
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any

from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3.processor import RecordProcessorBase

from consumers import pulse
from consumers.in_hand import TOUCH_SECONDS, InHand, Killed, Notes
from consumers.one_machine import Consumer
from consumers.patience import Patience, Stopped
from consumers.runner import Runner
from pipeline.errors import EngineError, Unavailable
from pipeline.log import Record
from pipeline.logs import brief

__all__ = ["ShardProcessor", "Shift"]

FAULT = 71  # the exit code
CHECKPOINT_TRIES = 5
SETTLE_SECONDS = 30.0  # for a batch whose records are looked at one by one
LEASE_LOST = "ShutdownException"
OUT_OF_STEP = "InvalidStateException"  # the two ends of the protocol have lost each other

_log = logging.getLogger(__name__)
Method = Callable[["ShardProcessor", Any], None]


@dataclass(frozen=True, slots=True)
class Shift:
    """What a processor works with. Seconds: from one checkpoint to the next, and grace for draining.

    `health`: the folder in which each shard has a file that is written as long as it is alive.
    """

    consumer: Consumer
    notes: Notes
    health: Path
    checkpoint_seconds: float = 2.0
    grace: float = 15.0


def _or_end(method: Method) -> Method:
    """No exception leaves: whatever it is, this process can't go on at this shard."""

    @wraps(method)
    def guarded(self: "ShardProcessor", told: Any) -> None:
        try:
            with pulse.working():
                method(self, told)
        except Stopped:
            _log.info("stopping: what is unfinished comes again")
        except BaseException:  # noqa: BLE001  the library would take it for a success
            _log.critical("this process ends; its records come again", exc_info=True)
            os._exit(FAULT)

    return guarded


class ShardProcessor(RecordProcessorBase):
    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        consumer = shift.consumer
        self._patience = Patience(consumer.name, consumer.stopping, consumer.metrics)
        self._next_checkpoint = 0.0
        self._living, self._health = False, threading.Lock()
        self._suspicious = self._doubting = False
        self._done_with_doubt = threading.Event()

    @_or_end
    def initialize(self, initialize_input: Any) -> None:
        consumer, self._shard = self._shift.consumer, initialize_input.shard_id
        self._checkpoint = _number(initialize_input.sequence_number)
        self._begun_at = self._checkpoint
        handler = consumer.handler(self._shard, self._checkpoint)
        self._runner = Runner(consumer.name, handler, consumer.parking, self._patience, consumer.metrics)
        self._in_hand = self._patience.call(
            lambda: InHand(self._shift.notes, consumer.name, self._shard, self._checkpoint)
        )
        self._suspicious = self._in_hand.suspicious
        self._living = True
        self.alive()

    @_or_end
    def process_records(self, process_records_input: Any) -> None:
        self._patience.pause(0)  # once the process stops, nothing new is begun
        records = [_record(self._shard, raw) for raw in process_records_input.records]
        checkpointer = process_records_input.checkpointer
        if records and self._in_doubt():
            self._one_by_one(records, checkpointer)
        else:
            if records:
                self._patience.call(self._in_hand.begin)
            self._runner.process(records)
        self._write(checkpointer)
        self.alive()

    def _in_doubt(self) -> bool:
        """Whether one of the first records may be a killer. The process before this one may still have it in hand."""
        if self._suspicious and not self._doubting:
            while not self._patience.call(self._in_hand.is_clear):
                self._patience.pause(1.0)
            self._suspicious = self._doubting = self._in_hand.suspicious
            if self._doubting:
                threading.Thread(target=self._touch, name="in hand", daemon=True).start()
        return self._suspicious

    def _touch(self) -> None:
        while not self._done_with_doubt.wait(TOUCH_SECONDS):
            with suppress(EngineError):  # then the next start may count one death too many
                self._in_hand.touch()

    def _one_by_one(self, records: Sequence[Record], checkpointer: Any) -> None:
        """The first records of a start in doubt: one of them may have killed the processes before.

        Each gets a moment to be finished before the next one, as long as the batch has some left.
        """
        until = time.monotonic() + SETTLE_SECONDS
        for record in records:
            if self._in_hand.has_killed(record):
                self._runner.park(record, Killed("the process ended while it had this record in hand"))
                self._write(checkpointer, now=True)
                continue
            self._patience.call(partial(self._in_hand.take, record))
            self._runner.process([record])
            self._runner.settle(min(1.0, max(0.0, until - time.monotonic())))
        self._write(checkpointer, now=True)
        if self._checkpoint != self._begun_at:  # else the next start comes to these again
            self._done_with_doubt.set()
            self._patience.call(self._in_hand.lay_down)
            self._suspicious = False

    @_or_end
    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ARG002  it is empty
        """Another worker has the shard: no checkpoint."""
        self._end()

    @_or_end
    def shard_ended(self, shard_ended_input: Any) -> None:
        """The children of the shard begin with this checkpoint: everything in it is durable before."""
        try:
            self._runner.finish()
            self._end_of_shard(shard_ended_input.checkpointer)
        except Stopped:
            _log.info("stopping before the shard's end is checkpointed; its last records come again")
            os._exit(0)
        self._end()

    @_or_end
    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        self._shift.consumer.stopping.set()
        if not self._living:  # it stopped while it waited to begin
            return
        self._runner.drain(time.monotonic() + self._shift.grace)
        self._write(shutdown_requested_input.checkpointer, now=True)
        self._end()

    def alive(self) -> None:
        """The file's time says that it lives, its text how far it has read.

        The pulse's thread calls this, too, from before the beginning until after the end.
        """
        with self._health:
            if self._living:
                (self._shift.health / self._shard).write_text(str(self._runner.given or ""))

    def _end(self) -> None:
        self._shift.consumer.stopping.set()
        self._runner.drain(time.monotonic() + self._shift.grace)
        self._done_with_doubt.set()
        try:
            self._in_hand.lay_down()
        except Unavailable as error:  # one start too many is counted; that ends nobody
            _log.warning("the note of %s stays: %s", self._shard, brief(error))
        with self._health:
            self._living = False
            (self._shift.health / self._shard).unlink(missing_ok=True)

    def _end_of_shard(self, checkpointer: Any) -> None:
        """Without this checkpoint the library would never begin the children; the shard's end is told again."""
        for attempt in range(CHECKPOINT_TRIES):
            try:
                checkpointer.checkpoint()
            except CheckpointError as error:
                _log.warning("the end of %s could not be checkpointed: %s", self._shard, error.value)
                if error.value == LEASE_LOST:
                    return
                if error.value == OUT_OF_STEP:
                    raise
                self._patience.pause(2.0**attempt)
            else:
                return
        raise EngineError("the shard's end could not be checkpointed")

    def _write(self, checkpointer: Any, *, now: bool = False) -> None:
        """A checkpoint that fails is written with the next one."""
        durable = self._runner.durable()
        if durable is None or durable == self._checkpoint:
            return
        if time.monotonic() < self._next_checkpoint and not now:
            return
        self._next_checkpoint = time.monotonic() + self._shift.checkpoint_seconds
        try:
            checkpointer.checkpoint(str(durable))
        except CheckpointError as error:
            if error.value == OUT_OF_STEP:
                raise
            _log.warning(
                "%s could not checkpoint %s: %s", self._shift.consumer.name, self._shard, error.value
            )
        else:
            self._checkpoint = durable


def _number(sequence: str | None) -> int | None:
    """`TRIM_HORIZON` and the like are no checkpoint yet."""
    return int(sequence) if sequence and sequence.isdigit() else None


def _record(shard: str, raw: Any) -> Record:
    arrival = datetime.fromtimestamp(raw.timestamp_millis / 1000, UTC)
    return Record(raw.binary_data, raw.partition_key, shard, int(raw.sequence_number), arrival)
