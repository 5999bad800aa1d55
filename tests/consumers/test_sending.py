"""What becomes of each mail, whatever SES and the other services answer."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.carrying import Carrier
from consumers.clerk import Clerk, Verdict
from consumers.delivery import Delivery
from consumers.ledger import Claim, MemoryLedger
from consumers.mail import Ambiguous, Mail, Refusal, Throttled
from consumers.pace import MemoryGrants, Pace
from consumers.patience import Stopped
from consumers.tasks import Task
from pipeline.errors import Unprocessable
from pipeline.events import MailDuplicate, MailFailed, MailSent, RecordParked
from tests.builders import ORDER
from tests.consumers.fakes import DOWN, LOST, TIMEOUT, Always, Gate, Hurried, Script
from tests.consumers.office import HOLD, RULES, Office, Worker, delivery_of

REFUSED = Refusal("SES_REFUSED", "SES refused the mail")
SLOWER = Throttled("maximum sending rate exceeded")
NO_ANSWER = Ambiguous("no answer, and SES never took it")
FAULT = RuntimeError("a fault of our own")


# ── One answer of SES ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([], "sent"),
        ([REFUSED], "SES_REFUSED"),
        ([SLOWER] * 20, "sent"),
        ([DOWN] * 20, "sent"),
        ([SLOWER, DOWN, SLOWER, REFUSED], "SES_REFUSED"),
        ([FAULT], "sent"),
        ([FAULT, FAULT], "sent"),
        ([FAULT, FAULT, FAULT], "INTERNAL_ERROR"),
        ([FAULT, SLOWER, FAULT, DOWN, FAULT], "INTERNAL_ERROR"),
    ],
)
def test_each_request_has_one_outcome(office: Office, script: Sequence[Exception], outcome: str) -> None:
    office.mailer.script.add(*script)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: outcome}
    assert len(office.facts(MailSent, MailFailed)) == 1


@pytest.mark.parametrize("error", [SLOWER, DOWN])
def test_a_mail_that_had_to_wait_is_sent_once(office: Office, error: Exception) -> None:
    office.mailer.script.add(*[error] * 20)
    office.worker().work([office.request()])
    assert office.mails() == [ORDER]


@pytest.mark.parametrize("error", [SLOWER, DOWN])
def test_nothing_is_parked_because_a_service_is_down(office: Office, error: Exception) -> None:
    office.mailer.script.add(*[error] * 20)
    office.worker().work([office.request()])
    assert office.letters.letters == []


def test_a_refusal_closes_the_claim(office: Office) -> None:
    office.mailer.script.add(REFUSED)
    office.worker().work([office.request()])
    assert office.ledger.claims[ORDER].outcome == office.facts(MailFailed)[0].envelope


def test_what_was_sent_closes_the_claim(office: Office) -> None:
    office.worker().work([office.request()])
    assert office.ledger.claims[ORDER].outcome == office.facts(MailSent)[0].envelope


def test_a_fault_of_our_own_is_tried_three_times(office: Office) -> None:
    office.mailer.script.add(*[FAULT] * 9)
    office.worker().work([office.request()])
    assert len(office.mailer.asked) == 3


def test_a_fault_of_our_own_parks_the_record(office: Office) -> None:
    office.mailer.script.add(*[FAULT] * 3)
    request = office.request()
    office.worker().work([request])
    (letter,) = office.letters.letters
    assert (letter.record, letter.error, letter.attempts) == (request, f"RuntimeError: {FAULT}", 3)
    assert len(office.facts(RecordParked)) == 1


def test_a_fault_of_our_own_closes_the_claim(office: Office) -> None:
    office.mailer.script.add(*[FAULT] * 3)
    office.worker().work([office.request()])
    assert office.ledger.claims[ORDER].outcome == office.facts(MailFailed)[0].envelope


def test_a_fault_of_our_own_keeps_no_other_mail(office: Office) -> None:
    office.mailer.scripts[ORDER] = Script(*[FAULT] * 3)
    office.worker().work([office.request("one"), office.request(), office.request("two")])
    assert office.outcomes() == {"one": "sent", ORDER: "INTERNAL_ERROR", "two": "sent"}


def test_ses_is_asked_once_though_our_own_work_fails_after_it(office: Office) -> None:
    """The answer is kept for the next try.

    try 1:  SES ─► taken ─► a fault of our own
    try 2:  (taken already) ─► fact
    """

    class Stumbling(Delivery):
        script = Script(FAULT, FAULT)

        def outcome(self, task: Task, suppression: Any, send: Callable[[Mail], str]) -> MailSent | MailFailed:
            fact = super().outcome(task, suppression, send)
            self.script.next()
            return fact

    worker = office.worker()
    change(worker, delivery=delivery_of(office.templates, office.clock, office.reputation, Stumbling))
    worker.work([office.request()])
    assert office.mails() == [ORDER]
    assert office.outcomes() == {ORDER: "sent"}


def change(worker: Worker, **parts: Any) -> None:
    desk = replace(worker.desk, **parts)
    worker.sending._desk, worker.sending._carrier = desk, Carrier(desk)


# ── No answer of SES ──────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_answer_defers_the_request(office: Office) -> None:
    office.mailer.script.add(LOST)
    office.worker().work([office.request()])
    assert [due.email_id for due, _ in office.delays.due] == [ORDER]


def test_a_lost_answer_leaves_the_claim_open(office: Office) -> None:
    office.mailer.script.add(LOST)
    office.worker().work([office.request()])
    assert office.ledger.claims[ORDER].outcome is None


def test_a_lost_answer_is_no_fact(office: Office) -> None:
    office.mailer.script.add(LOST)
    office.worker().work([office.request()])
    assert office.facts() == []


def test_a_lost_answer_lets_the_shard_go_on(office: Office) -> None:
    office.mailer.script.add(LOST)
    worker, request = office.worker(), office.request()
    worker.work([request])
    assert worker.sender.durable() == request.sequence


def test_a_deferral_waits_for_its_queue(office: Office) -> None:
    office.mailer.script.add(LOST)
    office.delays.script.add(DOWN, DOWN, DOWN)
    office.worker().work([office.request()])
    assert len(office.delays.due) == 1


def test_under_the_policy_send_the_mail_is_sent_again_after_the_grace(office: Office) -> None:
    """What no ledger can prevent, and what is documented.

    SES:   takes the mail ─► its answer is lost … no feedback within the grace
    A:     claim ─► SES? ─► defer ─────────────────────────► Send Due ─► take over ─► SES
    """
    office.mailer.script.add(LOST)
    worker = office.worker()
    worker.work([office.request()])
    worker.work(office.come_due())
    assert office.mails() == [ORDER, ORDER]
    assert office.outcomes() == {ORDER: "sent"}


def test_a_mail_that_ses_never_took_is_sent_once_in_the_end(office: Office) -> None:
    office.mailer.script.add(NO_ANSWER)
    worker = office.worker()
    worker.work([office.request()])
    worker.work(office.come_due())
    assert office.mails() == [ORDER]


def test_under_the_policy_fail_the_mail_fails_after_the_grace() -> None:
    office = Office(rules=replace(RULES, resend_abandoned=False))
    office.mailer.script.add(LOST)
    worker = office.worker()
    worker.work([office.request()])
    worker.work(office.come_due())
    office.close()
    assert office.mails() == [ORDER]
    assert office.outcomes() == {ORDER: "SEND_OUTCOME_UNKNOWN"}


# ── Waiting under a claim ─────────────────────────────────────────────────────────────────────────────────


def test_a_claim_is_renewed_while_ses_is_waited_for(office: Office) -> None:
    def long_wait() -> None:
        office.clock.forward(HOLD * 3)
        raise SLOWER

    office.mailer.script.add(*[long_wait] * 5)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "sent"}
    assert office.ledger.claims[ORDER].outcome


def test_ses_is_called_under_a_claim_that_has_time(office: Office) -> None:
    seen: list[float] = []

    def look() -> None:
        seen.append(office.ledger.claims[ORDER].send_before - office.clock.seconds())
        office.clock.forward(7)
        raise SLOWER

    office.mailer.script.add(*[look] * 10)
    office.worker().work([office.request()])
    assert min(seen) > RULES.call_timeout


def test_a_fault_after_a_renewal_closes_the_claim_that_stands(office: Office) -> None:
    def long_wait() -> None:
        office.clock.forward(HOLD)
        raise SLOWER

    office.mailer.script.add(long_wait, FAULT, FAULT, FAULT)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "INTERNAL_ERROR"}
    assert office.ledger.claims[ORDER].outcome


def test_whoever_waited_too_long_leaves_the_mail_to_the_one_who_took_over(office: Office) -> None:
    """The claim is renewed before SES is called, never after.

    A:  claim ─► SES: slower ─► … stalls … ─────────────────────────► renew ─► not mine ─► defer
    B:                            Send Due ─► abandoned ─► take over ─► SES ─► fact
    """
    request, gate = office.request(), Gate()

    def stall() -> None:
        gate()
        raise SLOWER

    office.mailer.script.add(stall)
    stalled, other = office.worker(), office.worker()
    stalled.process([request])
    assert gate.reached.wait(TIMEOUT)
    other.work([office.abandoned(request)])
    gate.opened.set()
    assert stalled.done()
    assert office.mails() == [ORDER]
    assert len(office.delays.due) == 1


# ── Services that are down ────────────────────────────────────────────────────────────────────────────────


def test_the_template_store_is_waited_for(office: Office) -> None:
    office.templates.script.add(*[DOWN] * 20)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "sent"}
    assert office.letters.letters == []


def test_the_suppression_list_is_waited_for(office: Office) -> None:
    office.suppressions.script.add(*[DOWN] * 20)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "sent"}


def test_the_parked_queue_is_waited_for(office: Office) -> None:
    office.mailer.script.add(*[FAULT] * 3)
    office.letters.script.add(*[DOWN] * 20)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "INTERNAL_ERROR"}


def test_the_ledger_is_waited_for() -> None:
    class Slow(MemoryLedger):
        script = Script(DOWN, DOWN)

        def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
            self.script.next()
            return super().claim(wanted)

    office = Office(ledger=Slow())
    office.worker().work([office.request()])
    office.close()
    assert office.outcomes() == {ORDER: "sent"}


def test_a_suppressed_recipient_gets_no_mail(office: Office) -> None:
    office.suppressions.rows["ana@customer.example"] = {
        "addedToSuppressionDate": "2026-11-01T00:00:00.000Z",
        "reason": "hard bounce: NoEmail",
    }
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "RECIPIENT_SUPPRESSED"}
    assert office.mails() == []


def test_whoever_is_suppressed_while_ses_is_waited_for_gets_no_mail(office: Office) -> None:
    def bounced_meanwhile() -> None:
        office.suppressions.rows["ana@customer.example"] = {
            "addedToSuppressionDate": "2026-11-24T09:20:00.000Z",
            "reason": "hard bounce: NoEmail",
        }
        raise SLOWER

    office.mailer.script.add(bounced_meanwhile)
    office.worker().work([office.request()])
    assert office.outcomes() == {ORDER: "RECIPIENT_SUPPRESSED"}
    assert office.mails() == []


def test_a_long_wait_for_a_turn_lets_the_gates_be_asked_again(office: Office) -> None:
    class Busy(Pace):
        def take(self) -> float:
            office.clock.forward(60)
            return 1.0

    worker = office.worker()
    change(worker, pace=Busy(MemoryGrants(), lambda: 1.0, office.clock.seconds))
    worker.work([office.request()])
    assert office.outcomes() == {ORDER: "REQUEST_EXPIRED"}


def test_an_answer_that_is_not_understood_is_asked_for_three_times_with_pauses(office: Office) -> None:
    office.mailer.script.add(*[Unprocessable("SES: NewException: no")] * 9)
    worker = office.worker()
    worker.work([office.request()])
    assert isinstance(worker.desk.patience, Hurried)
    assert len(office.mailer.asked) == 3
    assert {1, 2} <= set(worker.desk.patience.pauses)
    assert office.outcomes() == {ORDER: "INTERNAL_ERROR"}
    assert len(office.letters.letters) == 1


# ── The same id again ─────────────────────────────────────────────────────────────────────────────────────


def test_two_requests_with_one_id_in_one_batch_are_one_mail_and_one_duplicate(office: Office) -> None:
    office.worker().work([office.request(event_id="first"), office.request(event_id="second")])
    assert office.mails() == [ORDER]
    (duplicate,) = [event.body for event in office.facts(MailDuplicate)]
    assert isinstance(duplicate, MailDuplicate)
    assert (duplicate.event_id, duplicate.first_event_id) == ("second", "first")


def test_two_requests_with_one_id_in_two_batches_are_one_mail_and_one_duplicate(office: Office) -> None:
    worker = office.worker()
    worker.work([office.request(event_id="first")])
    worker.work([office.request(event_id="second")])
    assert office.mails() == [ORDER]
    assert len(office.facts(MailDuplicate)) == 1


def test_a_refused_request_has_spent_its_id(office: Office) -> None:
    worker = office.worker()
    worker.work([office.request(event_id="first", templateName="missing")])
    worker.work([office.request(event_id="second")])
    assert office.mails() == []
    assert len(office.facts(MailDuplicate)) == 1


def test_one_request_in_two_records_is_one_mail(office: Office) -> None:
    """As after an append whose answer was lost.

    batch:  record 1 ─► claim ─► mine ─► SES
            record 2 ─► claim ─► the same request's, open ─► defer ─► Send Due ─► closed ─► fact repeated
    """
    worker = office.worker()
    worker.work([office.request(), office.request()])
    worker.work(office.come_due())
    assert office.mails() == [ORDER]
    assert len({event.id for event in office.facts(MailSent)}) == 1


def test_a_repeated_fact_is_repeated_verbatim(office: Office) -> None:
    worker = office.worker()
    worker.work([office.request()])
    office.clock.forward(3600)
    worker.work([office.request()])
    first, second = office.facts()
    assert first == second


def test_many_requests_are_each_sent_once(office: Office) -> None:
    requests = [office.request(f"order-{n}") for n in range(200)]
    office.worker(in_flight=16).work(requests)
    assert sorted(office.mails()) == sorted(f"order-{n}" for n in range(200))
    assert set(office.outcomes().values()) == {"sent"}


def test_two_workers_on_one_shard_send_each_mail_once(office: Office) -> None:
    """As while a lease moves from one to the other.

    A:  claims 1 … 60 in whatever order ─┐
    B:  claims 60 … 1                   ─┴─► each id has one owner; the other defers or repeats the fact
    """
    requests = [office.request(f"order-{n}") for n in range(60)]
    one, two = office.worker(), office.worker()
    one.process(requests)
    two.process(requests)
    assert one.done()
    assert two.done()
    one.work(office.come_due())
    assert sorted(office.mails()) == sorted(f"order-{n}" for n in range(60))
    assert len(office.outcomes()) == 60


# ── Anything that can happen ──────────────────────────────────────────────────────────────────────────────

STEPS = {
    "throttled": SLOWER,
    "down": DOWN,
    "refused": REFUSED,
    "lost": LOST,
    "no answer": NO_ANSWER,
}
IDS = ["a", "b", "c", "d"]


@st.composite
def days(draw: st.DrawFn) -> tuple[list[list[tuple[str, str]]], dict[str, list[str]]]:
    """Batches of requests (mail, event), and what SES answers for each mail, one answer after the other."""
    request = st.tuples(st.sampled_from(IDS), st.sampled_from(["first", "second"]))
    batches = draw(st.lists(st.lists(request, max_size=6), max_size=4))
    answers = {each: draw(st.lists(st.sampled_from(sorted(STEPS)), max_size=4)) for each in IDS}
    return batches, answers


def foreseen(answers: list[str]) -> tuple[str, int]:
    """What becomes of a mail, and how often SES takes it: once, and once more for each answer that was lost."""
    taken = 0
    for answer in answers:
        if answer == "refused":
            return "SES_REFUSED", taken
        taken += answer == "lost"
    return "sent", taken + 1


@settings(max_examples=60)
@given(days())
def test_every_request_has_its_outcome_and_each_mail_is_sent_once(
    story: tuple[list[list[tuple[str, str]]], dict[str, list[str]]],
) -> None:
    batches, answers = story
    office = Office()
    for email_id, names in answers.items():
        office.mailer.scripts[email_id] = Script(*(STEPS[name] for name in names))
    worker = office.worker()
    for batch in batches:
        worker.work([office.request(mail, f"{mail}-{event}") for mail, event in batch])
    while office.delays.due:
        worker.work(office.come_due())
    office.close()
    asked = {mail: {event for b in batches for m, event in b if m == mail} for b in batches for mail, _ in b}
    assert office.outcomes() == {mail: foreseen(answers[mail])[0] for mail in asked}
    assert all(office.mails().count(mail) == foreseen(answers[mail])[1] for mail in asked)
    duplicates = {event.id for event in office.facts(MailDuplicate)}
    assert len(duplicates) == sum(len(events) - 1 for events in asked.values())


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────────


def throttled(office: Office) -> Always:
    """SES takes nothing any more."""
    always = Always(SLOWER)
    office.mailer.script = always
    return always


def test_a_stop_while_ses_throttles_releases_the_claim(office: Office) -> None:
    throttle, worker = throttled(office), office.worker()
    worker.process([office.request()])
    assert throttle.reached.wait(TIMEOUT)
    worker.stop()
    assert office.ledger.claims == {}


def test_a_mail_whose_claim_was_released_is_sent_after_the_next_start(office: Office) -> None:
    throttle, worker, request = throttled(office), office.worker(), office.request()
    worker.process([request])
    assert throttle.reached.wait(TIMEOUT)
    worker.stop()
    office.mailer.script = Script()
    office.worker().work([request])
    assert office.mails() == [ORDER]
    assert office.delays.due == []


def test_what_was_not_sent_when_it_stopped_is_not_durable(office: Office) -> None:
    throttle, worker = throttled(office), office.worker()
    worker.process([office.request()])
    assert throttle.reached.wait(TIMEOUT)
    worker.stop()
    assert worker.sender.durable() is None


def test_a_claim_that_cannot_be_released_stays_open_and_parks_nothing() -> None:
    """The ledger is down while a throttled sender stops: nothing is known to be wrong with the mail."""

    class Down(MemoryLedger):
        def release(self, claim: Claim) -> None:
            raise DOWN

    office = Office(ledger=Down())
    throttle, worker = throttled(office), office.worker()
    worker.process([office.request()])
    assert throttle.reached.wait(TIMEOUT)
    worker.stop()
    assert office.letters.letters == []
    assert office.facts() == []
    assert office.ledger.claims[ORDER].outcome is None


def test_a_stop_before_the_gates_releases_the_claims(office: Office) -> None:
    """The suppression list is down, so SES was certainly not called for what has been claimed."""
    office.suppressions.script = Always(DOWN)
    worker = office.worker()
    worker.process([office.request("one"), office.request("two")])
    assert office.suppressions.script.reached.wait(TIMEOUT)
    worker.stop()
    assert office.ledger.claims == {}


def test_a_stop_lets_a_call_that_is_out_come_back(office: Office) -> None:
    gate, worker, request = Gate(), office.worker(), office.request()
    office.mailer.script.add(gate)
    worker.process([request])
    assert gate.reached.wait(TIMEOUT)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    gate.opened.set()
    stopping.join(TIMEOUT)
    assert office.outcomes() == {ORDER: "sent"}
    assert worker.sender.durable() == request.sequence


def test_a_stop_does_not_wait_longer_than_it_may(office: Office) -> None:
    gate, worker = Gate(), office.worker()
    office.mailer.script.add(gate)
    worker.process([office.request()])
    assert gate.reached.wait(TIMEOUT)
    worker.sending.stop(0)
    still_out = len(worker.sending._running)
    gate.opened.set()
    assert still_out == 1


def test_a_stop_starts_nothing_new(office: Office) -> None:
    gate, worker = Gate(), office.worker(in_flight=1)
    office.mailer.script.add(gate)
    worker.process([office.request("one"), office.request("two"), office.request("three")])
    assert gate.reached.wait(TIMEOUT)
    worker.desk.patience.stopping.set()
    gate.opened.set()
    worker.stop()
    assert office.mails() == ["one"]


def test_a_stop_reaches_whoever_waits_for_room(office: Office) -> None:
    throttled(office)
    worker = office.worker(in_flight=1)
    refused = threading.Event()

    def fill() -> None:
        try:
            worker.process([office.request(f"order-{n}") for n in range(100)])
        except Stopped:
            refused.set()

    filling = threading.Thread(target=fill)
    filling.start()
    worker.desk.patience.stopping.set()
    assert refused.wait(TIMEOUT)
    filling.join(TIMEOUT)


def test_all_threads_end_with_the_sending(office: Office) -> None:
    before = set(threading.enumerate())
    worker = office.worker()
    worker.work([office.request(f"order-{n}") for n in range(20)])
    own = set(threading.enumerate()) - before
    worker.stop()
    for thread in own:
        thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in own)
    assert len(own) >= 3


def test_all_threads_end_though_every_service_is_down(office: Office) -> None:
    before = set(threading.enumerate())
    throttle, worker = throttled(office), office.worker()
    worker.process([office.request(f"order-{n}") for n in range(8)])
    assert throttle.reached.wait(TIMEOUT)
    own = set(threading.enumerate()) - before
    worker.stop()
    for thread in own:
        thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in own)


def test_stopping_twice_is_stopping_once(office: Office) -> None:
    worker = office.worker()
    worker.work([office.request()])
    worker.stop()
    worker.stop()
    assert office.outcomes() == {ORDER: "sent"}


# ── Faults of one among many ──────────────────────────────────────────────────────────────────────────────


def test_a_task_that_cannot_begin_keeps_no_other(office: Office) -> None:
    """Nor may its claims make the others look like somebody else's.

    batch:  claim(one, order-42, two) ─► one and two are stored, order-42 is at fault
    alone:  claim(one) ─► still mine ─► SES;   claim(two) ─► still mine ─► SES
    """

    class Picky(Clerk):
        def verdicts(self, tasks: Sequence[Task], mine: Sequence[Claim]) -> list[Verdict]:
            verdicts = super().verdicts(tasks, mine)
            if any(task.email_id == ORDER for task in tasks):
                raise FAULT
            return verdicts

    worker = office.worker()
    change(worker, clerk=Picky(office.ledger, office.delays, RULES, office.clock, lambda _: True))
    requests = [office.request("one"), office.request(), office.request("two")]
    gate = threading.Semaphore(0)
    office.mailer.scripts |= {name: Script(gate.release) for name in ("one", "two")}
    worker.process(requests)
    assert gate.acquire(timeout=TIMEOUT)
    assert gate.acquire(timeout=TIMEOUT)
    worker.stop()
    assert worker.sender.durable() == requests[-1].sequence
    assert sorted(office.mails()) == ["one", "two"]
    (letter,) = office.letters.letters
    assert letter.record.sequence == requests[1].sequence


def test_a_stop_after_a_fault_leaves_the_claim_open(office: Office) -> None:
    """Nobody knows what the fault was, so SES may have the mail.

    try 1:  SES ─► a fault of our own ─► try 2: throttled … ─► stopped
    """
    always = Always(SLOWER)

    def throttle() -> None:
        always.next()

    office.mailer.script.add(FAULT, *[throttle] * 100_000)
    worker = office.worker()
    worker.process([office.request()])
    assert always.reached.wait(TIMEOUT)
    worker.stop()
    assert office.ledger.claims[ORDER].outcome is None


def test_a_stop_while_an_unanswered_mail_waits_to_be_deferred_leaves_its_claim_open(office: Office) -> None:
    """A:  claim ─► SES: no answer ─► defer: the queue is down … ─► stopped        B:  open ─► defer."""
    always = Always(DOWN)
    office.mailer.script.add(LOST)
    office.delays.script = always
    worker = office.worker()
    worker.process([office.request()])
    assert always.reached.wait(TIMEOUT)
    worker.stop()
    assert office.ledger.claims[ORDER].outcome is None


def test_a_fault_in_deferring_does_not_ask_ses_again(office: Office) -> None:
    office.mailer.script.add(LOST)
    office.delays.script.add(FAULT)
    office.worker().work([office.request()])
    assert len(office.mailer.asked) == 1
    assert len(office.delays.due) == 1
