"""One mail from its verdict to its outcome: gates and SES under a claim, with the faults of either.

Send ─► gates, SES ─┬► sent, refused ─► settle
                    ├► no answer, not now ─► defer
                    └► a service is down ─► wait, and ask the gates again
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumers.clerk import OPEN_CLAIM, Clerk, Defer, Send, State, Verdict
from consumers.delivery import Delivery, Suppressions, failure_after
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

__all__ = ["Carrier", "Desk"]

ATTEMPTS = 3
LONGEST_TURN = 30.0

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

    `suppression`: the recipient's row as it was read with those of other mails; `waited`: that was a while
    ago. `unanswered`: SES may have the mail. `faulty`: something went wrong in a way that we don't understand.
    """

    claim: Claim
    suppression: Suppression
    waited: bool = False
    message_id: str | None = None
    unanswered: bool = False
    faulty: bool = False


class Carrier:
    """Thread-safe: each mail is carried by a thread of its own."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def carry(self, task: Task, verdict: Verdict, suppression: Suppression) -> None:
        """A fault of our own is tried again, then the mail fails and its record is parked."""
        desk = self._desk
        held = _Held(verdict.claim, suppression) if isinstance(verdict, Send) else None
        for attempt in range(ATTEMPTS):
            try:
                desk.patience.pause(attempt)
                return self._one_try(task, held or verdict)
            except Stopped:
                self._give_up(held)
                raise
            except Exception as error:  # noqa: BLE001  it is parked with the record
                _log.exception("sending %s failed", task.place)
                fault = error
                if held:
                    held.faulty = True
        desk.patience.call(lambda: desk.parking.park(task.record, fault, ATTEMPTS))
        if held:
            self._settle(task, held.claim, failure_after(fault, task))
        else:
            task.finish()
        return None

    def _one_try(self, task: Task, verdict: Verdict | _Held) -> None:
        match verdict:
            case _Held() as held:
                self._send(task, held)
            case State(fact, claim):
                self._desk.settler.put(Outcome(fact, claim, task.record, task.finish))
            case Defer(seconds, reason):
                self._defer(task, seconds, reason)

    def _send(self, task: Task, held: _Held) -> None:
        try:
            fact = self._desk.patience.call(lambda: self._fact(task, held))
        except Ambiguous:
            held.unanswered = True  # the claim stays open: feedback may close it, or the grace runs out
            self._defer(task, None)
            return
        except Postponed as postponed:
            self._defer(task, postponed.seconds, postponed.reason)
            self._give_up(held)
            return
        self._settle(task, held.claim, fact)

    def _fact(self, task: Task, held: _Held) -> MailFact:
        """Asked again as long as a service is down: the claim lives on, and what has changed meanwhile counts."""
        desk, key = self._desk, task.recipient_key
        if held.unanswered:
            raise Ambiguous("SES has not answered, and is not asked again so soon")
        held.claim = desk.clerk.renewed(held.claim)
        if held.waited and key:
            held.suppression = desk.suppressions.suppressed([key]).get(key)
        held.waited = True
        return needless(task, desk.mails) or desk.delivery.outcome(
            task, held.suppression, lambda mail: self._call_ses(held, mail)
        )

    def _give_up(self, held: _Held | None) -> None:
        """The claim stays open unless SES has certainly not taken the mail."""
        if held and not (held.message_id or held.unanswered or held.faulty):
            self.release(held.claim)

    def release(self, claim: Claim) -> None:
        try:
            self._desk.clerk.release(claim)
        except Unavailable as error:
            _log.warning("a claim stays open until it may be taken over: %s", error)

    def _settle(self, task: Task, claim: Claim, fact: MailFact) -> None:
        self._desk.settler.put(Outcome.of(self._desk.clerk.closed(claim, fact), task.record, task.finish))

    def _call_ses(self, held: _Held, mail: Mail) -> str:
        """One call, at its turn and under a claim that still has time."""
        desk = self._desk
        if held.message_id is None:
            desk.patience.pause(0)  # not once the process stops
            self._take_turn()
            held.claim = desk.clerk.renewed(held.claim)
            held.message_id = desk.mailer.send(mail)
        return held.message_id

    def _take_turn(self) -> None:
        """Raises Unavailable when that takes so long that the gates should be asked again."""
        waited = 0.0
        while wait := self._desk.pace.take():
            if waited > LONGEST_TURN:
                raise Unavailable("pace: no turn yet")
            self._desk.patience.pause(wait)
            waited += wait

    def _defer(self, task: Task, seconds: float | None, reason: str = OPEN_CLAIM) -> None:
        self._desk.patience.call(lambda: self._desk.clerk.defer(task, seconds, reason))
        task.finish()
