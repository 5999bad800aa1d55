"""SES is paused for longer than requests may wait: each ends as failed, expired, and none is left out.

The clock is moved by whoever asks SES, so the days of waiting take no time.
"""

from datetime import timedelta

import pytest

from consumers.mail import Throttled
from consumers.pace import MemoryGrants, Pace
from consumers.sender import Sender
from pipeline import times
from pipeline.errors import EngineError, Misconfigured, Unavailable
from pipeline.events import MailFailed
from pipeline.log import Record
from tests import builders
from tests.builders import NINE
from tests.consumers.fakes import LOST, Always, Script
from tests.consumers.office import Office, Worker
from tests.consumers.test_sending import change

HOUR = 3600.0
RETENTION = timedelta(days=7)
IDS = [f"order-{n}" for n in range(120)]
REASONS = [
    Misconfigured("SES: SendingPausedException: Sending is paused for your account."),
    Misconfigured("SES: AccountSuspendedException: no"),
    Misconfigured("SES: AccessDeniedException: no"),
    Unavailable("SES: daily quota reached: Daily message quota exceeded."),
    Throttled("SES: ThrottlingException: Maximum sending rate exceeded."),
]


def paused(office: Office, error: EngineError, hours: float) -> None:
    """SES takes nothing until so many hours have passed; each call takes a quarter of an hour."""
    over = office.clock.seconds() + hours * HOUR

    class Pause(Script):
        def next(self) -> None:
            office.clock.forward(HOUR / 4)
            if office.clock.seconds() < over:
                raise error

    office.mailer.script = Pause()


def requests(office: Office) -> list[Record]:
    return [office.request(name) for name in IDS]


def codes(office: Office) -> set[str]:
    return set(office.outcomes().values())


@pytest.mark.parametrize("error", REASONS)
def test_every_request_that_got_too_old_ends_as_expired(office: Office, error: EngineError) -> None:
    paused(office, error, hours=100)
    worker, records = office.worker(), requests(office)
    worker.work(records)
    assert office.outcomes() == dict.fromkeys(IDS, "REQUEST_EXPIRED")
    assert office.mails() == []
    assert worker.sender.durable() == records[-1].sequence


def test_it_ends_before_the_log_forgets_the_requests(office: Office) -> None:
    paused(office, REASONS[0], hours=100_000)
    office.worker().work(requests(office))
    assert office.clock() - times.parse(NINE) < RETENTION
    assert codes(office) == {"REQUEST_EXPIRED"}


def test_an_expired_request_says_so_and_what_to_do(office: Office) -> None:
    paused(office, REASONS[0], hours=100)
    office.worker().work([office.request()])
    (event,) = office.facts(MailFailed)
    assert isinstance(event.body, MailFailed)
    assert event.body.error_message.startswith("expired: ")
    assert "ask for the mail again" in event.body.error_message


def test_nothing_is_parked_however_long_ses_is_paused(office: Office) -> None:
    paused(office, REASONS[0], hours=100)
    office.worker().work(requests(office))
    assert office.letters.letters == []


@pytest.mark.parametrize("error", REASONS)
def test_a_pause_that_ends_in_time_lets_every_mail_go(office: Office, error: EngineError) -> None:
    paused(office, error, hours=40)
    office.worker().work(requests(office))
    assert codes(office) == {"sent"}
    assert sorted(office.mails()) == sorted(IDS)


def test_what_came_in_late_enough_is_sent_when_the_pause_ends(office: Office) -> None:
    old = office.request("old")
    detail = builders.request(emailId="young")
    young = office.append(builders.requested(detail, id="young", time=builders.at(60 * 60)).to_bytes())
    paused(office, REASONS[0], hours=80)
    office.worker(in_flight=1).work([old, young])
    assert office.outcomes() == {"old": "REQUEST_EXPIRED", "young": "sent"}


def test_a_request_is_not_sent_later_than_it_says_itself(office: Office) -> None:
    paused(office, REASONS[0], hours=5)
    office.worker().work([office.request(expiresAt=builders.at(60))])
    assert codes(office) == {"REQUEST_EXPIRED"}


def test_a_rate_that_cannot_be_looked_up_lets_nobody_wait_for_ever(office: Office) -> None:
    def down() -> float:
        office.clock.forward(HOUR)
        raise Unavailable("SES: TooManyRequestsException: slower")

    worker = office.worker()
    change(worker, pace=Pace(MemoryGrants(), down, office.clock.seconds))
    worker.work(requests(office))
    assert codes(office) == {"REQUEST_EXPIRED"}


def test_claims_that_are_open_when_the_pause_begins_expire_too(office: Office) -> None:
    """O:  claim ─► SES ─► no answer ─► defer ─► … paused … ─► Send Due ─► take over ─► too old."""
    office.mailer.script.add(*[LOST] * len(IDS))
    worker = office.worker()
    worker.work(requests(office))
    paused(office, REASONS[0], hours=100)
    while office.delays.due:
        worker.work(office.come_due())
    assert codes(office) == {"REQUEST_EXPIRED"}
    assert len(office.mails()) == len(IDS)


def test_senders_that_are_restarted_during_the_pause_leave_nothing_out(office: Office) -> None:
    """A:  claim ─► SES: paused … ─► stopped, claims released        B:  the same records ─► … ─► expired."""
    records, always = requests(office), Always(REASONS[0])
    office.mailer.script = always
    for _ in range(3):
        always.reached.clear()
        worker = office.worker()
        stopped(worker, records)
        office.clock.forward(HOUR)
    assert office.ledger.claims == {}
    paused(office, REASONS[0], hours=100)
    office.worker().work(records)
    assert office.outcomes() == dict.fromkeys(IDS, "REQUEST_EXPIRED")


def stopped(worker: Worker, records: list[Record]) -> None:
    assert isinstance(worker.sender, Sender)
    worker.process(records[:8])
    worker.stop()
