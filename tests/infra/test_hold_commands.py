"""The night when something is wrong, on an engine in this process: hold back, resume, and ask again."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.local import LocalEngine, LocalOptions
from pipeline import ids
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.events import AddressReleased, AddressSuppressed, Fact
from pipeline.settings import Settings
from pipeline.times import text, utc_now
from projections.commands import commands
from projections.holds import KEPT_SECONDS
from tests.builders import mail_failed, place
from tests.infra.asking import publish, row

pytestmark = pytest.mark.timeout(200)
Command = Callable[..., Result]
CAMPAIGN = 40
ROUND = 5


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    with LocalEngine(LocalOptions(send_rate=500, retry_delay=1, archive_flush=60)) as engine:
        yield engine


@pytest.fixture(scope="module")
def command(local: LocalEngine) -> Command:
    return commanding(local, local.settings)


def commanding(local: LocalEngine, settings: Settings) -> Command:
    """Runs a command line on the engine; raises what it raises."""

    def command(*line: str) -> Result:
        engine = Engine(local.client, lambda: settings)
        done = CliRunner().invoke(commands, line, obj=lambda _: engine, env={"COLUMNS": "300"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return command


@pytest.fixture
def name() -> str:
    """One that no other test uses."""
    return uuid.uuid4().hex[:12]


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't come to that"
        time.sleep(0.1)


def newsletter(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "emailId": f"{name}-{number}",
        "to": f"person{number}@example.com",
        "templateName": "welcome",
        "templateData": {"userName": f"Person {number}"},
        "metadata": {"campaignId": name, "number": number},
    } | more


def taken(local: LocalEngine, name: str) -> Counter[str]:
    """Mails at the simulated SES by their tag, of one campaign."""
    found = Counter(ids.from_tag(mail.tags["emailId"]) or "" for mail in local.aws.ses.mails())
    return Counter({key: count for key, count in found.items() if key.startswith(f"{name}-")})


def once(name: str) -> Counter[str]:
    return Counter(f"{name}-{number}" for number in range(CAMPAIGN))


# ── Holding ───────────────────────────────────────────────────────────────────────────────────────────────


def test_one_campaign_is_paused_while_others_flow_and_each_held_mail_is_sent_once_after_resume(
    local: LocalEngine, command: Command, name: str
) -> None:
    held, free = f"{name}-held", f"{name}-free"
    command("pause", "--metadata", f"campaignId={held}", "--reason", "wrong price")
    time.sleep(KEPT_SECONDS)
    campaigns = [newsletter(each, number) for number in range(CAMPAIGN) for each in (held, free)]
    publish(local, campaigns)
    until(lambda: taken(local, free) == once(free))
    time.sleep(ROUND + 2)
    assert taken(local, held) == Counter()
    assert row(local, f"{held}-0") is None
    command("resume", "--metadata", f"campaignId={held}")
    until(lambda: taken(local, held) == once(held), 3 * ROUND + KEPT_SECONDS + 20)
    time.sleep(ROUND + 2)
    assert taken(local, held) == once(held)
    until(lambda: (row(local, f"{held}-7") or {}).get("status") == "delivered")


def test_what_is_paused_is_listed_with_since_and_why(command: Command, name: str) -> None:
    about = ("--source", "my.shop", "--template", "welcome", "--metadata", f"campaignId={name}")
    done = command("pause", *about, "--reason", "wrong price")
    assert done.stdout.startswith(f"paused {' '.join(about)}; senders heed it within 5 s")
    (line,) = [line for line in command("paused").stdout.splitlines() if name in line]
    assert " ".join(about) in line
    assert line.rstrip().endswith("wrong price")


def test_for_programs_it_is_json(command: Command, name: str) -> None:
    said = json.loads(command("pause", "--template", name, "--json").stdout)
    assert said | {"since": ""} == {
        "source": None, "template": name, "metadata": {}, "paused": True, "since": "",
        "reason": "no reason given",
    }  # fmt: skip
    assert said in json.loads(command("paused", "--json").stdout)
    ended = json.loads(command("resume", "--template", name, "--json").stdout)
    assert (ended["template"], ended["paused"]) == (name, False)
    assert said not in json.loads(command("paused", "--json").stdout)


def test_pausing_twice_and_resuming_once_resumes(command: Command, name: str) -> None:
    for _ in range(2):
        command("pause", "--template", name)
    command("resume", "--template", name)
    assert name not in command("paused").stdout


def test_resuming_what_is_not_paused_says_where_to_look(command: Command, name: str) -> None:
    command("pause", "--template", name, "--metadata", "campaignId=1")
    with pytest.raises(UserError, match=f"nothing pauses exactly --template {name}; `sesmailengine paused`"):
        command("resume", "--template", name)


def test_without_a_projector_it_is_said_after_the_timeout(local: LocalEngine, name: str) -> None:
    """The fact goes into a stream that nobody reads."""
    local.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    command = commanding(local, local.settings.model_copy(update={"stream_name": name}))
    with pytest.raises(
        UserError, match=r"it stands in the log, but the projector has not read it within 0\.5 s"
    ):
        command("pause", "--template", name, "--timeout", "500ms")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["pause", "--metadata", "x"], "not of the form name=value"),
        (["pause", "--template", "x" * 129], "template"),
        (["pause", "--timeout", "soon"], "'soon' is no duration"),
        (["resend", "--code", "X", "--since", "lately"], "'lately' is no time"),
        (["resend", "--code", "X", "--since", "2 parsecs"], "'2 parsecs' is no time"),
        (["resend", "--code", "X"], "--since"),
    ],
)
def test_what_cannot_be_used_exits_2(command: Command, line: list[str], said: str) -> None:
    done = command(*line)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


# ── Asking again ──────────────────────────────────────────────────────────────────────────────────────────


def resent(command: Command, *options: str, since: str = "1h") -> list[dict[str, str]]:
    line = command("resend", "--code", "RECIPIENT_SUPPRESSED", "--since", since, "--json", *options)
    found: list[dict[str, str]] = json.loads(line.stdout)
    return found


def say(local: LocalEngine, *facts: Fact) -> None:
    local.log.append([fact.envelope(str(uuid.uuid4()), text(utc_now())) for fact in facts])


def refused(local: LocalEngine, name: str, count: int) -> list[dict[str, Any]]:
    """Requests to addresses that somebody suppressed by mistake."""
    asked = [newsletter(name, number, to=f"{name}{number}@example.com") for number in range(count)]
    say(local, *(AddressSuppressed(email=each["to"], reason="by mistake") for each in asked))
    until(lambda: len(local.suppression().suppressed([each["to"] for each in asked])) == count)
    publish(local, asked)
    until(lambda: all((row(local, each["emailId"]) or {}).get("status") == "failed" for each in asked))
    return asked


def outcomes(results: list[dict[str, str]], name: str) -> Counter[str]:
    return Counter(each["outcome"] for each in results if each["emailId"].startswith(name))


def test_what_was_refused_by_mistake_is_asked_for_again_and_sent_once(
    local: LocalEngine, command: Command, name: str
) -> None:
    asked = refused(local, name, 12)
    say(local, *(AddressReleased(email=each["to"], reason="a mistake") for each in asked))
    until(lambda: not local.suppression().suppressed([each["to"] for each in asked]))
    new = {each["emailId"]: each["newEmailId"] for each in resent(command)}
    until(
        lambda: all((row(local, new[each["emailId"]]) or {}).get("status") == "delivered" for each in asked)
    )
    assert outcomes(resent(command), name) == {"asked before": 12}
    sent = Counter(ids.from_tag(mail.tags["emailId"]) for mail in local.aws.ses.mails())
    assert {sent[new[each["emailId"]]] for each in asked} == {1}
    old, again = row(local, f"{name}-0"), row(local, new[f"{name}-0"])
    assert old
    assert again
    kept = ("toEmail", "originalSource", "templateName", "metadata")
    assert [again[field] for field in kept] == [old[field] for field in kept]
    assert (again["originalEmailId"], again["retryAttempt"]) == (new[f"{name}-0"], 0)


def test_a_dry_run_lists_and_asks_for_nothing(local: LocalEngine, command: Command, name: str) -> None:
    refused(local, name, 2)
    for _ in range(2):
        assert outcomes(resent(command, "--dry-run"), name) == {"would be asked": 2}


def test_asking_twice_at_once_asks_under_one_id(local: LocalEngine, command: Command, name: str) -> None:
    refused(local, name, 2)
    one, two = resent(command), resent(command)
    ours = [{(each["emailId"], each["newEmailId"]) for each in found} for found in (one, two)]
    of_name = [{pair for pair in pairs if pair[0].startswith(name)} for pairs in ours]
    assert of_name[0] == of_name[1]


def test_only_failures_since_the_time_of_the_source_with_the_code_are_asked_for(
    local: LocalEngine, command: Command, name: str
) -> None:
    refused(local, name, 1)
    assert name in json.dumps(resent(command, "--dry-run", "--source", "my.application"))
    for options in (["--source", "my.other"], ["--code", "TEMPLATE_NOT_FOUND"]):
        assert name not in json.dumps(resent(command, "--dry-run", *options))
    assert name not in json.dumps(resent(command, "--dry-run", since=text(utc_now())))


def test_what_has_left_the_log_is_listed_and_exits_1(local: LocalEngine, command: Command, name: str) -> None:
    fact = mail_failed(name, error_code=f"OLD_{name}", place=place(7))
    local.log.append([fact.envelope(name, text(utc_now()))])
    until(lambda: row(local, name))
    done = command("resend", "--code", f"OLD_{name}", "--since", "1h")
    assert done.exit_code == 1
    assert "1 left the log" in done.stdout


def test_when_nothing_failed_that_is_said(command: Command, name: str) -> None:
    done = command("resend", "--code", name, "--since", "1h")
    assert (done.exit_code, done.stdout) == (0, "no such mail failed\n")
