"""What SES reports of a mail closes its claim where that is still open, whoever else is at it.

O  the owner of the claim: claim ─► SES ─► close ─► fact
B  another sender, who takes an abandoned claim over
W  whoever reads the feedback
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from consumers.ledger import Claim, MemoryLedger
from consumers.mail import Throttled
from pipeline import ids
from pipeline.events import MailFailed, MailSent
from pipeline.log import Place, Record
from pipeline.memory import MemoryLog
from projections.holds import Hold, Selector
from tests import builders
from tests.builders import ANA, MESSAGE_ID, NINE, ORDER
from tests.consumers.fakes import DOWN, LOST, TIMEOUT, Always, Gate, Script
from tests.consumers.office import RULES, Office

SLOWER = Throttled("maximum sending rate exceeded")


def reported(office: Office, kind: str = "Send", **mail: Any) -> Record:
    """Feedback about the order, come into the log."""
    return office.append(builders.feedback(kind, mail=mail).to_bytes())


def lost(office: Office, **fields: Any) -> Record:
    """A request whose mail SES took, while its answer was lost: the claim is open."""
    office.mailer.script.add(LOST)
    request = office.request(**fields)
    office.worker().work([request])
    return request


def sent(office: Office) -> MailSent:
    """The one fact, in however many records."""
    facts = {event.envelope.to_bytes(): event.body for event in office.facts(MailSent, MailFailed)}
    (fact,) = facts.values()
    assert isinstance(fact, MailSent)
    return fact


class Meddled(MemoryLedger):
    """A ledger in which something happens right after claims were read."""

    def __init__(self) -> None:
        super().__init__()
        self.then: Callable[[], object] = lambda: None
        self.reads: list[Collection[str]] = []

    def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        found = super().read(email_ids)
        then, self.then = self.then, lambda: None
        then()
        self.reads.append(email_ids)
        return found


# ── What is proved ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", builders.SES_EVENTS)
def test_feedback_of_any_kind_closes_an_open_claim(office: Office, kind: str) -> None:
    lost(office)
    office.worker().work([reported(office, kind)])
    assert office.outcomes() == {ORDER: "sent"}
    assert office.ledger.claims[ORDER].outcome == office.facts(MailSent)[0].envelope


def test_a_mail_that_was_heard_of_within_the_grace_is_not_sent_again(office: Office) -> None:
    """The request that comes due finds its claim closed.

    O:  claim ─► SES ─► no answer ─► defer ─────────────────────────► Send Due ─► closed ─► fact repeated
    W:                                  feedback ─► close ─► fact
    """
    lost(office)
    worker = office.worker()
    worker.work([reported(office)])
    worker.work(office.come_due())
    assert office.mails() == [ORDER]
    assert sent(office)


def test_the_fact_says_what_the_owner_would_have_said(office: Office) -> None:
    request = lost(office, metadata={"campaign": "spring"}, colour="red")
    office.worker().work([reported(office)])
    assert sent(office) == MailSent(
        email_id=ORDER,
        original_email_id=ORDER,
        to_email=ANA,
        original_source="my.application",
        template_name="welcome",
        subject="Your order",
        metadata={"campaign": "spring"},
        event_id=f"event-of-{ORDER}",
        place=request.place,
        unknown_fields=["colour"],
        ses_message_id=MESSAGE_ID,
    )


def test_the_fact_bears_the_id_that_the_owner_would_have_given_it(office: Office) -> None:
    lost(office)
    office.worker().work([reported(office)])
    (fact,) = office.facts(MailSent)
    assert fact.id == ids.derived_id("Mail Sent", ORDER, "1")


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ({"subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?="}, "Grüße"),
        ({"subject": "=?no-such-charset?q?x?="}, "=?no-such-charset?q?x?="),
        ({"subject": 7}, None),
        ({}, None),
        ("headers", None),
        (None, None),
    ],
)
def test_the_subject_is_what_ses_repeats_of_it(office: Office, headers: object, subject: str | None) -> None:
    lost(office)
    office.worker().work([reported(office, commonHeaders=headers)])
    assert sent(office).subject == subject


def test_a_request_that_has_left_the_log_leaves_what_the_feedback_knows() -> None:
    class Forgetful(MemoryLog):
        def fetch(self, place: Place) -> Record | None:
            return None

    office = Office(log=Forgetful())
    request = lost(office)
    office.worker().work([reported(office)])
    office.close()
    assert sent(office) == MailSent(
        email_id=ORDER,
        original_email_id=ORDER,
        to_email=ANA,
        subject="Your order",
        event_id=f"event-of-{ORDER}",
        place=request.place,
        ses_message_id=MESSAGE_ID,
    )


def test_feedback_about_a_retry_closes_the_claim_of_the_retry(office: Office) -> None:
    retry, request = ids.retry_id(ORDER, 1), office.request()
    due = builders.facts()[3].model_copy(update={"email_id": retry, "place": request.place})
    office.mailer.scripts[retry] = Script(LOST)
    worker = office.worker()
    worker.work([office.append(due.envelope("due", NINE).to_bytes())])
    worker.work([reported(office, tags=builders.tags(retry, ORDER, 1))])
    fact = sent(office)
    assert (fact.email_id, fact.original_email_id, fact.retry_attempt) == (retry, ORDER, 1)
    assert fact.place == request.place


def test_many_are_closed_at_once(office: Office) -> None:
    names = [f"order-{n}" for n in range(250)]
    office.mailer.script.add(*[LOST] * len(names))
    worker = office.worker(in_flight=16)
    worker.work([office.request(name) for name in names])
    worker.work([reported(office, tags=builders.tags(name)) for name in names])
    assert office.outcomes() == dict.fromkeys(names, "sent")


# ── What is no proof, or not needed ───────────────────────────────────────────────────────────────────────


def test_a_closed_claim_is_read_and_costs_nothing_further(office: Office) -> None:
    class Unread(MemoryLog):
        def fetch(self, place: Place) -> Record | None:
            raise AssertionError("nothing is to be looked up")

    office = Office(log=Unread())
    worker = office.worker()
    worker.work([office.request()])
    worker.work([reported(office, kind) for kind in builders.SES_EVENTS])
    office.close()
    assert len(office.facts()) == 1
    assert office.letters.letters == []


def test_the_claims_of_a_batch_are_read_at_once() -> None:
    ledger = Meddled()
    office = Office(ledger=ledger)
    gate, worker = Gate(), office.worker()
    ledger.then = gate  # the first is read alone, and holds the others up
    first = reported(office)
    worker.process([first])
    assert gate.reached.wait(TIMEOUT)
    worker.process([reported(office, tags=builders.tags(f"order-{n}")) for n in range(50)])
    gate.opened.set()
    assert worker.done()
    office.close()
    assert [len(ids) for ids in ledger.reads] == [1, 50]


def test_feedback_about_a_mail_that_nobody_claims_says_nothing(office: Office) -> None:
    office.worker().work([reported(office)])
    assert office.facts() == []


def test_feedback_without_our_tag_closes_nothing(office: Office) -> None:
    lost(office)
    office.worker().work([reported(office, tags={})])
    assert office.facts() == []


def test_feedback_that_comes_twice_is_one_fact(office: Office) -> None:
    lost(office)
    worker = office.worker()
    worker.work([reported(office), reported(office, "Delivery"), reported(office)])
    worker.work([reported(office)])
    assert sent(office)


# ── Races with the owner ──────────────────────────────────────────────────────────────────────────────────


def test_an_owner_who_closes_while_the_feedback_is_looked_at_is_repeated_verbatim() -> None:
    """The owner's answer comes between the witness's two steps.

    O:  claim ─► SES ────────────────► close ─► fact
    W:                   read: open ─►                ─► close: closed already ─► O's fact once more
    """
    ledger = Meddled()
    office = Office(ledger=ledger)
    gate, owner, other = Gate(), office.worker(), office.worker()
    office.mailer.script.add(gate)
    owner.process([office.request()])
    assert gate.reached.wait(TIMEOUT)

    def answered() -> None:
        gate.opened.set()
        assert owner.done()

    ledger.then = answered
    other.work([reported(office)])
    office.close()
    assert sent(office).ses_message_id == "ses-1"
    assert len(office.facts(MailSent)) == 2


def test_an_owner_whom_the_feedback_overtakes_repeats_the_fact_that_closed_his_claim(office: Office) -> None:
    """The witness does both of his while the owner waits for his answer.

    O:  claim ─► SES ─► … ───────────────────────► answer ─► close: closed already ─► W's fact once more
    W:                    read: open ─► close ─► fact
    """
    gate, owner, other = Gate(), office.worker(), office.worker()
    office.mailer.script.add(gate)
    owner.process([office.request()])
    assert gate.reached.wait(TIMEOUT)
    other.work([reported(office)])
    gate.opened.set()
    assert owner.done()
    assert sent(office).ses_message_id == MESSAGE_ID
    assert len(office.facts(MailSent)) == 2


def test_a_claim_that_is_renewed_while_the_feedback_is_looked_at_is_closed_all_the_same() -> None:
    """The claim is the same mail's, whatever its token.

    O:  claim ─► SES ─► … ─► (another token)
    W:          read: open ─►                  ─► close: another's ─► close that one
    """
    ledger = Meddled()
    office = Office(ledger=ledger)
    lost(office)
    standing = ledger.claims[ORDER]
    ledger.then = lambda: ledger.replace(standing, replace(standing, token="renewed"))
    office.worker().work([reported(office)])
    office.close()
    assert sent(office)
    assert ledger.claims[ORDER].token == "renewed"


# ── Races with whoever takes over ─────────────────────────────────────────────────────────────────────────


def test_a_claim_that_is_taken_over_while_the_feedback_is_looked_at_is_closed_as_sent() -> None:
    """The feedback is late, and the second sender has not yet reached SES.

    O:  claim ─► SES ─► no answer
    B:                  … grace … ─► take over ─► throttled ─────────────────► renew: closed ─► defer
    W:        (late) read: O's, open ─►         ─► close: B's ─► close B's ─► fact
    """
    ledger = Meddled()
    office = Office(ledger=ledger)
    request, gate = lost(office), Gate()

    def slower() -> None:
        gate()
        raise SLOWER

    office.mailer.script.add(slower)
    second, witness = office.worker(), office.worker()
    due = office.abandoned(request)

    def taken_over() -> None:
        second.process([due])
        assert gate.reached.wait(TIMEOUT)

    ledger.then = taken_over
    witness.work([reported(office)])
    gate.opened.set()
    assert second.done()
    second.work(office.come_due())
    office.close()
    assert office.mails() == [ORDER]
    assert sent(office)


def test_whoever_took_over_asks_the_ledger_again_before_he_sends(office: Office) -> None:
    """Between taking over and sending there may be a long wait.

    O:  claim ─► SES ─► no answer
    B:              … grace … ─► take over ─► (template store is down) ────────────► renew: closed ─► defer
    W:                                            feedback ─► close ─► fact
    """
    request, gate = lost(office), Gate()
    second, witness = office.worker(), office.worker()

    class Slow(Script):
        def next(self) -> Any:
            gate()

    office.templates.script = Slow()
    second.process([office.abandoned(request)])
    assert gate.reached.wait(TIMEOUT)
    witness.work([reported(office)])
    gate.opened.set()
    assert second.done()
    assert office.mails() == [ORDER]
    assert sent(office)


def test_an_owner_who_comes_late_keeps_whoever_took_over_from_sending(office: Office) -> None:
    """The late answer proves as much as feedback does.

    O:  claim ─► SES ─► … stalls … ──────────────────────► answer ─► close: B's ─► close B's ─► fact
    B:                   grace over ─► take over ─► throttled ──────────────────────────────► renew: closed
    """
    request, stalled, waiting = office.request(), Gate(), Gate()

    def slower() -> None:
        waiting()
        raise SLOWER

    office.mailer.script.add(stalled, slower)
    owner, second = office.worker(), office.worker()
    owner.process([request])
    assert stalled.reached.wait(TIMEOUT)
    second.process([office.abandoned(request)])
    assert waiting.reached.wait(TIMEOUT)
    stalled.opened.set()
    assert owner.done()
    waiting.opened.set()
    assert second.done()
    second.work(office.come_due())
    assert office.mails() == [ORDER]
    assert sent(office)


def test_a_refusal_that_comes_late_leaves_the_word_to_whoever_took_over(office: Office) -> None:
    """One claim, one outcome.

    O:  claim ─► … stalls … ───────────────────────────────────────► refused ─► close: B's, closed ─► B's fact
    B:                   grace over ─► take over ─► SES ─► close ─► fact
    """
    request, gate = office.request(templateName="missing"), Gate()

    class Stalling(Script):
        def next(self) -> Any:
            if not gate.reached.is_set():
                gate()

    office.templates.script = Stalling()
    owner, second = office.worker(), office.worker()
    owner.process([request])
    assert gate.reached.wait(TIMEOUT)
    second.work([office.abandoned(request)])
    gate.opened.set()
    assert owner.done()
    assert office.outcomes() == {ORDER: "TEMPLATE_NOT_FOUND"}
    assert len({event.envelope.to_bytes() for event in office.facts(MailFailed)}) == 1


def test_a_claim_that_was_taken_over_is_never_removed(office: Office) -> None:
    """Feedback of the first attempt must find it.

    O:  claim ─► SES ─► no answer
    B:            … grace … ─► take over ─► paused by an operator ─► give up, claim stays ─► …resumed: closed
    W:                                                                 feedback ─► close ─► fact
    """
    request = lost(office)
    office.paused.append(Hold(NINE, paused=True, id="hold", reason="bounces", selector=Selector()))
    second = office.worker()
    second.work([office.abandoned(request)])
    assert office.ledger.claims[ORDER].outcome is None
    second.work([reported(office)])
    office.paused.clear()
    second.work(office.come_due())
    assert office.mails() == [ORDER]
    assert sent(office)


def test_under_the_policy_fail_feedback_in_time_makes_it_sent() -> None:
    """Nothing is left to be decided when the request comes due.

    O:  claim ─► SES ─► no answer ─► defer ─────► Send Due ─► closed as sent
    W:                      feedback ─► close ─► fact
    """
    office = Office(rules=replace(RULES, resend_abandoned=False))
    lost(office)
    worker = office.worker()
    worker.work([reported(office)])
    worker.work(office.come_due())
    office.close()
    assert office.outcomes() == {ORDER: "sent"}


def test_under_the_policy_fail_feedback_after_the_grace_changes_no_outcome() -> None:
    """The row hears of it all the same: it folds the feedback itself.

    O:  claim ─► SES ─► no answer ─► defer ─► … grace … ─► Send Due ─► take over ─► fails ─► fact
    W:                                                                                feedback ─► closed
    """
    office = Office(rules=replace(RULES, resend_abandoned=False))
    lost(office)
    worker = office.worker()
    worker.work(office.come_due())
    worker.work([reported(office)])
    office.close()
    assert office.outcomes() == {ORDER: "SEND_OUTCOME_UNKNOWN"}


# ── Crashes, and services that are down ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", ["before close", "after close", "before append", "after append"])
def test_a_witness_that_dies_is_followed_by_one_who_says_the_same(office: Office, step: str) -> None:
    """W:  read: open ─► close ✝ ─► append ✝        W':  the same records again ─► as far as is still to be done.

    Where the claim was closed and its fact not appended, the request that comes due repeats it.
    """
    lost(office)
    record = reported(office)
    dying = office.worker(step)
    dying.process([record])
    assert dying.life.over.wait(TIMEOUT)
    dying.stop()
    assert dying.sender.durable() is None
    worker = office.worker()
    worker.work([record])
    worker.work(office.come_due())
    assert office.mails() == [ORDER]
    assert sent(office)


def test_feedback_is_durable_only_once_its_claim_is_closed_and_the_fact_in_the_log(office: Office) -> None:
    lost(office)
    dying, record = office.worker("after close"), reported(office)
    dying.process([record])
    assert dying.life.over.wait(TIMEOUT)
    assert dying.sender.durable() is None


class Deaf(MemoryLedger):
    """Claims can't be read."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script

    def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
        if threading.current_thread().name == "witness":
            self.script.next()
        return super().read(email_ids)


