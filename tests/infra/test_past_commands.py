"""`--as-of` on a running engine: what it knew then, from the archive and the stream as they come."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from pipeline import times
from tests.infra.running import Running, running

HARD = "bounce+NoEmail@simulator.amazonses.com"


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running("--send-rate", "50", "--archive-flush", "1s", "--duplicates", "0") as engine:
        yield engine


@pytest.fixture(scope="module")
def mail(engine: Running) -> dict[str, Any]:
    """The row of a mail that bounced; some of its events are archived, or all."""
    asked = engine.command(
        "send", "--to", HARD, "--template", "welcome", "--data", "userName=Ana", "--email-id", "p-1"
    )
    assert asked.returncode == 0, asked.stderr
    row: dict[str, Any] = until(lambda: bounced(engine))
    until(lambda: as_json(engine, "archive", "status", "--json")["files"])
    return row


def bounced(engine: Running) -> dict[str, Any] | None:
    row = as_json(engine, "status", "p-1", "--json")
    return row if row and {"sentAt", "acceptedAt", "bouncedAt"} <= row.keys() else None


def as_json(engine: Running, *arguments: str) -> Any:
    told = engine.command(*arguments)
    return json.loads(told.stdout) if told.returncode == 0 else None


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return value


def now() -> str:
    return times.text(times.utc_now())


def arrivals(engine: Running) -> dict[str, str]:
    """When the events about the mail arrived, by their kinds."""
    lines = engine.command("tail", "--email-id", "p-1", "--json").stdout.splitlines()
    told = [json.loads(line) for line in lines]
    return {each["kind"]: each["arrival"] for each in reversed(told)}


def just_before(moment: str) -> str:
    return times.text(times.parse(moment) - timedelta(milliseconds=1))


def test_the_present_as_of_now_is_what_the_tables_tell(engine: Running, mail: dict[str, Any]) -> None:
    moment = now()
    assert as_json(engine, "status", "p-1", "--as-of", moment, "--json") == mail | {"asOf": moment}


def test_before_the_bounce_arrived_the_mail_was_sent(engine: Running, mail: dict[str, Any]) -> None:
    arrived = arrivals(engine)
    then = as_json(engine, "status", "p-1", "--as-of", arrived["Mail Sent"], "--json")
    assert then["sentAt"] == mail["sentAt"]
    if arrived["Mail Sent"] < arrived["Bounce"]:
        assert (then["status"], then.get("bounceType")) == ("sent", None)
    before = engine.command("suppression", "check", HARD, "--as-of", just_before(arrived["Bounce"]))
    assert (before.returncode, before.stdout.splitlines()[0]) == (0, f"{HARD.lower()}: not suppressed")
    after = engine.command("suppression", "check", HARD, "--as-of", arrived["Bounce"], "--json")
    found = json.loads(after.stdout)
    assert (after.returncode, found["asOf"]) == (1, arrived["Bounce"])
    assert (found[HARD.lower()]["reason"], found[HARD.lower()]["emailId"]) == ("hard bounce: NoEmail", "p-1")


def test_before_anything_arrived_nothing_was_known(engine: Running, mail: dict[str, Any]) -> None:
    moment = just_before(arrivals(engine)["Email Request"])
    told = engine.command("status", "p-1", "--as-of", moment)
    assert (told.returncode, told.stdout) == (1, "")
    (line,) = told.stderr.strip().splitlines()
    assert line.startswith(f"sesmailengine: nothing was known of 'p-1' at {moment}")


def test_why_ends_with_the_moment(engine: Running, mail: dict[str, Any]) -> None:
    last = engine.command("why", "p-1", "--as-of", "0s").stdout.splitlines()[-1]
    assert last.startswith("That is what was known at 20")


def test_whether_an_address_was_suppressed_is_known_of_each_time(engine: Running) -> None:
    moments = [now()]
    for act in ("suppress", "release", "suppress"):
        done = engine.command("suppression", act, "ana@example.com", "--reason", f"{act} {len(moments)}")
        assert done.returncode == 0, done.stderr
        moments.append(now())
    checked = [
        engine.command("suppression", "check", "ana@example.com", "bo@example.com", "--as-of", moment)
        for moment in moments
    ]
    assert [told.returncode for told in checked] == [0, 1, 0, 1]
    first, second, third = checked[3].stdout.splitlines()
    assert first.endswith(": suppress 3")
    assert second == "bo@example.com: not suppressed"
    assert third == f"That is what was known at {moments[3]}, by what had arrived in the log."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "p-1", "--as-of", "2999-01-01"], "2999-01-01T00:00:00.000Z is still to come"),
        (
            ["suppression", "check", "ana@example.com", "--as-of", "soon"],
            "'soon' is no time; write for example",
        ),
    ],
)
def test_a_moment_that_cannot_be_used_is_one_line_and_exit_2(
    engine: Running, arguments: list[str], said: str
) -> None:
    told = engine.command(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    (line,) = told.stderr.strip().splitlines()
    assert said in line
