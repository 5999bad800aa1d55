"""The command line as a person and as a script meet it."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.running import Running, run, running


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running("--retry-delay", "1s", "--send-rate", "50") as engine:
        yield engine


def status_when(engine: Running, email_id: str, wanted: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        told = engine.command("status", email_id, "--json")
        row = json.loads(told.stdout) if told.returncode == 0 else {}
        if row.get("status") == wanted:
            return dict(row)
        assert time.monotonic() < deadline, (told.stdout, told.stderr)
        time.sleep(0.2)


def test_send_asks_for_a_mail_that_status_and_outbox_show(engine: Running, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"userName": "Ana", "companyName": "Northwind"}))
    asked = engine.command(
        "send", "--to", "ana@example.com", "--template", "welcome", "--data-file", str(data),
        "--data", "companyName=Acme", "--metadata", "campaignId=c1", "--email-id", "cli-1", "--json",
    )  # fmt: skip
    assert json.loads(asked.stdout)["emailId"] == "cli-1", asked.stderr
    row = status_when(engine, "cli-1", "delivered")
    assert (row["toEmail"], row["metadata"]) == ("ana@example.com", {"campaignId": "c1"})
    (mail,) = json.loads(engine.command("outbox", "cli-1", "--json").stdout)
    assert "Ana" in mail["Body"]["html_part"]
    assert "Acme" in mail["Body"]["html_part"]


def test_send_tells_the_id_that_a_mail_without_one_gets(engine: Running) -> None:
    asked = engine.command("send", "--to", "bo@example.com", "--template", "welcome", "--data", "userName=Bo")
    email_id = asked.stdout.split()[-1]
    assert status_when(engine, email_id, "delivered")["toEmail"] == "bo@example.com"


def test_status_and_outbox_are_readable_for_a_person(engine: Running) -> None:
    engine.command(
        "send", "--to", "cy@example.com", "--template", "welcome", "--data", "userName=Cy", "--email-id", "cli-2"
    )  # fmt: skip
    status_when(engine, "cli-2", "delivered")
    shown = engine.command("status", "cli-2").stdout.splitlines()
    assert shown[0].split() == ["emailId", "cli-2"]
    assert shown[1].split() == ["status", "delivered"]
    letter = engine.command("outbox", "cli-2").stdout
    assert "To: cy@example.com" in letter
    assert "cli-2" in engine.command("outbox").stdout


def test_a_soft_bounce_is_retried_after_the_retry_delay(engine: Running) -> None:
    engine.command(
        "send", "--to", "bounce+softonce@simulator.amazonses.com", "--template", "welcome",
        "--data", "userName=Di", "--email-id", "cli-3",
    )  # fmt: skip
    status_when(engine, "cli-3", "soft_bounced")
    from pipeline import ids

    retry = status_when(engine, ids.retry_id("cli-3", 1), "delivered")
    assert (retry["originalEmailId"], retry["retryAttempt"]) == ("cli-3", 1)


def test_status_of_an_unknown_mail_is_one_sentence_and_exit_1(engine: Running) -> None:
    told = engine.command("status", "nobody-knows-me")
    assert told.returncode == 1
    assert one_line(told.stderr).startswith("sesmailengine: nothing is known of 'nobody-knows-me'")


def test_a_stack_that_is_not_there_is_named_with_the_remedy(engine: Running) -> None:
    told = engine.command("status", "x", "--stack", "elsewhere")
    assert told.returncode == 1
    assert "there is no stack 'elsewhere'" in one_line(told.stderr)


def test_a_mail_that_was_never_taken_is_not_in_the_outbox(engine: Running) -> None:
    told = engine.command("outbox", "nobody-knows-me")
    assert told.returncode == 1
    assert "has taken no mail" in one_line(told.stderr)


def test_outbox_without_a_running_engine_says_what_to_start() -> None:
    told = run("outbox", environment=nowhere())
    assert told.returncode == 1
    assert "start `sesmailengine local`" in one_line(told.stderr)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["local", "--retry-delay", "5 parsecs"], "'5 parsecs' is no duration; write for example 30s"),
        (["local", "--retry-delay", "16m"], "at most 15m"),
        (["local", "--port", "99999"], "65535"),
        (["local", "--duplicates", "2"], "--duplicates"),
        (["local", "--templates", "/nowhere/at/all"], "does not exist"),
        (["send", "--to", "a@example.com"], "--template"),
        (["send", "--to", "a@example.com", "--template", "t", "--data", "novalue"], "name=value"),
        (["demo", "--emails", "none"], "--emails"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line_and_exit_2(arguments: list[str], said: str) -> None:
    told = run(*arguments, environment=nowhere())
    assert told.returncode == 2, told
    assert said in one_line(told.stderr)
    assert told.stdout == ""


def test_a_port_in_use_is_one_clear_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = run("local", "--port", port)
    assert told.returncode == 2
    assert port in one_line(told.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_drains_on_a_signal_and_exits_0_within_5_seconds(number: signal.Signals) -> None:
    with running() as engine:
        for letter in "abc":
            engine.command("send", "--to", f"{letter}@example.com", "--template", "welcome")
        engine.process.send_signal(number)
        assert engine.process.wait(timeout=5) == 0


def test_every_command_has_a_help_text_with_an_example() -> None:
    for command in ("local", "demo", "outbox", "send", "status", "pause", "resume", "paused", "resend"):
        told = run(command, "--help")
        assert told.returncode == 0
        assert f"Example: sesmailengine {command}" in " ".join(told.stdout.split())


def nowhere() -> dict[str, str]:
    """The environment of a shell in which nothing of AWS is set up."""
    import os

    kept: dict[str, str] = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


def test_the_archive_says_what_it_holds_and_proves_that_it_is_complete(engine: Running) -> None:
    asked = engine.command("send", "--to", "di@example.com", "--template", "welcome", "--data", "userName=Di")
    assert asked.returncode == 0, asked.stderr
    deadline = time.monotonic() + 60
    while not (told := json.loads(engine.command("archive", "status", "--json").stdout))["files"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert told["bytes"] > 0
    assert {"shardId"} == {each["shard"].split("-")[0] for each in told["shards"]}
    checked = engine.command("archive", "check", "--json")
    found = json.loads(checked.stdout)
    assert (checked.returncode, found["faults"]) == (0, [])
    assert found["records"] > 0
    assert found["comparedWithStream"] > 0
    assert "complete: " in engine.command("archive", "check", "--chain-only").stdout
    assert "last written" in engine.command("archive", "status").stdout
