"""The gates before the template: age, and the day's bounce rate."""

from datetime import timedelta
from typing import Any

import pytest

from consumers.gates import MOST_DEFERRALS, BounceRate, Limits, young_enough
from consumers.mail import Postponed, Refusal
from consumers.tasks import Task
from pipeline import times
from pipeline.codec import Request, decode
from pipeline.requests import parse
from projections.reputation import Reputation
from tests import builders
from tests.consumers.fakes import Clock, FakeReputation


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
