"""Every request has its outcome and every mail is sent once, although sender processes are killed all the time.

Two sender processes work for one shard. Each is killed (SIGKILL) at a step of its work and followed by the
next, which is killed at another, while requests come in, some of them twice, and SES throttles, and loses calls
before and after it took the mail. What SES took is counted by its tags.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import pytest

from consumers.dynamodb import CheckpointTable, LedgerTable
from consumers.ledger import Claim
from consumers.s3 import TemplateFolder
from consumers.template_folders import starter_folders
from infra.embedded import EmbeddedAws
from infra.embedded.ses import Faults, SesConfig
from infra.stack import configuration, deploy
from pipeline import ids, times
from pipeline.codec import Logged, decode
from pipeline.envelope import Envelope
from pipeline.events import MailDuplicate, MailFailed, MailSent
from pipeline.kinesis import KinesisLog
from pipeline.log import Record
from pipeline.settings import Settings
from tests import builders
from tests.infra.sender_process import CHECKPOINTS, Plan
from tests.infra.timelines import timeline

ROOT = Path(__file__).parents[2]
STACK = "engine"
STEPS = [
    f"{when} {what}"
    for what in ("claim", "SES", "close", "append", "defer", "checkpoint")
    for when in ("before", "after")
]
FAULTS = Faults(throttled=0.30, lost_before=0.025, lost_after=0.025)
REPEATED = 0.05
PLANTED = ("planted-address", "planted-subject", "planted-value", "planted-metadata")
LONGEST_LIFE = 8.0  # of a process that doesn't come to its step
LONGEST_RUN = 150.0


@dataclass(frozen=True)
class Weather:
    """Seconds: what a claim allows, and how late feedback may come; `lateness` stretches how late it comes."""

    seed: int
    grace: int
    lateness: float
    policy: str = "send"
    hold: float = 1.5
    call_timeout: float = 1.0

    def parameters(self) -> dict[str, str]:
        return {
            "DefaultSenderEmail": "hello@acme.example",
            "DeletionProtection": "false",
            "ShardCount": "1",
            "EmailSenderConcurrency": "1000",
            "SendsInFlight": "8",
            "OpenClaimGraceSeconds": str(self.grace),
            "OpenClaimPolicy": self.policy,
        }

    def ses(self) -> SesConfig:
        return SesConfig(
            seed=self.seed,
            duplicates=0.05,
            max_send_rate=1000.0,
            delay_scale=self.lateness,
            faults=FAULTS,
        )


def inside(seed: int) -> Weather:
    """Feedback comes up to a second after the mail, well inside the grace."""
    return Weather(seed, grace=7, lateness=10.0)


def outside(seed: int, policy: str = "send") -> Weather:
    """Feedback comes 3 to 30 seconds after the mail."""
    return Weather(seed, grace=1, lateness=300.0, policy=policy)


@dataclass
class Workplace:
    """Where one sender process follows the other. `told`: a folder, in which each writes a file of lines."""

    plan: Plan
    deaths: list[tuple[str, int]]
    told: Path
    killed: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0

    @property
    def at_peace(self) -> bool:
        return not self.deaths and self.plan.step == ""

    def tend(self) -> None:
        """Have one at work; one that outlives its plan is killed wherever it is."""
        if self.process is None:
            self._start()
        elif self.process.poll() is not None:
            assert self.process.returncode == -signal.SIGKILL
            self.killed.append(self.plan.step)
            self._start()
        elif self.plan.step and time.monotonic() - self.began > LONGEST_LIFE:
            self.process.kill()

    def stop(self) -> int:
        """The exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self.process.wait(30)

    def _start(self) -> None:
        step, count = self.deaths.pop() if self.deaths else ("", 1)
        self.plan = Plan(**asdict(self.plan) | {"step": step, "count": count})
        self.began = time.monotonic()
        command = [sys.executable, "-m", "tests.infra.sender_process", json.dumps(asdict(self.plan))]
        with NamedTemporaryFile(dir=self.told, delete=False) as told:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=told)


