"""The clerk keeps the ledger for the sender: puts claims, judges those he meets, defers what must wait."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from consumers.gates import BOUNCE_RATE
from consumers.ledger import Claim, Ledger, Standing, meaning
from consumers.mail import Ambiguous
from consumers.projector import Delays
from consumers.tasks import Task
from pipeline import ids, times
from pipeline.envelope import Envelope
from pipeline.events import Fact, MailDuplicate, MailFact, MailFailed, SendDue
from pipeline.times import Clock

__all__ = [
    "IN_TIME",
    "OPEN_CLAIM",
    "OPEN_CLAIM_AGAIN",
    "Clerk",
    "ClerkRules",
    "Defer",
    "Send",
    "State",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class Send:
    """The claim is ours: go on."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class State:
    """Nothing is to be sent: put this fact into the log (and into the claim, where there is one)."""

    fact: Envelope
    claim: Claim | None = None


OPEN_CLAIM = "open claim"
OPEN_CLAIM_AGAIN = "open claim, read late"
IN_TIME = 15.0  # seconds from a deferred request's coming back until it is read


@dataclass(frozen=True, slots=True)
class Defer:
    """Somebody else may be at it: let the request come back after this many seconds."""

    seconds: float
    reason: str = OPEN_CLAIM


Verdict = Send | State | Defer


@dataclass(frozen=True, slots=True)
class ClerkRules:
    """Seconds: how long a claim allows calling SES, how late feedback may come, how long a call may take."""

    grace: float
    resend_abandoned: bool = True
    hold: float = 30.0
    call_timeout: float = 10.0


class Clerk:
    def __init__(
        self,
        ledger: Ledger,
        delays: Delays,
        rules: ClerkRules,
        now: Clock,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._ledger, self._delays, self._rules = ledger, delays, rules
        self._now, self._new_token = now, new_token

    def new_claim(self, task: Task) -> Claim:
        """Made once for a task, and put again under the same token when the answer was lost."""
        due = self._send_before()
        return Claim(task.email_id, task.event_id, self._new_token(), due, place=task.place)

    def verdicts(self, tasks: Sequence[Task], mine: Sequence[Claim]) -> list[Verdict]:
        standing = self._ledger.claim(mine)
        return [self._verdict(*each) for each in zip(tasks, mine, standing, strict=True)]

    def _verdict(self, task: Task, mine: Claim, standing: Claim) -> Verdict:
        rules, now = self._rules, self._now().timestamp()
        asked = (
            mine if task.request else replace(mine, event_id=standing.event_id)
        )  # it can't be told any more
        match meaning(standing, asked, now, rules.grace + rules.call_timeout):
            case Standing.MINE:
                return self._attempted(task, standing)
            case Standing.CLOSED:
                return State(self._known(standing))
            case Standing.SPENT:
                return State(self._duplicate(task, standing))
            case Standing.BUSY:
                return Defer(self._over(standing) - now)
            case Standing.ABANDONED:
                return self._put_off(task, standing) or self._taken_over(task, standing, mine)

    def _put_off(self, task: Task, standing: Claim) -> Defer | None:
        """After an outage the feedback may be in the log and not yet read: a grace passes while we read.

        What comes back because of this open claim lies in the log behind the feedback that came within its
        grace; what came back because of an earlier one doesn't. Where it is read late, other shards may still
        be behind: once more, and no oftener.
        """
        arrival = task.record.arrival.timestamp()
        if task.reason not in {OPEN_CLAIM, OPEN_CLAIM_AGAIN} or arrival < self._over(standing):
            return Defer(self._rules.grace)
        late = self._now().timestamp() - arrival > IN_TIME
        return Defer(self._rules.grace, OPEN_CLAIM_AGAIN) if late and task.reason == OPEN_CLAIM else None

    def _over(self, standing: Claim) -> float:
        """When no feedback of this claim is waited for any more."""
        return standing.send_before + self._rules.call_timeout + self._rules.grace

    def _taken_over(self, task: Task, standing: Claim, mine: Claim) -> Verdict:
        taken = replace(mine, attempt=standing.attempt + 1)
        return self._attempted(task, taken) if self._ledger.replace(standing, taken) else Defer(1.0)

    def _attempted(self, task: Task, mine: Claim) -> Verdict:
        """The first attempt is made; a further one, after an open claim was taken over, as the rules say."""
        if mine.attempt == 1 or self._rules.resend_abandoned:
            return Send(mine)
        failed = MailFailed(
            **task.known(),
            error_code="SEND_OUTCOME_UNKNOWN",
            error_message="the sender died while SES was called and nothing was heard of the mail since; "
            "ask for it again under a new emailId if it may arrive twice",
        )
        closed = self.closed(mine, failed)
        return State(self._known(closed), closed)

    def renewed(self, claim: Claim) -> Claim:
        """The claim with time to call SES in; renewed where its time is over.

        One that was taken over is put again in any case: feedback of the earlier attempt may have closed it.

        Raises:
            Ambiguous: it has been taken over or closed meanwhile.
        """
        in_time = self._now().timestamp() + self._rules.call_timeout < claim.send_before
        if in_time and claim.attempt == 1:
            return claim
        fresh = replace(claim, token=self._new_token(), send_before=self._send_before())
        if not self._ledger.replace(claim, fresh):
            raise Ambiguous("another sender has taken the claim over, or closed it")
        return fresh

    def closed(self, claim: Claim, fact: MailFact) -> Claim:
        event_id = ids.derived_id(fact.detail_type, claim.email_id, str(claim.attempt))
        return replace(claim, outcome=self._stated(fact, event_id))

    def release(self, claim: Claim) -> None:
        """Give a claim up under which SES was not called.

        One that was taken over stays, for whoever comes next: an earlier attempt may have reached SES.
        """
        if claim.attempt == 1:
            self._ledger.release(claim)
        else:
            self._ledger.replace(claim, replace(claim, token=self._new_token(), send_before=0.0))

    def defer(self, task: Task, seconds: float | None = None, reason: str = OPEN_CLAIM) -> None:
        """Let the request come back, by default when an open claim may be taken over."""
        rules = self._rules
        due = SendDue(
            email_id=task.email_id,
            original_email_id=task.original_email_id,
            retry_attempt=task.retry_attempt,
            place=task.place,
            reason=reason,
            deferrals=task.deferrals + (reason == BOUNCE_RATE),
        )
        wait = rules.hold + rules.call_timeout + rules.grace if seconds is None else seconds
        self._delays.defer([due], round(wait) + 1)

    def _duplicate(self, task: Task, standing: Claim) -> Envelope:
        fact = MailDuplicate(
            email_id=task.email_id,
            original_source=task.source,
            event_id=task.event_id,
            first_event_id=standing.event_id,
        )
        return self._stated(fact, ids.derived_id(fact.detail_type, task.email_id, task.event_id))

    def _stated(self, fact: Fact, event_id: str) -> Envelope:
        return fact.envelope(event_id, times.text(self._now()))

    def _known(self, claim: Claim) -> Envelope:
        assert claim.outcome is not None
        return claim.outcome

    def _send_before(self) -> float:
        return self._now().timestamp() + self._rules.hold