def test_the_ledger_is_waited_for() -> None:
    office = Office(ledger=Deaf(Script(*[DOWN] * 10)))
    lost(office)
    office.worker().work([reported(office)])
    office.close()
    assert office.outcomes() == {ORDER: "sent"}
    assert office.letters.letters == []


def test_sending_does_not_wait_for_feedback() -> None:
    office = Office(ledger=Deaf(Always(DOWN)))
    done = threading.Event()
    office.mailer.script.add(done.set)
    worker = office.worker()
    worker.process([reported(office), office.request()])
    assert done.wait(TIMEOUT)
    worker.desk.patience.stopping.set()
    office.close()
    assert worker.sender.durable() is None


def test_feedback_at_fault_is_parked_and_keeps_nothing_else(office: Office) -> None:
    class Picky(MemoryLedger):
        def read(self, email_ids: Collection[str]) -> Mapping[str, Claim]:
            if "bad" in email_ids:
                raise RuntimeError("a fault of our own")
            return super().read(email_ids)

    office = Office(ledger=Picky())
    lost(office)
    bad, good = reported(office, tags=builders.tags("bad")), reported(office)
    worker = office.worker()
    worker.work([bad, good])
    office.close()
    assert [letter.record for letter in office.letters.letters] == [bad]
    assert office.outcomes() == {ORDER: "sent"}
    assert worker.sender.durable() == good.sequence


