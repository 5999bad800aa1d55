"""Where mail is sent, over parts in memory: the log, the ledger and SES outlive the senders, which may die."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from consumers.clerk import OPEN_CLAIM, Clerk, ClerkRules
from consumers.delivery import Delivery
from consumers.gates import BounceRate, Gates, Holds, Limits
from consumers.hearing import Ear, Hearing, MemoryMarks
from consumers.ledger import MemoryLedger
from consumers.pace import MemoryGrants, Pace
from consumers.parking import Parking
from consumers.sender import Sender
from consumers.sending import Desk, Sending
from consumers.settling import Settler
from consumers.templates import Templates, compiled
from consumers.witness import Witness
from pipeline import ids
from pipeline.codec import Logged, Request, decode
from pipeline.events import Fact, MailFact, MailFailed, MailSent, RetryNotNeeded, SendDue
from pipeline.log import Record
from pipeline.memory import MemoryLog
from projections.holds import Hold
from projections.store import MemoryStore
from projections.tracking import Mail
from tests import builders
from tests.consumers.fakes import (
    TIMEOUT,
    Clock,
    FakeDelays,
    FakeMailer,
    FakeReputation,
    FakeSuppressions,
    FakeTemplates,
    Hurried,
    Life,
    MemoryLetters,
    MortalDelays,
    MortalLedger,
    MortalLog,
    MortalMailer,
)

GRACE = 600.0
HOLD = 30.0
CALL_TIMEOUT = 10.0
RULES = ClerkRules(grace=GRACE, hold=HOLD, call_timeout=CALL_TIMEOUT)
ROUND = 120.0
UNTIL_ABANDONED = HOLD + CALL_TIMEOUT + GRACE

WELCOME = compiled(
    "welcome", "<p>Welcome, {{ userName }}</p>", None, '{"subject": "Welcome, {{ userName }}"}'
)
SENDER = ("Acme", "hello@acme.example")


def hours() -> Callable[[], float]:
    """A clock on which an hour passes from one look to the next: nothing is kept, nothing is waited for."""
    return partial(next, count(0.0, 3600.0))


def delivery_of(
    templates: Templates,
    clock: Clock,
    reputation: FakeReputation,
    kind: type[Delivery] = Delivery,
    paused: Sequence[Hold] = (),
) -> Delivery:
    bounce_rate = BounceRate(reputation.of_day, Limits(), clock, keep_seconds=0)
    holds = Holds(lambda: paused, clock, ROUND, keep_seconds=0)
    return kind(templates, SENDER, Gates(holds, bounce_rate, Limits(), clock))


@dataclass
class Worker:
    """One sender process, working for one shard."""

    sender: Sender
    sending: Sending
    desk: Desk
    witness: Witness
    life: Life

    def process(self, records: Sequence[Record]) -> None:
        self.sender.process(records)

    def done(self) -> bool:
        """Wait until everything that was accepted is finished."""
        return self.sender._watermark.wait(TIMEOUT)

    def work(self, records: Sequence[Record]) -> None:
        self.process(records)
        assert self.done()

    def stop(self) -> None:
        self.witness.stop(TIMEOUT)
        self.sending.stop(TIMEOUT)


@dataclass
class Office:
    rules: ClerkRules = RULES
    log: MemoryLog = field(default_factory=MemoryLog)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    mailer: FakeMailer = field(default_factory=FakeMailer)
    delays: FakeDelays = field(default_factory=FakeDelays)
    templates: FakeTemplates = field(default_factory=lambda: FakeTemplates(WELCOME))
    suppressions: FakeSuppressions = field(default_factory=FakeSuppressions)
    rows: MemoryStore[Mail] = field(default_factory=MemoryStore)
    letters: MemoryLetters = field(default_factory=MemoryLetters)
    clock: Clock = field(default_factory=Clock)
    reputation: FakeReputation = field(default_factory=FakeReputation)
    paused: list[Hold] = field(default_factory=list)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log.now = self.clock

    def worker(self, dies: str = "", in_flight: int = 4, shard: str | None = None) -> Worker:
        life = Life(dies)
        ledger, log = MortalLedger(life, self.ledger), MortalLog(life, self.log)
        patience, settler_patience = Hurried("sender"), Hurried("settler")
        parking = Parking("sender", self.letters, log, self.clock)
        hearing = Hearing(self.marks, self.log, self.clock, hours())
        desk = Desk(
            clerk=Clerk(ledger, MortalDelays(life, self.delays), self.rules, self.clock, hearing.is_heard),
            mails=self.rows,
            suppressions=self.suppressions,
            delivery=delivery_of(self.templates, self.clock, self.reputation, paused=self.paused),
            mailer=MortalMailer(life, self.mailer),
            pace=Pace(MemoryGrants(), lambda: 1_000_000.0, time.time),
            settler=Settler(ledger, log, settler_patience, parking, gather=0),
            parking=parking,
            patience=patience,
        )
        sending, witness = Sending(desk, in_flight), Witness(desk, ledger, log, gather=0)
        ear = Ear(witness, self.marks, shard or self.log.shards()[0].id, None, hours())
        sender = Sender(sending, log, witness=witness, ear=ear)
        self.workers.append(Worker(sender, sending, desk, witness, life))
        return self.workers[-1]

    def close(self) -> None:
        for worker in self.workers:
            worker.stop()

    # ── What comes in ──

    def request(self, email_id: str = builders.ORDER, event_id: str = "", **fields: object) -> Record:
        """A request that has come into the log."""
        detail = builders.request(emailId=email_id, **fields)
        return self.append(builders.requested(detail, id=event_id or f"event-of-{email_id}").to_bytes())

    def append(self, data: bytes) -> Record:
        """A record that arrives now."""
        return self.log.append_bytes(data, "key")

    def records(self) -> list[Record]:
        """The whole log."""
        shards = self.log.shards()
        return [
            record for shard in shards for record in self.log.reader(shard.id, None).read(100_000).records
        ]

    def come_due(self) -> list[Record]:
        """The deferred requests come back, once the longest of their delays is over."""
        due, self.delays.due = self.delays.due, []
        self.clock.forward(max((seconds for _, seconds in due), default=0))
        facts = [
            each.envelope(ids.derived_id("due", str(n), str(self.clock())), builders.NINE)
            for n, (each, _) in enumerate(due)
        ]
        return [self.append(fact.to_bytes()) for fact in facts]

    def abandoned(self, request: Record) -> Record:
        """The request comes back when its open claim may be taken over."""
        self.clock.forward(UNTIL_ABANDONED)
        event = decode(request.data)
        assert isinstance(event.body, Request)
        email_id = event.body.email_id
        due = SendDue(
            email_id=email_id,
            original_email_id=email_id,
            retry_attempt=0,
            place=request.place,
            reason=OPEN_CLAIM,
        )
        return self.append(due.envelope(f"abandoned-{email_id}", builders.NINE).to_bytes())

    # ── What came of it ──

    def facts(self, *kinds: type[Fact]) -> list[Logged]:
        events = [decode(record.data) for record in self.records()]
        return [event for event in events if isinstance(event.body, kinds or Fact)]

    def outcomes(self) -> dict[str, str]:
        """What became of each mail, by id: `sent`, `not needed`, or the code of its failure; one fact for each."""
        found: dict[str, str] = {}
        names = {MailSent: "sent", RetryNotNeeded: "not needed"}
        facts = {event.id: event.body for event in self.facts(MailSent, MailFailed, RetryNotNeeded)}
        for fact in facts.values():
            assert isinstance(fact, MailFact)
            assert fact.email_id not in found
            found[fact.email_id] = fact.error_code if isinstance(fact, MailFailed) else names[type(fact)]
        return found

    def mails(self) -> list[str]:
        """The ids of the mails that SES took, in its order."""
        return [ids.from_tag(mail.tags["emailId"]) or "" for mail in self.mailer.taken]
