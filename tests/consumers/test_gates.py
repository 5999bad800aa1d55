"""The gates before the template: age, what a person holds, and the day's bounce rate."""

from datetime import timedelta
from typing import Any

import pytest

from consumers.gates import MOST_DEFERRALS, PAUSED, BounceRate, Gates, Holds, Limits, young_enough
from consumers.mail import Postponed, Refusal
from consumers.tasks import Task
from pipeline import times
from pipeline.codec import Request, decode
from pipeline.errors import Unavailable
from pipeline.requests import parse
from projections.holds import Hold, selector
from projections.reputation import Reputation
from tests import builders
from tests.consumers.fakes import DOWN, Clock, FakeReputation, Script


def task(**more: Any) -> Task:
    record = builders.record(builders.requested(builders.request()), 7)
    body = decode(record.data).body
    assert isinstance(body, Request)
    return Task("m1", "m1", more.pop("attempt", 0), "e1", record.place, body, record, lambda: None, **more)


def refusal_of(action: Any) -> Refusal:
    with pytest.raises(Refusal) as raised:
        action()
    return raised.value


CLOCK = Clock()
VALID = {"to": "a@post.example", "templateName": "welcome"}


@pytest.mark.parametrize(("hours", "old"), [(71.9, False), (72.1, True)])
def test_a_request_is_sent_within_its_age_or_not_at_all(hours: float, old: bool) -> None:
    asked = task(requested=times.text(CLOCK() - timedelta(hours=hours)))
    if old:
        refusal = refusal_of(lambda: young_enough(asked, parse(VALID), CLOCK, Limits()))
        assert refusal.code == "REQUEST_EXPIRED"
        assert refusal.sentence.startswith("expired: it could not be sent within 72 hours")
    else:
        young_enough(asked, parse(VALID), CLOCK, Limits())


def test_a_request_with_an_expiry_is_not_sent_after_it() -> None:
    request = parse(VALID | {"expiresAt": times.text(CLOCK() - timedelta(seconds=1))})
    refusal = refusal_of(lambda: young_enough(task(), request, CLOCK, Limits()))
    assert refusal.code == "REQUEST_EXPIRED"
    assert request.expires_at
    assert request.expires_at in refusal.sentence


# ── Holds ─────────────────────────────────────────────────────────────────────────────────────────────────


def hold(*parts: Any) -> Hold:
    return Hold("2026-11-24T09:00:00.000Z", True, "event-1", "wrong price", selector(*parts))


EVERYTHING = hold(None, None, {})


class Held:
    """What is read of the holds, and how often."""

    def __init__(self, *standing: Hold) -> None:
        self.standing, self.reads, self.script = list(standing), 0, Script()

    def read(self) -> list[Hold]:
        self.reads += 1
        self.script.next()
        return self.standing


def postponed(action: Any) -> Postponed:
    with pytest.raises(Postponed) as raised:
        action()
    return raised.value


@pytest.mark.parametrize(
    ("held", "waits"),
    [
        ([], False),
        ([EVERYTHING], True),
        ([hold("my.application", "welcome", {"campaignId": "spring"})], True),
        ([hold("my.application", "welcome", {"campaignId": "autumn"})], False),
        ([hold("another", None, {}), hold(None, "another", {})], False),
        ([hold("another", None, {}), hold("my.application", None, {})], True),
    ],
)
def test_a_request_waits_a_round_while_any_pause_matches_it(held: list[Hold], waits: bool) -> None:
    gate = Holds(Held(*held).read, CLOCK, 120)
    request = parse(VALID | {"metadata": {"campaignId": "spring"}})
    if waits:
        found = postponed(lambda: gate.check(task(), request))
        assert (found.reason, found.seconds) == (PAUSED, 120)
    else:
        gate.check(task(), request)


def test_holds_are_looked_up_at_most_every_few_seconds() -> None:
    clock, held = Clock(), Held()
    gate = Holds(held.read, clock, 120, keep_seconds=5)
    for _ in range(3):
        gate.check(task(), parse(VALID))
    held.standing = [EVERYTHING]
    clock.forward(4.9)
    gate.check(task(), parse(VALID))
    assert held.reads == 1
    clock.forward(0.1)
    postponed(lambda: gate.check(task(), parse(VALID)))
    assert held.reads == 2


