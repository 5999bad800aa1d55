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
from dataclasses import dataclass
from typing import Any

from consumers.clerk import OPEN_CLAIM, Clerk, Defer, Send, State, Verdict
from consumers.delivery import Delivery, Suppressions, internal_failure
from consumers.ledger import Claim
from consumers.mail import Ambiguous, Mail, Mailer, Postponed
from consumers.pace import Pace
from consumers.parking import Parks
from consumers.patience import Patience, Stopped
from consumers.retries import Mails, needless
from consumers.settling import Outcome, Settler
from consumers.tasks import Task
from pipeline.errors import Unavailable
from pipeline.events import MailFact

__all__ = ["Desk", "Sending"]

CLAIMS_A_CALL = 25
ATTEMPTS = 3

_log = logging.getLogger(__name__)

Suppression = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Desk:
    """What a sender works with."""

    clerk: Clerk
    mails: Mails
    suppressions: Suppressions
    delivery: Delivery
    mailer: Mailer
    pace: Pace
    settler: Settler
    parking: Parks
    patience: Patience


@dataclass(slots=True)
class _Held:
    """The claim under which a mail is sent, renewed as it waits, and SES's answer: it is asked once.

    `suppression`: the recipient's row as it was read with those of other mails; `waited`: that was a while ago.
    """

    claim: Claim
    suppression: Suppression
    waited: bool = False
    message_id: str | None = None


class Sending:
    """One for all shards of a process."""

    def __init__(self, desk: Desk, in_flight: int) -> None:
        self._desk = desk
        self._tasks: queue.Queue[Task] = queue.Queue(maxsize=4 * in_flight)
        self._slots = threading.Semaphore(in_flight)
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
                tasks = self._next()
                if tasks:
                    self._begin(tasks, [self._desk.clerk.new_claim(task) for task in tasks])
        except Stopped:
            return

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
        except Exception:  # noqa: BLE001  the task at fault is found by beginning each alone
            if len(tasks) == 1:
                _log.exception("sending %s could not begin; its record stays unfinished", tasks[0].place)
                self._slots.release()
                return
            for task, claim in zip(tasks, claims, strict=True):
                self._begin([task], [claim])

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
                    self._release(verdict.claim)
            raise

    def _carry_out(self, task: Task, verdict: Verdict, suppression: Suppression) -> None:
        try:
            self._tried(task, verdict, suppression)
        except Stopped:
            return  # the task stays unfinished, so its record comes again
        except Exception:  # noqa: BLE001  a thread's last line of defence
            _log.exception("sending %s stopped unexpectedly; its record stays unfinished", task.place)
        finally:
            self._slots.release()

    def _tried(self, task: Task, verdict: Verdict, suppression: Suppression) -> None:
        """A fault of our own is tried again, then the mail fails and its record is parked."""
        desk = self._desk
        held = _Held(verdict.claim, suppression) if isinstance(verdict, Send) else None
        for attempt in range(ATTEMPTS):
            try:
                desk.patience.pause(attempt)
                return self._one_try(task, held or verdict)
            except Stopped:
                raise
            except Exception as error:  # noqa: BLE001  it is parked with the record
                _log.exception("sending %s failed", task.place)
                fault = error
        desk.patience.call(lambda: desk.parking.park(task.record, fault, ATTEMPTS))
        if held:
            self._settle(task, held.claim, internal_failure(task))
        else:
            task.finish()
        return None

    def _one_try(self, task: Task, verdict: Verdict | _Held) -> None:
        match verdict:
            case _Held() as held:
                self._send(task, held)
            case State(fact, claim):
                self._desk.settler.put(Outcome(fact, claim, task.finish))
            case Defer(seconds):
                self._defer(task, seconds)

    def _send(self, task: Task, held: _Held) -> None:
        try:
            fact = self._desk.patience.call(lambda: self._fact(task, held))
        except Ambiguous:
            self._defer(task, None)  # the claim stays open: feedback may close it, or the grace runs out
            return
        except Postponed as postponed:
            self._defer(task, postponed.seconds, postponed.reason)
            self._give_up(held)
            return
        except Stopped:
            self._give_up(held)
            raise
        self._settle(task, held.claim, fact)

    def _fact(self, task: Task, held: _Held) -> MailFact:
        """Asked again as long as a service is down: the claim lives on, and what has changed meanwhile counts."""
        desk, key = self._desk, task.recipient_key
        held.claim = desk.clerk.renewed(held.claim)
        if held.waited and key:
            held.suppression = desk.suppressions.suppressed([key]).get(key)
        held.waited = True
        return needless(task, desk.mails) or desk.delivery.outcome(
            task, held.suppression, lambda mail: self._call_ses(held, mail)
        )

    def _give_up(self, held: _Held) -> None:
        if held.message_id is None:
            self._release(held.claim)

    def _release(self, claim: Claim) -> None:
        try:
            self._desk.clerk.release(claim)
        except Unavailable as error:
            _log.warning("a claim stays open until it may be taken over: %s", error)

    def _settle(self, task: Task, claim: Claim, fact: MailFact) -> None:
        self._desk.settler.put(Outcome.of(self._desk.clerk.closed(claim, fact), task.finish))

    def _call_ses(self, held: _Held, mail: Mail) -> str:
        """One call, at its turn and under a claim that still has time."""
        desk = self._desk
        if held.message_id is None:
            desk.patience.pause(0)  # not once the process stops
            while wait := desk.pace.take():
                desk.patience.pause(wait)
            held.claim = desk.clerk.renewed(held.claim)
            held.message_id = desk.mailer.send(mail)
        return held.message_id

    def _defer(self, task: Task, seconds: float | None, reason: str = OPEN_CLAIM) -> None:
        self._desk.patience.call(lambda: self._desk.clerk.defer(task, seconds, reason))
        task.finish()
