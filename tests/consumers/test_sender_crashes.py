"""A sender dies at any step, and another goes on with the same log and ledger.

    claim ─► gates ─► SES ─► close the claim ─► append the fact ─► (durable)

Up to the claim nothing has happened. While the claim is open nobody knows whether SES took the mail: it is
deferred until feedback would have come. Once the claim is closed its fact is repeated verbatim.
"""

from dataclasses import replace

import pytest

from pipeline.events import MailSent
from tests.builders import ORDER
from tests.consumers.fakes import LOST, TIMEOUT
from tests.consumers.office import RULES, Office, Worker

CLAIM_OPEN = ["after claim", "before SES", "after SES", "before close"]
NOT_TAKEN = ["after claim", "before SES"]
TAKEN = ["after SES", "before close"]
CLAIM_CLOSED = ["after close", "before append", "after append"]
STEPS = ["before claim", *CLAIM_OPEN, *CLAIM_CLOSED]


def died(office: Office, step: str) -> Worker:
    """A sender that was given the whole log, and died at this step."""
    worker = office.worker(step)
    worker.process(office.records())
    assert worker.life.over.wait(TIMEOUT)
    worker.stop()
    return worker


def restarted(office: Office) -> Worker:
    """Another sender, which is given everything again."""
    worker = office.worker()
    worker.work(office.records())
    return worker


def to_the_end(office: Office) -> None:
    worker = restarted(office)
    while office.delays.due:
        worker.work(office.come_due())


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_durable_for_a_sender_that_died_before_it_was_finished(office: Office, step: str) -> None:
    office.request()
    assert died(office, step).sender.durable() is None


@pytest.mark.parametrize("step", STEPS)
def test_the_request_has_one_outcome_in_the_end(office: Office, step: str) -> None:
    office.request()
    died(office, step)
    to_the_end(office)
    assert office.outcomes() == {ORDER: "sent"}


@pytest.mark.parametrize("step", ["before claim", *NOT_TAKEN, *CLAIM_CLOSED])
def test_the_mail_is_sent_exactly_once(office: Office, step: str) -> None:
    office.request()
    died(office, step)
    to_the_end(office)
    assert office.mails() == [ORDER]


def test_before_the_claim_the_mail_is_sent_at_once(office: Office) -> None:
    """A:  ✝ claim        B:  claim ─► SES ─► fact."""
    office.request()
    died(office, "before claim")
    restarted(office)
    assert office.mails() == [ORDER]
    assert office.delays.due == []


@pytest.mark.parametrize("step", CLAIM_OPEN)
def test_an_open_claim_defers_the_mail(office: Office, step: str) -> None:
    """Nobody but the dead knows whether SES has it.

    A:  claim ─► (SES) ✝
    B:                    claim ─► A's, open ─► defer
    """
    office.request()
    died(office, step)
    before = office.mails()
    restarted(office)
    assert office.mails() == before
    assert [due.email_id for due, _ in office.delays.due] == [ORDER]


@pytest.mark.parametrize("step", CLAIM_OPEN)
def test_a_deferred_mail_has_no_outcome_yet(office: Office, step: str) -> None:
    office.request()
    died(office, step)
    restarted(office)
    assert office.outcomes() == {}


@pytest.mark.parametrize("step", TAKEN)
def test_under_the_policy_send_a_mail_that_ses_took_unheard_is_sent_again_after_the_grace(
    office: Office, step: str
) -> None:
    """The one case that is documented: the claim stayed open, and no feedback closed it.

    A:  claim ─► SES ─► taken ✝
    B:                          defer ─► … grace … ─► take over ─► SES ─► fact
    """
    office.request()
    died(office, step)
    to_the_end(office)
    assert office.mails() == [ORDER, ORDER]


@pytest.mark.parametrize(("step", "taken"), [*((s, 0) for s in NOT_TAKEN), *((s, 1) for s in TAKEN)])
def test_under_the_policy_fail_an_open_claim_ends_as_a_failure(step: str, taken: int) -> None:
    office = Office(rules=replace(RULES, resend_abandoned=False))
    office.request()
    died(office, step)
    to_the_end(office)
    office.close()
    assert office.outcomes() == {ORDER: "SEND_OUTCOME_UNKNOWN"}
    assert len(office.mails()) == taken


@pytest.mark.parametrize("step", CLAIM_CLOSED)
def test_a_closed_claim_repeats_its_fact_verbatim(office: Office, step: str) -> None:
    """A:  claim ─► SES ─► close ─► (append) ✝        B:  claim ─► closed ─► append what the claim holds."""
    office.request()
    died(office, step)
    office.clock.forward(60)
    restarted(office)
    first, *others = [event.envelope for event in office.facts(MailSent)]
    assert all(other == first for other in others)
    assert first == office.ledger.claims[ORDER].outcome


@pytest.mark.parametrize("step", CLAIM_CLOSED)
def test_a_closed_claim_defers_nothing(office: Office, step: str) -> None:
    office.request()
    died(office, step)
    restarted(office)
    assert office.delays.due == []


@pytest.mark.parametrize("step", [step for step in STEPS if "SES" not in step])
def test_a_refused_request_has_one_outcome_in_the_end(office: Office, step: str) -> None:
    office.request(templateName="missing")
    died(office, step)
    to_the_end(office)
    assert office.outcomes() == {ORDER: "TEMPLATE_NOT_FOUND"}
    assert office.mails() == []


@pytest.mark.parametrize("step", ["before defer", "after defer"])
def test_a_request_whose_deferral_was_cut_short_comes_back(office: Office, step: str) -> None:
    """A:  claim ─► SES: no answer ─► defer ✝        B:  claim ─► A's, open ─► defer."""
    office.mailer.script.add(LOST)
    office.request()
    died(office, step)
    to_the_end(office)
    assert office.outcomes() == {ORDER: "sent"}


@pytest.mark.parametrize("step", STEPS)
def test_requests_beside_it_are_each_sent_and_stated(office: Office, step: str) -> None:
    ids = [f"order-{n}" for n in range(12)]
    for email_id in ids:
        office.request(email_id)
    died(office, step)
    to_the_end(office)
    assert office.outcomes() == dict.fromkeys(ids, "sent")


@pytest.mark.parametrize("step", ["before claim", "before append", "after append"])
def test_one_crash_after_the_other_still_sends_once(office: Office, step: str) -> None:
    office.request()
    died(office, step)
    died(office, step)
    to_the_end(office)
    assert office.mails() == [ORDER]


@pytest.mark.parametrize("step", ["before replace", "after replace"])
def test_a_sender_that_dies_while_taking_over_leaves_a_claim_that_can_be_taken_over(
    office: Office, step: str
) -> None:
    """A:  claim ✝        B:  … take over ✝        C:  … take over ─► SES ─► fact."""
    office.request()
    died(office, "after claim")
    restarted(office)
    due = office.come_due()
    taking = office.worker(step)
    taking.process(due)
    assert taking.life.over.wait(TIMEOUT)
    taking.stop()
    to_the_end(office)
    assert office.mails() == [ORDER]