class Run:
    """The embedded AWS with the stack, requests, and what came of them."""

    def __init__(self, weather: Weather, opening: ExitStack) -> None:
        self.weather = weather
        self.aws = opening.enter_context(EmbeddedAws(ses_config=weather.ses()))
        cloudformation = self.aws.client("cloudformation")
        deploy(cloudformation, STACK, weather.parameters())
        self.settings = Settings.from_mapping(configuration(cloudformation, STACK))
        templates = TemplateFolder(self.aws.client("s3"), self.settings.template_bucket_name)
        templates.put("welcome", starter_folders()["welcome"])
        CheckpointTable(self.aws.client("dynamodb"), CHECKPOINTS).create()
        self.log = KinesisLog(self.aws.client("kinesis"), self.settings.stream_name)
        (shard,) = self.log.shards()
        self._reader, self._records = self.log.reader(shard.id, None), list[tuple[Record, Logged]]()
        self.asked: list[Envelope] = []
        self.repeated: list[Envelope] = []
        self._dice = random.Random(weather.seed)
        self.told = Path(opening.enter_context(TemporaryDirectory()))
        self.workplaces = [self._workplace(STEPS[::2]), self._workplace(STEPS[1::2])]
        opening.callback(self._end)

    def _workplace(self, steps: Sequence[str]) -> Workplace:
        deaths = [(step, self._dice.randint(1, 4)) for step in self._dice.sample(steps, len(steps))]
        weather = self.weather
        plan = Plan(self.aws.endpoint, STACK, weather.hold, weather.call_timeout)
        return Workplace(plan, deaths, self.told)

    def _end(self) -> None:
        for place in self.workplaces:
            if place.process:
                place.process.kill()
                place.process.wait()

    # ── While it goes on ──

    def go(self) -> None:
        """Requests come until all kills are over and SES has lost a call; then everything is waited for."""
        self._until(
            lambda: all(p.at_peace for p in self.workplaces) and self.aws.ses.counters["lost"] > 0, self._ask
        )
        self._until(lambda: not self.without_outcome() and not self.open(), lambda: None)
        assert [place.stop() for place in self.workplaces] == [0, 0]

    def _until(self, done: Any, meanwhile: Any) -> None:
        deadline = time.monotonic() + LONGEST_RUN
        while not done():
            assert time.monotonic() < deadline, "the run did not come to its end"
            meanwhile()
            for place in self.workplaces:
                place.tend()
            time.sleep(0.1)

    def _ask(self) -> None:
        """One more request; now and then one comes a second time, or another with the same `emailId`."""
        self.asked.append(self._request(f"mail-{len(self.asked)}"))
        records = self.asked[-1:]
        if self._dice.random() < REPEATED:
            records.append(self._dice.choice(self.asked))
        if self._dice.random() < REPEATED:
            again = self._dice.choice(self.asked)
            self.repeated.append(again.model_copy(update={"id": f"again-{len(self.repeated)}"}))
            records.append(self.repeated[-1])
        self.log.append(records)

    def _request(self, email_id: str) -> Envelope:
        detail = builders.request(
            emailId=email_id,
            to=f"{PLANTED[0]}-{email_id}@example.com",
            subject=f"{PLANTED[1]} {email_id}",
            templateData={"userName": PLANTED[2]},
            metadata={"note": PLANTED[3]},
        )
        return builders.requested(detail, id=f"event-of-{email_id}", time=times.text(times.utc_now()))

    def without_outcome(self) -> set[str]:
        """The ids that no fact of the log tells the outcome of, and the repetitions that none speaks of."""
        told = {event.body.email_id for event in self.facts(MailSent, MailFailed)}
        told |= {event.body.event_id for event in self.facts(MailDuplicate)}
        return {*self.ids, *(again.id for again in self.repeated)} - told

    def open(self) -> list[str]:
        return [email_id for email_id, claim in self.claims().items() if claim.outcome is None]

    # ── What came of it ──

    @property
    def ids(self) -> list[str]:
        return [str(request.detail["emailId"]) for request in self.asked]

    def facts(self, *kinds: type) -> list[Any]:
        return [event for event in self.events() if isinstance(event.body, kinds)]

    def events(self) -> list[Logged]:
        return [event for _, event in self.records()]

    def records(self) -> list[tuple[Record, Logged]]:
        """The whole log, of which only the new part is read."""
        while records := self._reader.read(10_000).records:
            self._records += [(record, decode(record.data)) for record in records]
        return self._records

    def claims(self) -> dict[str, Claim]:
        table = self.settings.send_ledger_table_name
        ledger = LedgerTable(self.aws.client("dynamodb"), table, timedelta(days=1), times.utc_now)
        return dict(ledger.read(self.ids))

    @cached_property
    def mails(self) -> Counter[str]:
        """How many SES took, by their tag."""
        return Counter(str(ids.from_tag(mail.tags["emailId"])) for mail in self.aws.ses.mails())

    @cached_property
    def outcomes(self) -> dict[str, set[bytes]]:
        told: dict[str, set[bytes]] = {}
        for event in self.facts(MailSent, MailFailed):
            told.setdefault(event.body.email_id, set()).add(event.envelope.to_bytes())
        return told

    def check(self) -> None:
        """What holds whatever the weather."""
        assert sorted(step for place in self.workplaces for step in place.killed) == sorted(STEPS)
        claims, counters = self.claims(), self.aws.ses.counters
        assert counters["throttled"] > 0
        assert counters["lost"] > 0
        assert set(self.outcomes) == set(self.ids)
        for email_id, facts in self.outcomes.items():
            closed = claims[email_id].outcome
            assert closed
            assert facts == {closed.to_bytes()}, email_id
        duplicates = {event.id for event in self.facts(MailDuplicate)}
        assert len(duplicates) == len(self.repeated)

    def report(self) -> str:
        """For a person: how rough it was."""
        attempts = Counter(claim.attempt for claim in self.claims().values())
        return (
            f"seed {self.weather.seed}: {len(self.asked)} mails, {len(self.repeated)} ids again, mails by tag "
            f"{dict(Counter(self.mails.values()))}, attempts {dict(attempts)}, SES {dict(self.aws.ses.counters)}"
        )


