"""The guide's "Email Processing Flow" and "No Silent Email Loss", line by line, through the public path.

A request goes on the bus; its row and its facts come out. Each `Line` stands beside the guide's wording,
and the guide's text is read to make sure that no line of it is left out. `departs` says why the outcome is
another one than the guide's, in the words of docs/INTEGRATION.md.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from moto.core.request import Request

from consumers.gates import BounceRate
from infra.embedded import dispatch, in_process
from infra.embedded.dispatch import Reply
from infra.embedded.ses.config import Faults
from infra.embedded.ses.errors import SesError
from infra.local import LocalEngine, LocalOptions
from infra.stack import configuration
from pipeline import ids, times
from pipeline.envelope import OUR_SOURCE
from pipeline.events import AddressSuppressed
from tests.infra.asking import letters, log, publish, row, until

GUIDE = Path(__file__).with_name("guide.md").read_text(encoding="utf-8")
DOCS = (Path(__file__).parents[2] / "docs" / "INTEGRATION.md").read_text(encoding="utf-8")
OUTAGE = 1.5

TRACKED = '✅ Track as "failed" → Event consumed'

# The first column of "Departures from the first guide".
THROTTLED = "Throttled: EventBridge retries 3 times, then the DLQ, no record"
EXPIRES = "Retries exhausted: DLQ, no record"
DOWN = "AWS error: retries, then DLQ"
DEFERRED = 'Bounce rate exceeded at a retry: "no tracking" in the diagram, `failed` in the table'
PARKED = "Unknown error: DLQ, no record"


@dataclass(frozen=True)
class Line:
    """`guide`: the branch and outcome of the diagram, or the cells of the table's row.

    `facts` are those about this mail, in any order. `world`: what is different while the request is asked;
    `waits`: nothing is decided before the world is mended. `attempt` 1 looks at the retry of a soft bounce.
    """

    guide: tuple[str, ...]
    status: str
    code: str | None = None
    says: str = ""
    facts: tuple[str, ...] = ("Mail Failed",)
    request: Mapping[str, Any] = field(default_factory=dict)
    world: str = "calm"
    waits: bool = False
    attempt: int = 0
    age: timedelta = timedelta()
    departs: str = ""


UNKNOWN_TEMPLATE = {"templateName": "nowhere"}
UNVERIFIED = {"senderOverride": {"email": "sales@unverified.example"}}
SUPPRESSED = {"to": "bounce+noemail+flow@simulator.amazonses.com"}
SUPPRESSED_LATER = {"to": "bounce+soft+later@simulator.amazonses.com"}
SOFT = {"to": "bounce+soft+flow@simulator.amazonses.com"}
NEARLY_EXPIRED = timedelta(hours=72) - timedelta(seconds=2)
SENT = ("Mail Sent",)

DIAGRAM = [
    Line(
        ("Invalid email / missing fields", TRACKED),
        "failed", "INVALID_REQUEST", "'to' is not an e-mail address",
        request={"to": "not an address"},
    ),
    Line(
        ("Invalid email / missing fields", TRACKED),
        "failed", "INVALID_REQUEST", "'templateName' is required",
        request={"templateName": None},
    ),
    Line(
        ("Recipient is suppressed", TRACKED),
        "failed", "RECIPIENT_SUPPRESSED", "the recipient is suppressed since",
        request=SUPPRESSED, world="after a hard bounce",
    ),
    Line(
        ("Exceeded + EventBridge source", TRACKED),
        "failed", "BOUNCE_RATE_EXCEEDED", "Email not sent: bounce rate exceeded",
        world="too many bounced today",
    ),
    Line(
        ("Exceeded + SQS source", "❌ No tracking → Message stays in queue"),
        "failed", "BOUNCE_RATE_EXCEEDED", "Email not sent: bounce rate exceeded",
        facts=("Send Due", "Send Due", "Send Due", "Send Due", "Mail Failed"),
        request=SOFT, attempt=1, world="too many bounce before the retry", departs=DEFERRED,
    ),
    Line(
        ("Template not found / render error", TRACKED),
        "failed", "TEMPLATE_NOT_FOUND", "there is no template 'nowhere'",
        request=UNKNOWN_TEMPLATE,
    ),
    Line(
        ("Template not found / render error", TRACKED),
        "failed", "TEMPLATE_RENDERING_FAILED", "template 'broken' could not be rendered",
        request={"templateName": "broken"}, world="with a template that divides by zero",
    ),
    Line(("Success", '✅ Track as "sent" → Event consumed'), "sent", facts=SENT),
    Line(
        ("Permanent error (invalid address, etc.)", TRACKED),
        "failed", "SES_REFUSED", "SES refused the mail",
        request=UNVERIFIED,
    ),
    Line(
        ("Retryable error (throttling, rate limit)", "❌ No tracking → EventBridge retries (3x)"),
        "sent", facts=SENT, world="SES throttles", waits=True, departs=THROTTLED,
    ),
    Line(
        ("All retries exhausted", "❌ No tracking → DLQ"),
        "failed", "REQUEST_EXPIRED", "expired: it could not be sent within 72 hours",
        world="SES throttles", age=NEARLY_EXPIRED, departs=EXPIRES,
    ),
    Line(
        ("AWS Infrastructure Error", "❌ No tracking → Retries, then DLQ"),
        "sent", facts=SENT, world="DynamoDB is down", waits=True, departs=DOWN,
    ),
]  # fmt: skip

TABLE = [
    Line(("Email sent successfully", "✅ Yes (`sent`)", "Yes"), "sent", facts=SENT),
    Line(
        ("Recipient suppressed", "✅ Yes (`failed`)", "Yes"),
        "failed", "RECIPIENT_SUPPRESSED", "hard bounce: NoEmail",
        request=SUPPRESSED, world="after a hard bounce",
    ),
    Line(
        ("Recipient suppressed (SQS retry)", "✅ Yes (`failed`)", "Yes"),
        "failed", "RECIPIENT_SUPPRESSED", "asked by telephone",
        facts=("Send Due", "Mail Failed"),
        request=SUPPRESSED_LATER, attempt=1,
        world="suppressed before the retry",
    ),
    Line(
        ("Bounce rate exceeded (EventBridge)", "✅ Yes (`failed`)", "Yes"),
        "failed", "BOUNCE_RATE_EXCEEDED", "Email not sent: bounce rate exceeded",
        world="too many bounced today",
    ),
    Line(
        ("Bounce rate exceeded (SQS retry)", "✅ Yes (`failed`)", "Yes"),
        "failed", "BOUNCE_RATE_EXCEEDED", "Email not sent: bounce rate exceeded",
        facts=("Send Due", "Send Due", "Send Due", "Send Due", "Mail Failed"),
        request=SOFT, attempt=1, world="too many bounce before the retry", departs=DEFERRED,
    ),
    Line(
        ("Template error", "✅ Yes (`failed`)", "Yes"),
        "failed", "TEMPLATE_VARIABLE_MISSING", "'userName' in templateData",
        request={"templateData": {}},
    ),
    Line(
        ("Validation error", "✅ Yes (`failed`)", "Yes"),
        "failed", "INVALID_REQUEST", "'cc' is not supported",
        request={"cc": "ben@post.example"},
    ),
    Line(
        ("SES permanent error", "✅ Yes (`failed`)", "Yes"),
        "failed", "SES_REFUSED", "SES refused the mail",
        request=UNVERIFIED,
    ),
    Line(
        ("SES retryable error", "❌ No", "No - retries"),
        "sent", facts=SENT, world="SES is paused", waits=True, departs=THROTTLED,
    ),
    Line(
        ("AWS transient error", "❌ No", "No - retries"),
        "sent", facts=SENT,
        request={"templateName": "unread"}, world="S3 is down", waits=True, departs=DOWN,
    ),
    Line(
        ("Unknown error", "❌ No", "No - goes to DLQ"),
        "failed", "SES_ERROR", "has parked it",
        facts=("Mail Failed", "Record Parked"),
        world="SES answers what nobody knows", departs=PARKED,
    ),
]  # fmt: skip


class BounceOptions(LocalOptions):
    """With a bounce rate that three mails of a day decide on."""

    def parameters(self) -> dict[str, str]:
        return super().parameters() | {"BounceRateMinimumSends": "3", "BounceRateThreshold": "50"}


CALM = LocalOptions(retry_delay=2, send_rate=1000, verified=("sesmailengine.example.com",))
BOUNCING = BounceOptions(retry_delay=4, send_rate=1000)

# Worlds: what is different while a request is asked for.

Worlds = Iterator[None]


@contextmanager
def after_a_hard_bounce(engine: LocalEngine) -> Worlds:
    publish(engine, [good("first") | SUPPRESSED])
    until(lambda: engine.suppression().suppressed([SUPPRESSED["to"]]))
    yield


@contextmanager
def suppressed_before_the_retry(engine: LocalEngine) -> Worlds:
    yield
    fact = AddressSuppressed(email=SUPPRESSED_LATER["to"], reason="asked by telephone")
    engine.log.append([fact.envelope("suppressed-meanwhile", times.text(times.utc_now()))])


@contextmanager
def ses_throttles(engine: LocalEngine) -> Worlds:
    ses = engine.aws.ses
    with mock.patch.object(ses, "config", replace(ses.config, faults=Faults(throttled=1.0))):
        yield


@contextmanager
def ses_is_paused(engine: LocalEngine) -> Worlds:
    with mock.patch.object(engine.aws.ses.account, "sending_enabled", new=False):
        yield


@contextmanager
def ses_answers_what_nobody_knows(engine: LocalEngine) -> Worlds:
    unknown = SesError("BrandNewException", "An error of next year's SES.")
    with mock.patch.object(engine.aws.ses, "send", side_effect=unknown):
        yield


@contextmanager
def down(service: str, fails: Callable[[Request], bool], _: LocalEngine) -> Worlds:
    answer = dispatch.answer

    def interrupted(name: str, request: Request) -> Reply:
        return UNAVAILABLE if name == service and fails(request) else answer(name, request)

    with mock.patch.object(in_process, "answer", interrupted):
        yield


@contextmanager
def s3_is_down(engine: LocalEngine) -> Worlds:
    put_template(engine, "unread", "<p>Hello {{ userName }}</p>")
    with down("s3", lambda _: True, engine):
        yield


@contextmanager
def with_a_template_that_divides_by_zero(engine: LocalEngine) -> Worlds:
    put_template(engine, "broken", "<p>{{ 1 / 0 }}</p>")
    yield


def put_template(engine: LocalEngine, name: str, html: str) -> None:
    engine.client("s3").put_object(
        Bucket=engine.settings.template_bucket_name, Key=f"{name}/template.html", Body=html.encode()
    )


UNAVAILABLE = Reply(503, {"x-amzn-errortype": "ServiceUnavailable"}, b"")
WORLDS: Mapping[str, Callable[[LocalEngine], AbstractContextManager[None]]] = {
    "calm": lambda _: nullcontext(),
    "after a hard bounce": after_a_hard_bounce,
    "suppressed before the retry": suppressed_before_the_retry,
    "SES throttles": ses_throttles,
    "SES is paused": ses_is_paused,
    "SES answers what nobody knows": ses_answers_what_nobody_knows,
    "S3 is down": s3_is_down,
    "DynamoDB is down": partial(down, "dynamodb", lambda request: b"SendLedger" in request.data),
    "with a template that divides by zero": with_a_template_that_divides_by_zero,
}
BOUNCES = ("too many bounced today", "too many bounce before the retry")

# The tests.


def good(email_id: str) -> dict[str, Any]:
    return {
        "emailId": email_id,
        "to": "ana@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "Ana"},
    }


def asked(line: Line, email_id: str) -> dict[str, Any]:
    detail = good(email_id) | dict(line.request)
    return {name: value for name, value in detail.items() if value is not None}


def named(lines: Iterable[Line], *, bounces: bool) -> list[Any]:
    numbered = [(f"{line.guide[0]} {number}", line) for number, line in enumerate(lines)]
    return [pytest.param(*each, id=each[0]) for each in numbered if (each[1].world in BOUNCES) is bounces]


def facts_about(engine: LocalEngine, email_id: str) -> Counter[str]:
    """By kind: those that name the mail; for a parked record, its request's place. Repetitions are one."""
    place = (row(engine, email_id) or {}).get("requestSequence")
    told = {
        (each.detail_type, json.dumps(each.detail, sort_keys=True))
        for each in log(engine)
        if (each.source == OUR_SOURCE and each.detail.get("emailId") == email_id)
        or (each.detail_type == "Record Parked" and each.detail["place"]["sequence"] == place)
    }
    return Counter(kind for kind, _ in told)