def test_nothing_passes_while_the_holds_cannot_be_read() -> None:
    held = Held(EVERYTHING)
    held.script.add(DOWN)
    gate = Holds(held.read, Clock(), 120)
    with pytest.raises(Unavailable):
        gate.check(task(), parse(VALID))
    postponed(lambda: gate.check(task(), parse(VALID)))


def gates(*held: Hold) -> Gates:
    return Gates(Holds(Held(*held).read, CLOCK, 120), gate(200, 12), Limits(), CLOCK)


OLD = times.text(CLOCK() - timedelta(hours=73))
SUPPRESSED = {"addedToSuppressionDate": "2026-11-01T00:00:00.000Z", "reason": "hard bounce: NoEmail"}


def test_a_request_that_grew_too_old_while_it_was_held_ends() -> None:
    refusal = refusal_of(lambda: gates(EVERYTHING).check(task(requested=OLD), parse(VALID), None))
    assert refusal.code == "REQUEST_EXPIRED"


def test_a_held_request_is_not_judged_by_what_may_change_until_it_is_sent() -> None:
    """Neither the suppression nor the bounce rate of the moment ends it."""
    found = postponed(lambda: gates(EVERYTHING).check(task(), parse(VALID), SUPPRESSED))
    assert found.reason == PAUSED


def test_a_held_retry_keeps_its_deferrals_for_the_bounce_rate() -> None:
    held = task(attempt=1, deferrals=MOST_DEFERRALS)
    assert postponed(lambda: gates(EVERYTHING).check(held, parse(VALID), None)).reason == PAUSED


def test_suppression_comes_before_the_bounce_rate() -> None:
    refusal = refusal_of(lambda: gates().check(task(), parse(VALID), SUPPRESSED))
    assert refusal.code == "RECIPIENT_SUPPRESSED"


# ── Bounce rate ───────────────────────────────────────────────────────────────────────────────────────────


def gate(accepted: int, bounced: int) -> BounceRate:
    reputation = FakeReputation()
    reputation.today = Reputation(accepted, bounced)
    return BounceRate(reputation.of_day, Limits(), CLOCK)


@pytest.mark.parametrize(
    ("accepted", "bounced"),
    [(0, 0), (99, 99), (100, 5), (1000, 50)],
    ids=["new", "few", "at it", "at it, many"],
)
def test_mail_flows_up_to_the_threshold_and_while_too_few_were_sent(accepted: int, bounced: int) -> None:
    gate(accepted, bounced).check(task())


def test_above_it_a_first_attempt_is_refused_with_the_figures() -> None:
    refusal = refusal_of(lambda: gate(200, 12).check(task()))
    assert refusal.code == "BOUNCE_RATE_EXCEEDED"
    assert refusal.sentence.startswith(
        "Email not sent: bounce rate exceeded (6.0% of 200 mails today, the limit is 5.0%)"
    )


def test_above_it_a_retry_waits_some_times_and_is_then_refused() -> None:
    for deferrals in range(MOST_DEFERRALS):
        with pytest.raises(Postponed):
            gate(200, 12).check(task(attempt=1, deferrals=deferrals))
    assert refusal_of(lambda: gate(200, 12).check(task(attempt=1, deferrals=MOST_DEFERRALS))).code == (
        "BOUNCE_RATE_EXCEEDED"
    )


def test_the_rate_is_looked_up_again_after_some_seconds_and_on_a_new_day() -> None:
    asked = list[str]()

    def of_day(day: str) -> Reputation:
        asked.append(day)
        return Reputation(0, 0)

    clock = Clock()
    rate = BounceRate(of_day, Limits(), clock, keep_seconds=10)
    rate.check(task())
    rate.check(task())
    assert len(asked) == 1
    clock.forward(11)
    rate.check(task())
    assert len(asked) == 2
    clock.now = clock.now.replace(hour=23, minute=59, second=58)
    rate.check(task())
    clock.forward(3)
    rate.check(task())
    assert asked[-2:] == ["2026-11-24", "2026-11-25"]