@pytest.fixture
def opening() -> Iterator[ExitStack]:
    with ExitStack() as opening:
        yield opening


def gone_through(weather: Weather, opening: ExitStack) -> Run:
    run = Run(weather, opening)
    run.go()
    print(run.report())  # noqa: T201  shown where a test fails
    run.check()
    nothing_personal([each.read_text(encoding="utf-8") for each in run.told.iterdir()])
    return run


def nothing_personal(told: Sequence[str]) -> None:
    """Logs and metrics of all processes: JSON lines, and nothing in them of what the mails say or whom they go to.

    A kill may cut the last line of a process.
    """
    lines = [json.loads(line) for each in told for line in each.splitlines(keepends=True) if line[-1] == "\n"]
    assert any("_aws" in line for line in lines), "there are metrics"
    assert any("message" in line for line in lines), "and there are logs"
    assert [mark for mark in PLANTED for each in told if mark in each] == []


def one_mail_each(run: Run) -> None:
    twice = [email_id for email_id, count in run.mails.items() if count > 1]
    print(*(timeline(run.aws, run.records(), each) for each in twice), sep="\n\n")  # noqa: T201
    assert run.mails == dict.fromkeys(run.ids, 1)


def one_mail_more_for_each_grace_that_ran_out(run: Run) -> None:
    """An attempt is counted where an open claim was taken over after its grace."""
    claims = run.claims()
    assert set(run.mails) == set(run.ids)
    assert {key: count for key, count in run.mails.items() if not 1 <= count <= claims[key].attempt} == {}


def no_mail_twice(run: Run) -> None:
    """A mail that nobody knows the fate of fails, and says so."""
    codes = {fact.body.error_code for fact in run.facts(MailFailed)}
    assert codes <= {"SEND_OUTCOME_UNKNOWN"}
    assert set(run.mails.values()) == {1}
    assert {fact.body.email_id for fact in run.facts(MailSent)} <= set(run.mails)


@pytest.mark.timeout(200)
def test_with_feedback_inside_the_grace_each_mail_is_sent_exactly_once(opening: ExitStack) -> None:
    one_mail_each(gone_through(inside(1), opening))


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(10, 20))
def test_soak_inside_the_grace(opening: ExitStack, seed: int) -> None:
    one_mail_each(gone_through(inside(seed), opening))


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(20, 25))
def test_soak_outside_the_grace(opening: ExitStack, seed: int) -> None:
    one_mail_more_for_each_grace_that_ran_out(gone_through(outside(seed), opening))


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(25, 30))
def test_soak_outside_the_grace_where_the_policy_is_to_fail(opening: ExitStack, seed: int) -> None:
    no_mail_twice(gone_through(outside(seed, "fail"), opening))