def check(engine: LocalEngine, line: Line, asked_as: str) -> None:
    """The row, and every fact about the mail."""
    email_id = ids.retry_id(asked_as, line.attempt) if line.attempt else asked_as
    found = until(lambda: row(engine, email_id), what=f"the row of {email_id}")
    assert found["status"] in (("sent", "delivered") if line.status == "sent" else (line.status,))
    assert found.get("errorCode") == line.code
    assert line.says in found.get("errorMessage", "")
    assert (found["originalEmailId"], found["retryAttempt"]) == (asked_as, line.attempt)
    wanted, came = Counter(line.facts), partial(facts_about, engine, email_id)
    until(lambda: came() >= wanted, 10, f"{wanted}")
    assert came() == wanted


def nothing_is_lost(engine: LocalEngine) -> bool:
    """What isn't in the log is in no queue of dead letters either, and a parked record says so in the log."""
    settings = engine.settings
    parked = sum(each.detail_type == "Record Parked" for each in log(engine))
    outputs = configuration(engine.client("cloudformation"), settings.stack_name)
    others = [outputs[name] for name in ("RequestDLQUrl", "FeedbackDLQUrl", "DelayDLQUrl")]
    return letters(engine, settings.parked_queue_url) == parked and not any(
        letters(engine, url) for url in others
    )


