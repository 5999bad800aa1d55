from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.clerk import LISTENING, OPEN_CLAIM, Clerk, Defer, Send, State, Verdict
from consumers.ledger import Claim, MemoryLedger
from consumers.mail import Ambiguous
from consumers.tasks import Task
from pipeline.codec import Request, decode
from pipeline.errors import Unavailable
from pipeline.events import MailDuplicate, MailFailed, SendDue
from tests import builders
from tests.consumers.fakes import DOWN, Clock, FakeDelays, Script
from tests.consumers.office import CALL_TIMEOUT, GRACE, HOLD, RULES, UNTIL_ABANDONED

EMAIL_ID = builders.ORDER


class ForgetfulLedger(MemoryLedger):
    """Does as it is told, and then, by its script, its answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = Script()

    def replace(self, standing: Claim, mine: Claim) -> bool:
        done = super().replace(standing, mine)
        self.lost.next()
        return done


class Scene:
    """Clerks over one ledger; each judges requests of the mail `order-42`."""

    def __init__(self) -> None:
        self.ledger, self.delays, self.clock = ForgetfulLedger(), FakeDelays(), Clock()
        self.heard_until = datetime.max.replace(tzinfo=UTC)
        self._tokens = 0

    def clerk(self, resend_abandoned: bool = True) -> Clerk:
        rules = replace(RULES, resend_abandoned=resend_abandoned)
        return Clerk(
            self.ledger,
            self.delays,
            rules,
            self.clock,
            lambda moment: moment <= self.heard_until,
            self._token,
        )

    def _token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens}"

    def verdict(
        self,
        event_id: str = "event-1",
        resend_abandoned: bool = True,
        gone: bool = False,
        reason: str | None = OPEN_CLAIM,
        late: float = 0.0,
    ) -> Verdict:
        """On a request that came back, for this reason and so many seconds ago; None: on the request itself."""
        clerk, asked = self.clerk(resend_abandoned), self.task(event_id, gone, reason, late)
        return clerk.verdicts([asked], [clerk.new_claim(asked)])[0]

    def task(
        self,
        event_id: str = "event-1",
        gone: bool = False,
        reason: str | None = OPEN_CLAIM,
        late: float = 0.0,
    ) -> Task:
        asked = task(event_id, gone)
        record = replace(asked.record, arrival=self.clock() - timedelta(seconds=late))
        return replace(asked, reason=reason, record=record)

    def taken_over(self) -> Claim:
        self.claimed()
        self.clock.forward(UNTIL_ABANDONED)
        return self.claimed()

    def claimed(self) -> Claim:
        verdict = self.verdict()
        assert isinstance(verdict, Send)
        return verdict.claim

    def closed(self) -> Claim:
        clerk = self.clerk()
        closed = clerk.closed(self.claimed(), builders.mail_sent())
        self.ledger.close([closed])
        return closed


@pytest.fixture
def scene() -> Scene:
    return Scene()


def task(event_id: str = "event-1", gone: bool = False) -> Task:
    record = builders.record(builders.requested(id=event_id))
    event = decode(record.data)
    request = event.body if isinstance(event.body, Request) and not gone else None
    return Task(EMAIL_ID, EMAIL_ID, 0, event_id, record.place, request, record, lambda: None)


# ── Verdicts ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_that_nobody_claims_is_sent(scene: Scene) -> None:
    assert isinstance(scene.verdict(), Send)


def test_a_claim_has_time_to_call_ses(scene: Scene) -> None:
    assert scene.claimed().send_before == scene.clock.seconds() + HOLD


def test_a_claim_whose_answer_was_lost_is_still_mine(scene: Scene) -> None:
    """The token tells a repetition from a rival.

    A:  claim(token 1) ─► stored, answer lost ─► claim(token 1) ─► mine
    """
    clerk, asked = scene.clerk(), task()
    mine = clerk.new_claim(asked)
    scene.ledger.claim([mine])
    assert clerk.verdicts([asked], [mine]) == [Send(mine)]


def test_a_closed_claim_repeats_its_fact_verbatim(scene: Scene) -> None:
    outcome = scene.closed().outcome
    assert outcome
    scene.clock.forward(100_000)
    assert scene.verdict() == State(outcome)


def test_an_id_spent_by_another_request_is_a_duplicate(scene: Scene) -> None:
    scene.claimed()
    verdict = scene.verdict("event-2")
    assert isinstance(verdict, State)
    assert verdict.claim is None
    assert MailDuplicate.model_validate(verdict.fact.detail) == MailDuplicate(
        email_id=EMAIL_ID,
        original_source="my.application",
        event_id="event-2",
        first_event_id="event-1",
    )


def test_an_id_spent_by_a_request_that_was_decided_on_is_a_duplicate(scene: Scene) -> None:
    scene.closed()
    verdict = scene.verdict("event-2")
    assert isinstance(verdict, State)
    assert verdict.fact.detail_type == MailDuplicate.detail_type


def test_a_duplicate_repeats_under_the_same_id(scene: Scene) -> None:
    scene.claimed()
    facts = [verdict.fact.id for _ in range(2) if isinstance(verdict := scene.verdict("event-2"), State)]
    assert len(facts) == 2
    assert len(set(facts)) == 1


def test_two_duplicates_are_two_facts(scene: Scene) -> None:
    scene.claimed()
    second, third = scene.verdict("event-2"), scene.verdict("event-3")
    assert isinstance(second, State)
    assert isinstance(third, State)
    assert second.fact.id != third.fact.id


def test_a_mail_that_somebody_may_be_sending_is_deferred_until_it_may_be_taken_over(scene: Scene) -> None:
    scene.claimed()
    scene.clock.forward(10)
    assert scene.verdict() == Defer(UNTIL_ABANDONED - 10)


def test_the_same_request_twice_in_a_batch_is_sent_once(scene: Scene) -> None:
    clerk, asked = scene.clerk(), task()
    first, second = clerk.verdicts([asked, asked], [clerk.new_claim(asked), clerk.new_claim(asked)])
    assert isinstance(first, Send)
    assert isinstance(second, Defer)


# ── Taking over ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_is_not_taken_over_before_feedback_can_be_missed(scene: Scene) -> None:
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED - 1)
    assert isinstance(scene.verdict(), Defer)


@pytest.mark.parametrize("reason", [None, "paused", "soft bounce", "bounce rate"])
def test_whoever_meets_an_abandoned_claim_for_the_first_time_waits_another_grace(
    scene: Scene, reason: str | None
) -> None:
    """After an outage the feedback that closes the claim may lie right behind the request.

    log:  request ─ feedback … (all senders were down for longer than the grace)
    B:    request: abandoned ─► defer ─► feedback: close ─► … ─► Send Due: closed
    """
    scene.claimed()
    scene.clock.forward(10 * UNTIL_ABANDONED)
    assert scene.verdict(reason=reason) == Defer(GRACE)


def test_a_claim_is_taken_over_only_once_all_that_came_within_its_grace_is_heard(scene: Scene) -> None:
    """Its feedback may lie in another shard, whose reader has died.

    shard 1:  request ─ … ──────── Send Due: abandoned ─► defer ─► Send Due ─► closed
    shard 2:  feedback … (nobody reads) ………………………… ─► feedback: close
    """
    claim = scene.claimed()
    over = claim.send_before + CALL_TIMEOUT + GRACE
    scene.clock.forward(UNTIL_ABANDONED + 1e6)
    scene.heard_until = datetime.fromtimestamp(over - 0.001, UTC)
    assert scene.verdict() == Defer(LISTENING)
    scene.heard_until = datetime.fromtimestamp(over, UTC)
    assert isinstance(scene.verdict(), Send)


def test_what_came_back_because_of_an_earlier_claim_waits_another_grace(scene: Scene) -> None:
    """It lies before the feedback that would close the claim which stands now.

    log:  request ─────────────── Send Due(A) ────────────── feedback of B
    A:    claim ─► dies
    B:           … ─► replace(A's, attempt 2) ─► SES ─► dies
    C:                                     Send Due(A), read late: B's, abandoned ─► defer ─► feedback: close
    """
    scene.taken_over()
    scene.clock.forward(UNTIL_ABANDONED)
    assert scene.verdict(late=1) == Defer(GRACE)


def test_an_abandoned_claim_is_taken_over_as_the_next_attempt(scene: Scene) -> None:
    """The race with a sender that may have died.

    A:  claim ─► SES? ─► dies
    B:                         … sendBefore + timeout + grace ─► replace(A's, attempt 2) ─► send
    """
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    verdict = scene.verdict()
    assert isinstance(verdict, Send)
    assert verdict.claim.attempt == 2
    assert scene.ledger.claims[EMAIL_ID] == verdict.claim


def test_a_claim_taken_over_in_time_to_be_abandoned_again_is_the_third_attempt(scene: Scene) -> None:
    scene.claimed()
    for attempt in (2, 3):
        scene.clock.forward(UNTIL_ABANDONED)
        verdict = scene.verdict()
        assert isinstance(verdict, Send)
        assert verdict.claim.attempt == attempt


def test_two_who_take_over_at_once_are_one_and_one_who_waits(scene: Scene) -> None:
    """The second finds the claim changed.

    B:  claim ─► A's, abandoned ─► replace ─► True  ─► send
    C:  claim ─► A's, abandoned ───────────► replace ─► False ─► defer
    """
    clerk = scene.clerk()
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    asked = scene.task()
    verdicts = clerk.verdicts([asked, asked], [clerk.new_claim(asked), clerk.new_claim(asked)])
    assert [type(verdict) for verdict in verdicts] == [Send, Defer]


def test_the_facts_of_two_attempts_are_two_facts(scene: Scene) -> None:
    clerk, first = scene.clerk(), scene.claimed()
    second = replace(first, attempt=2)
    ids = [clerk.closed(each, builders.mail_sent()).outcome for each in (first, second)]
    assert len({envelope.id for envelope in ids if envelope}) == 2


def test_under_the_policy_fail_an_abandoned_mail_fails(scene: Scene) -> None:
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    verdict = scene.verdict(resend_abandoned=False)
    assert isinstance(verdict, State)
    assert MailFailed.model_validate(verdict.fact.detail).error_code == "SEND_OUTCOME_UNKNOWN"


def test_under_the_policy_fail_the_claim_is_closed_with_the_failure(scene: Scene) -> None:
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    verdict = scene.verdict(resend_abandoned=False)
    assert isinstance(verdict, State)
    assert verdict.claim
    assert verdict.claim.outcome == verdict.fact
    scene.ledger.close([verdict.claim])
    assert scene.ledger.claims[EMAIL_ID].outcome == verdict.fact


def test_under_the_policy_fail_a_takeover_whose_answer_was_lost_does_not_send(scene: Scene) -> None:
    """The claim says by its attempt how it came about.

    B:  claim ─► A's, abandoned ─► replace ─► stored, answer lost
    B:  (the service was down: again)  claim ─► B's own, attempt 2 ─► fails, as the policy says
    """
    clerk = scene.clerk(resend_abandoned=False)
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    asked = scene.task()
    mine = clerk.new_claim(asked)
    scene.ledger.lost.add(DOWN)
    with pytest.raises(Unavailable):
        clerk.verdicts([asked], [mine])
    (verdict,) = clerk.verdicts([asked], [mine])
    assert isinstance(verdict, State)
    assert verdict.fact.detail["errorCode"] == "SEND_OUTCOME_UNKNOWN"


# ── A request that has left the log ───────────────────────────────────────────────────────────────────────


def test_a_deferred_request_that_is_gone_is_no_duplicate_of_itself(scene: Scene) -> None:
    """The request's own id is gone with it.

    A:  claim ─► SES? ─► defer ─► … the request leaves the log … ─► Send Due ─► takes its own claim over
    """
    scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    assert isinstance(scene.verdict("unknown", gone=True), Send)


def test_a_request_that_is_gone_waits_for_its_open_claim(scene: Scene) -> None:
    scene.claimed()
    assert isinstance(scene.verdict("unknown", gone=True), Defer)


def test_a_request_that_is_gone_repeats_its_outcome(scene: Scene) -> None:
    outcome = scene.closed().outcome
    assert outcome
    assert scene.verdict("unknown", gone=True) == State(outcome)


# ── Renewing ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_with_time_for_a_call_is_kept(scene: Scene) -> None:
    mine = scene.claimed()
    scene.clock.forward(HOLD - CALL_TIMEOUT - 1)
    assert scene.clerk().renewed(mine) is mine


def test_a_claim_without_time_for_a_call_is_renewed(scene: Scene) -> None:
    mine = scene.claimed()
    scene.clock.forward(HOLD - CALL_TIMEOUT)
    renewed = scene.clerk().renewed(mine)
    assert renewed.send_before == scene.clock.seconds() + HOLD
    assert scene.ledger.claims[EMAIL_ID] == renewed


def test_a_claim_that_was_taken_over_is_renewed_though_it_has_time(scene: Scene) -> None:
    """Before SES is called a second time: feedback about the first call may have closed it."""
    mine = scene.taken_over()
    renewed = scene.clerk().renewed(mine)
    assert renewed.token != mine.token
    assert scene.ledger.claims[EMAIL_ID] == renewed


def test_a_claim_that_was_taken_over_and_closed_is_not_renewed(scene: Scene) -> None:
    mine = scene.taken_over()
    scene.ledger.close([scene.clerk().closed(mine, builders.mail_sent())])
    with pytest.raises(Ambiguous):
        scene.clerk().renewed(mine)


def test_a_renewed_claim_is_the_same_attempt(scene: Scene) -> None:
    mine = scene.claimed()
    scene.clock.forward(HOLD)
    assert scene.clerk().renewed(mine).attempt == 1


def test_a_claim_that_was_taken_over_is_not_renewed(scene: Scene) -> None:
    """Whoever waited too long leaves the mail to the other.

    A:  claim ─► waits for SES … … … … … … ─► renew ─► Ambiguous: SES is B's to call
    B:                   takes over ─► send
    """
    mine = scene.claimed()
    scene.clock.forward(UNTIL_ABANDONED)
    scene.verdict()
    with pytest.raises(Ambiguous):
        scene.clerk().renewed(mine)


def test_a_renewal_whose_answer_was_lost_leaves_the_claim_open(scene: Scene) -> None:
    """SES isn't called when it isn't known whose the claim is.

    A:  renew ─► stored, answer lost ─► renew ─► not the claim that was read ─► Ambiguous, comes back later
    """
    clerk, mine = scene.clerk(), scene.claimed()
    scene.clock.forward(HOLD)
    scene.ledger.lost.add(DOWN)
    with pytest.raises(Unavailable):
        clerk.renewed(mine)
    with pytest.raises(Ambiguous):
        clerk.renewed(mine)
    assert scene.ledger.claims[EMAIL_ID].outcome is None


# ── Deferring ─────────────────────────────────────────────────────────────────────────────────────────────


def deferred(scene: Scene) -> Sequence[tuple[SendDue, int]]:
    return scene.delays.due


def test_a_deferral_points_to_the_request(scene: Scene) -> None:
    asked = task()
    scene.clerk().defer(asked)
    ((due, _),) = deferred(scene)
    assert (due.email_id, due.original_email_id, due.retry_attempt, due.place) == (
        EMAIL_ID,
        EMAIL_ID,
        0,
        asked.place,
    )


def test_a_deferral_lasts_until_an_open_claim_may_be_taken_over(scene: Scene) -> None:
    scene.clerk().defer(task())
    assert deferred(scene)[0][1] > HOLD + CALL_TIMEOUT + GRACE


def test_a_deferral_lasts_at_least_as_long_as_asked(scene: Scene) -> None:
    scene.clerk().defer(task(), 10.4)
    assert deferred(scene)[0][1] >= 10.4


def test_a_claim_says_where_its_request_lies(scene: Scene) -> None:
    assert scene.claimed().place == task().place


def test_a_claim_that_was_taken_over_stays_when_it_is_released(scene: Scene) -> None:
    """SES may have the mail of an earlier attempt, and what it reports must find the claim."""
    mine = scene.taken_over()
    scene.clerk().release(mine)
    assert scene.ledger.claims[EMAIL_ID].outcome is None


def test_a_claim_that_was_taken_over_and_released_is_taken_over_at_once(scene: Scene) -> None:
    mine = scene.taken_over()
    scene.clerk().release(mine)
    assert scene.claimed().attempt == mine.attempt + 1


def test_releasing_gives_the_claim_up(scene: Scene) -> None:
    mine = scene.claimed()
    scene.clerk().release(mine)
    assert scene.ledger.claims == {}
