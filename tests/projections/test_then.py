"""What was known at a moment is told as the tables tell what is known now, by the same commands."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from typer.testing import CliRunner

from pipeline import ids, times
from pipeline.codec import Event
from pipeline.engine import About, Engine
from pipeline.errors import UserError
from pipeline.settings import Settings
from projections import suppression, tracking
from projections.commands import commands
from projections.rows import row_of
from projections.store import merge
from projections.then import Then
from tests.pipeline.test_settings import NAMES
from tests.projections.builders import (
    ANA,
    at,
    bounced,
    delivered,
    events,
    hard_bounce,
    release,
    sent,
    soft_bounce,
    suppress,
)
from tests.projections.conftest import Tables

Run = Callable[..., str]
RETRY = ids.retry_id("order-1", 1)
SETTINGS = Settings.from_mapping(NAMES)
THEN = "2026-03-05T00:00:00.000Z"

KNOWN = events(
    [
        sent("order-1", at()),
        soft_bounce("order-1", at(minutes=1)),
        sent(RETRY, at(minutes=16), originalEmailId="order-1", retryAttempt=1),
        bounced(RETRY, at(minutes=17), "Transient", "MailboxFull", original="order-1", attempt=1),
        suppress(ANA, at(minutes=20)),
    ]
)


class Asked:
    """An engine that answers all questions about the past alike, and remembers them."""

    def __init__(self, answer: list[Event]) -> None:
        self.answer, self.questions = answer, list[tuple[About, datetime]]()
        self.engine = Engine(str, lambda: SETTINGS, self._past)

    def _past(self, _: Engine, about: About, moment: datetime) -> list[Event]:
        self.questions.append((about, moment))
        return self.answer


@pytest.fixture
def asked() -> Asked:
    return Asked(list(KNOWN))


@pytest.fixture
def run(asked: Asked) -> Run:
    def command(*arguments: str) -> str:
        line = [*arguments, "--as-of", THEN]
        found = CliRunner().invoke(
            commands, line, obj=lambda _: asked.engine, env={"COLUMNS": "200"}, catch_exceptions=False
        )
        assert found.exit_code == 0
        return found.stdout

    return command


def test_status_shows_the_row_and_says_as_of_when(run: Run, asked: Asked) -> None:
    lines = [line.split() for line in run("status", "order-1").splitlines()]
    assert lines[:3] == [["emailId", "order-1"], ["status", "soft_bounced"], ["asOf", THEN]]
    assert asked.questions == [(About(email_id="order-1"), times.parse(THEN))]


def test_status_as_json_is_the_row_with_a_field_for_when(run: Run) -> None:
    told = json.loads(run("status", "order-1", "--json"))
    row = row_of(tracking.fold(KNOWN)["order-1"], SETTINGS.retention)
    hidden = {"facts", "ttl"}
    assert told == {name: value for name, value in row.items() if name not in hidden} | {"asOf": THEN}


def test_status_shows_the_retry_and_the_timeline_of_both(run: Run) -> None:
    told = run("status", "order-1")
    assert f"retry {RETRY}: failed" in told
    assert told.index("to be tried once more") < told.index("retry: bounced softly at the retry")


def test_why_tells_of_retry_and_suppression_and_says_as_of_when(run: Run, asked: Asked) -> None:
    *told, last = run("why", "order-1").splitlines()
    assert f"It was tried again as {RETRY}, whose status is failed." in told
    assert any(line.startswith("The recipient is suppressed since") for line in told)
    assert last == f"That is what was known at {THEN}, by what had arrived in the log."
    assert [about for about, _ in asked.questions] == [About("order-1"), About(addresses=frozenset([ANA]))]


def test_a_mail_that_nothing_was_known_of_is_one_sentence_that_names_the_time(run: Run) -> None:
    with pytest.raises(UserError, match=f"nothing was known of 'order-9' at {THEN}: no fact about it"):
        run("status", "order-9")


def test_feedback_that_is_not_ours_makes_no_mail(run: Run, asked: Asked) -> None:
    asked.answer = list(events([delivered(None, at())]))
    with pytest.raises(UserError, match="nothing was known"):
        run("status", "order-1")


@pytest.mark.parametrize(
    "arguments", [["status", "--to", ANA, "--as-of", THEN], ["status", "order-1", "--as-of", "soon"]]
)
def test_what_cannot_be_asked_is_exit_2_and_asks_nothing(arguments: list[str], asked: Asked) -> None:
    found = CliRunner().invoke(commands, arguments, obj=lambda _: asked.engine)
    assert found.exit_code == 2
    assert asked.questions == []


@pytest.mark.parametrize(
    ("number", "history"),
    list(
        enumerate(
            [
                lambda to: [suppress(to, at())],
                lambda to: [suppress(to, at()), release(to, at(minutes=1))],
                lambda to: [hard_bounce("order-1", at(), to=to), suppress(to, at(minutes=1))],
                lambda to: [
                    soft_bounce(None, at(hours=each), to=to, message_id=f"ses-{each}") for each in range(15)
                ],
                lambda to: [],
            ]
        )
    ),
)
def test_what_is_told_of_an_address_is_its_row_in_the_table(
    tables: Tables, number: int, history: Callable[[str], list[bytes]]
) -> None:
    address = f"person{number}@customer.example"
    told = events(history(address))
    merge(tables.suppression, suppression.fold(told), suppression.join)
    rows = {
        key: {name: value for name, value in row.items() if name != "history"}
        for key, row in tables.suppression.suppressed([address]).items()
    }
    assert bool(rows) == (number in {0, 2, 3})
    assert Then(Asked(list(told)).engine, times.parse(THEN)).suppressed([address]) == rows
