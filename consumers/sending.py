"""Sending many mails at once: claims in batches, gates and SES in threads, outcomes settled in groups.

    submit ─► claim ─► gates, SES ─► settle: close the claim, append the fact ─► finish

Delivery guarantee: a task is finished only once its fact is in the log or it has been deferred. SES is
called only by the owner of the mail's claim, and only before the claim's `send_before`.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from consumers import pulse
from consumers.carrying import Carrier, Desk
from consumers.clerk import Send, Verdict
from consumers.ledger import Claim
from consumers.patience import Stopped
from consumers.tasks import Task

__all__ = ["Desk", "Sending"]

CLAIMS_A_CALL = 25
ATTEMPTS = 2  # among others, and alone
GATHER_SECONDS = 0.1
LOOK_SECONDS = 0.01

_log = logging.getLogger(__name__)


class Sending:
    """One for all shards of a process."""

    def __init__(self, desk: Desk, in_flight: int) -> None:
        self._desk, self._carrier = desk, Carrier(desk)
        self._tasks: queue.Queue[Task] = queue.Queue(maxsize=4 * in_flight)
        self._slots = threading.Semaphore(in_flight)
        self._busy = in_flight * 3 // 4
        self._pool = ThreadPoolExecutor(in_flight, "send")
        self._running: set[Future[None]] = set()
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatch", daemon=True)
        self._dispatcher.start()

    def submit(self, task: Task) -> None:
        """Hand a task over, waiting while the queue is full. Raises Stopped."""
        while True:
            try:
                return self._tasks.put(task, timeout=0.1)
            except queue.Full:
                self._desk.patience.pause(0)

    def stop(self, timeout: float) -> None:
        """Start nothing new; finish and settle what is in flight, until the timeout."""
        deadline = time.monotonic() + timeout
        self._desk.patience.stopping.set()
        self._dispatcher.join(timeout)
        self._pool.shutdown(wait=False)
        wait(tuple(self._running), max(0.0, deadline - time.monotonic()))
        self._desk.settler.stop(max(0.0, deadline - time.monotonic()))

    def _dispatch(self) -> None:
        try:
            while True:
                self._desk.patience.pause(0)
                self._gather()
                tasks = self._next()
                if tasks:
                    self._begin(tasks, [self._desk.clerk.new_claim(task) for task in tasks])
        except Stopped:
            return

    def _gather(self) -> None:
        """While most slots are taken, wait for some to get free: fewer calls, and nobody who could be served waits."""
        until = time.monotonic() + GATHER_SECONDS
        while len(self._running) > self._busy and time.monotonic() < until:
            self._desk.patience.pause(LOOK_SECONDS)

    def _next(self) -> list[Task]:
        """As many tasks as there are free slots: a claim is put when it can be used at once."""
        tasks: list[Task] = []
        while len(tasks) < CLAIMS_A_CALL and self._slots.acquire(timeout=0 if tasks else 0.1):
            try:
                tasks.append(self._tasks.get(timeout=0.001 if tasks else 0.1))
            except queue.Empty:
                self._slots.release()
                break
        return tasks

    def _begin(self, tasks: Sequence[Task], claims: Sequence[Claim]) -> None:
        """A task at fault must not take the others with it; a claim that was put is put again as it was."""
        try:
            self._judge(tasks, claims)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  the task at fault is found by beginning each alone
            if len(tasks) == 1:
                self._park(tasks[0], error)
                self._slots.release()
                return
            for task, claim in zip(tasks, claims, strict=True):
                self._begin([task], [claim])

    def _park(self, task: Task, error: Exception) -> None:
        _log.error("sending %s could not begin", task.place, exc_info=error)
        self._desk.patience.call(lambda: self._desk.parking.park(task.record, error, ATTEMPTS))
        task.finish()

    def _judge(self, tasks: Sequence[Task], claims: Sequence[Claim]) -> None:
        desk = self._desk
        verdicts = desk.patience.call(lambda: desk.clerk.verdicts(tasks, claims))
        keys = [task.recipient_key for task in tasks if task.recipient_key]
        rows = self._suppressed(keys, verdicts)
        for task, verdict in zip(tasks, verdicts, strict=True):
            future = self._pool.submit(self._carry_out, task, verdict, rows.get(task.recipient_key or ""))
            self._running.add(future)
            future.add_done_callback(self._running.discard)

    def _suppressed(self, keys: list[str], verdicts: Sequence[Verdict]) -> Mapping[str, Any]:
        try:
            return self._desk.patience.call(lambda: self._desk.suppressions.suppressed(keys))
        except Stopped:
            for verdict in verdicts:
                if isinstance(verdict, Send):
                    self._carrier.release(verdict.claim)
            raise

    def _carry_out(self, task: Task, verdict: Verdict, suppression: Mapping[str, Any] | None) -> None:
        try:
            with pulse.working():
                self._carrier.carry(task, verdict, suppression)
        except Stopped:
            return  # the task stays unfinished, so its record comes again
        except Exception:  # noqa: BLE001  a thread's last line of defence
            _log.exception("sending %s stopped unexpectedly; its record stays unfinished", task.place)
        finally:
            self._slots.release()