def test_draining_hears_what_has_been_put(office: Office) -> None:
    lost(office)
    worker, record = office.worker(), reported(office)
    worker.process([record])
    worker.stop()
    assert worker.sender.durable() == record.sequence
    assert office.outcomes() == {ORDER: "sent"}


# ── After an outage ───────────────────────────────────────────────────────────────────────────────────────


def test_feedback_that_came_while_all_senders_were_down_is_heard_before_anything_is_taken_over(
    office: Office,
) -> None:
    """The log is read from the checkpoint on, in its order.

    O:  claim ─► SES ✝ (no answer)
    log:  request ─ feedback … longer than the grace …
    B:    request: abandoned ─► defer;  feedback ─► close ─► fact;  Send Due: closed.
    """
    request = lost(office)
    office.delays.due.clear()  # it died before it could defer
    feedback = reported(office)
    office.clock.forward(100_000)
    worker = office.worker()
    worker.work([request])
    worker.work([feedback])
    worker.work(office.come_due())
    assert office.mails() == [ORDER]
    assert sent(office)


def test_a_deferred_request_waits_for_the_feedback_before_it_in_the_log() -> None:
    """The two are looked at in threads of their own.

    log:  feedback ─ Send Due
    B:    feedback: waits for the ledger … ─► close;  Send Due: not all is heard ─► defer ─► … ─► closed
    """
    ledger = Meddled()
    office = Office(ledger=ledger)
    request, gate = lost(office), Gate()
    feedback, due = reported(office), office.abandoned(request)
    office.delays.due.clear()
    ledger.then = gate
    worker = office.worker()
    worker.process([feedback, due])
    assert gate.reached.wait(TIMEOUT)
    until_deferred(office)
    gate.opened.set()
    assert worker.done()
    worker.work(office.come_due())
    office.close()
    assert office.mails() == [ORDER]
    assert sent(office)