@pytest.fixture(scope="class")
def calm() -> Iterator[LocalEngine]:
    with LocalEngine(CALM) as engine:
        yield engine


class TestLine:
    @pytest.mark.parametrize(("email_id", "line"), named([*DIAGRAM, *TABLE], bounces=False))
    def test_of_the_guide_has_its_row_and_its_facts(
        self, calm: LocalEngine, email_id: str, line: Line
    ) -> None:
        with WORLDS[line.world](calm):
            publish(calm, [asked(line, email_id)], times.utc_now() - line.age)
            if line.waits:
                time.sleep(OUTAGE)
                assert row(calm, email_id) is None
            elif line.attempt:
                await_status(calm, [email_id], "soft_bounced")
            else:
                until(lambda: row(calm, email_id), what="the outcome")
        check(calm, line, email_id)
        assert nothing_is_lost(calm)


OF_THE_BOUNCE_RATE = named([*DIAGRAM, *TABLE], bounces=True)


@pytest.fixture(scope="class")
def bouncing() -> Iterator[LocalEngine]:
    """Originals that bounce softly are sent; too many others bounce; only then come the rest, and the retries."""
    with (
        mock.patch("consumers.gates.DEFERRAL_SECONDS", 0.4),
        mock.patch("consumers.bootstrap.BounceRate", partial(BounceRate, keep_seconds=0.1)),
        LocalEngine(BOUNCING) as engine,
    ):
        ask_bounce_rate_lines(engine, BOUNCES[1], "soft_bounced")
        bounced = [good(f"bounced-{n}") | {"to": f"bounce+{n}@simulator.amazonses.com"} for n in range(8)]
        publish(engine, bounced)
        await_status(engine, [each["emailId"] for each in bounced], "bounced")
        ask_bounce_rate_lines(engine, BOUNCES[0], "failed")
        yield engine


