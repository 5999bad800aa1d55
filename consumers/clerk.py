"""The clerk keeps the ledger for the sender: puts claims, judges those he meets, defers what must wait."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

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
    "OPEN_CLAIM",
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
LISTENING = 5.0  # seconds until it is asked again whether all feedback is heard


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


@dataclass(frozen=True, slots=True)
class Clerk:
    """`is_heard`: whether all feedback that arrived before a moment has closed its claim."""

    ledger: Ledger
    delays: Delays
    rules: ClerkRules
    now: Clock
    is_heard: Callable[[datetime], bool]
    new_token: Callable[[], str] = lambda: uuid.uuid4().hex

    def new_claim(self, task: Task) -> Claim:
        """Made once for a task, and put again under the same token when the answer was lost."""
        due = self._send_before()
        return Claim(task.email_id, task.event_id, self.new_token(), due, place=task.place)

    def verdicts(self, tasks: Sequence[Task], mine: Sequence[Claim]) -> list[Verdict]:
        standing = self.ledger.claim(mine)
        return [self._verdict(*each) for each in zip(tasks, mine, standing, strict=True)]

    def _verdict(self, task: Task, mine: Claim, standing: Claim) -> Verdict:
        rules, now = self.rules, self.now().timestamp()
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
        """Feedback that came within the grace may be in the log and not yet read.

        What comes back because of this open claim came after its grace; what came back because of an earlier
        one did not, and who asks again does so at any time: a grace passes first. Then all that came until the
        claim was over must be heard, in every shard.
        """
        over = self._over(standing)
        if task.reason != OPEN_CLAIM or task.record.arrival.timestamp() < over:
            return Defer(self.rules.grace)
        return None if self.is_heard(datetime.fromtimestamp(over, UTC)) else Defer(LISTENING)

    def _over(self, standing: Claim) -> float:
        """When no feedback of this claim is waited for any more."""
        return standing.send_before + self.rules.call_timeout + self.rules.grace

    def _taken_over(self, task: Task, standing: Claim, mine: Claim) -> Verdict:
        taken = replace(mine, attempt=standing.attempt + 1)
        return self._attempted(task, taken) if self.ledger.replace(standing, taken) else Defer(1.0)

    def _attempted(self, task: Task, mine: Claim) -> Verdict:
        """The first attempt is made; a further one, after an open claim was taken over, as the rules say."""
        if mine.attempt == 1 or self.rules.resend_abandoned:
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
        in_time = self.now().timestamp() + self.rules.call_timeout < claim.send_before
        if in_time and claim.attempt == 1:
            return claim
        fresh = replace(claim, token=self.new_token(), send_before=self._send_before())
        if not self.ledger.replace(claim, fresh):
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
            self.ledger.release(claim)
        else:
            self.ledger.replace(claim, replace(claim, token=self.new_token(), send_before=0.0))

    def defer(self, task: Task, seconds: float | None = None, reason: str = OPEN_CLAIM) -> None:
        """Let the request come back, by default when an open claim may be taken over."""
        rules = self.rules
        due = SendDue(
            email_id=task.email_id,
            original_email_id=task.original_email_id,
            retry_attempt=task.retry_attempt,
            place=task.place,
            reason=reason,
            deferrals=task.deferrals + (reason == BOUNCE_RATE),
        )
        wait = rules.hold + rules.call_timeout + rules.grace if seconds is None else seconds
        self.delays.defer([due], round(wait) + 1)

    def _duplicate(self, task: Task, standing: Claim) -> Envelope:
        fact = MailDuplicate(
            email_id=task.email_id,
            original_source=task.source,
            event_id=task.event_id,
            first_event_id=standing.event_id,
        )
        return self._stated(fact, ids.derived_id(fact.detail_type, task.email_id, task.event_id))

    def _stated(self, fact: Fact, event_id: str) -> Envelope:
        return fact.envelope(event_id, times.text(self.now()))

    def _known(self, claim: Claim) -> Envelope:
        assert claim.outcome is not None
        return claim.outcome

    def _send_before(self) -> float:
        return self.now().timestamp() + self.rules.hold