def test_a_claim_is_put_off_while_another_shard_is_not_heard() -> None:
    """Nobody has read the other shard since the mail was sent: its feedback may lie there."""
    office = Office(log=MemoryLog(shards=2))
    request = lost(office)
    worker = office.worker(shard=request.shard)
    behind = next(record for key in "abcdef" if (record := unread(office, key)).shard != request.shard)
    (due,) = office.come_due()
    for _ in range(3):
        worker.work([due])
        (due,) = office.come_due()
    assert office.mails() == [ORDER]
    office.marks.write(behind.shard, behind.sequence)
    worker.work([due])
    office.close()
    assert office.mails() == [ORDER] * 2


def unread(office: Office, key: str) -> Record:
    return office.log.append_bytes(builders.feedback("Delivery").to_bytes(), key)


def until_deferred(office: Office) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not office.delays.due:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_feedback_that_cannot_be_heard_keeps_no_other_mail() -> None:
    office = Office(ledger=Deaf(Always(DOWN)))
    request, worker = lost(office), office.worker()
    feedback, due, other = reported(office), office.abandoned(request), office.request("other")
    office.delays.due.clear()
    worker.process([feedback, due, other])
    until_deferred(office)
    until_sent(office, "other")
    assert office.mails() == [ORDER, "other"]
    worker.desk.patience.stopping.set()
    office.close()


def until_sent(office: Office, email_id: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while email_id not in office.mails():
        assert time.monotonic() < deadline
        time.sleep(0.01)