def ask_bounce_rate_lines(engine: LocalEngine, world: str, status: str) -> None:
    lines = [each.values for each in OF_THE_BOUNCE_RATE if each.values[1].world == world]
    publish(engine, [asked(line, email_id) for email_id, line in lines])
    await_status(engine, [email_id for email_id, _ in lines], status)


def await_status(engine: LocalEngine, email_ids: Iterable[str], status: str) -> None:
    def reached() -> bool:
        return all((row(engine, email_id) or {}).get("status") == status for email_id in email_ids)

    until(reached, what=status)


class TestLineOfTheBounceRate:
    @pytest.mark.parametrize(("email_id", "line"), OF_THE_BOUNCE_RATE)
    def test_of_the_guide_has_its_row_and_its_facts(
        self, bouncing: LocalEngine, email_id: str, line: Line
    ) -> None:
        check(bouncing, line, email_id)
        assert nothing_is_lost(bouncing)


# That no line of the guide is left out.


def diagram() -> set[tuple[str, str]]:
    """Each outcome of the guide's diagram, with the branch it hangs on."""
    drawing = GUIDE.split("### Email Processing Flow")[1].split("```")[1]
    found, above = set(), dict[int, str]()
    for indented, text in re.findall(r"^([ │]*)[├└]─► (.+)$", drawing, re.MULTILINE):
        above[len(indented)] = text
        parent = max((depth for depth in above if depth < len(indented)), default=None)
        if text[0] in "✅❌" and parent is not None:
            found.add((above[parent], text))
        above = {depth: text for depth, text in above.items() if depth <= len(indented)}
    return found


def table() -> set[tuple[str, ...]]:
    section = GUIDE.split("**Key Principle: No Silent Email Loss**")[1].split("\n\n")[1]
    return {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.split("\n")[2:]}


def test_every_outcome_of_the_diagram_has_a_line() -> None:
    assert len(diagram()) == 10
    assert {line.guide for line in DIAGRAM} == diagram()


def test_every_row_of_the_table_has_a_line() -> None:
    assert len(table()) == 11
    assert {line.guide for line in TABLE} == table()


def test_a_line_that_departs_from_the_guide_says_so_in_the_integration_guide() -> None:
    """A request of which the first guide has no trace has a row here."""
    untracked = {line.guide for line in [*DIAGRAM, *TABLE] if "❌" in line.guide[1]}
    departing = [line for line in [*DIAGRAM, *TABLE] if line.departs]
    assert untracked <= {line.guide for line in departing}
    departures = DOCS.split("## Departures from the first guide")[1]
    assert [line.departs for line in departing if f"\n| {line.departs} | " not in departures] == []
