"""Suppressing and releasing addresses, as an operator does it on a running engine."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.running import Running, running

HARD = "bounce+NoEmail@simulator.amazonses.com"


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running("--send-rate", "50") as engine:
        yield engine


def asked(engine: Running, to: str, email_id: str) -> dict[str, Any]:
    """The row of a mail to this address, once it is no longer under way."""
    sent = engine.command(
        "send", "--to", to, "--template", "welcome", "--data", "userName=Ana", "--email-id", email_id
    )
    assert sent.returncode == 0, sent.stderr
    deadline = time.monotonic() + 30
    while True:
        told = engine.command("status", email_id, "--json")
        row: dict[str, Any] = json.loads(told.stdout) if told.returncode == 0 else {"status": "sent"}
        if row["status"] != "sent":
            return row
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_suppressed_address_gets_no_mail_until_it_is_released(engine: Running) -> None:
    done = engine.command("suppression", "suppress", "Ana@Example.com", "--reason", "asked by phone")
    assert (done.returncode, done.stdout.strip()) == (0, "suppressed ana@example.com"), done.stderr
    refused = asked(engine, "ana@example.com", "s-1")
    assert refused["errorCode"] == "RECIPIENT_SUPPRESSED"
    assert "asked by phone" in refused["errorMessage"]
    assert (
        engine.command("suppression", "release", "ana@example.com", "--reason", "changed her mind").returncode
        == 0
    )
    assert asked(engine, "ana@example.com", "s-2")["status"] == "delivered"


def test_check_tells_since_when_and_why_and_exits_1_if_any_is_suppressed(engine: Running) -> None:
    engine.command("suppression", "suppress", "bo@example.com", "--reason", "test")
    told = engine.command("suppression", "check", "bo@example.com", "nobody@example.com")
    assert told.returncode == 1
    suppressed, free = told.stdout.splitlines()
    assert suppressed.startswith("bo@example.com: suppressed since 20")
    assert suppressed.endswith(": test")
    assert free == "nobody@example.com: not suppressed"
    assert engine.command("suppression", "check", "nobody@example.com").returncode == 0


def test_a_hard_bounce_is_listed_with_the_mail_that_caused_it(engine: Running) -> None:
    assert asked(engine, HARD, "s-3")["status"] == "bounced"
    deadline = time.monotonic() + 20
    while HARD.lower() not in (rows := listed(engine)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (rows[HARD.lower()]["reason"], rows[HARD.lower()]["emailId"]) == ("hard bounce: NoEmail", "s-3")


def listed(engine: Running) -> dict[str, Any]:
    rows = json.loads(engine.command("suppression", "list", "--json").stdout)
    return {row["email"]: row for row in rows}


def test_a_release_also_takes_the_address_off_the_accounts_own_list(engine: Running) -> None:
    ses: Any = engine.client("sesv2")
    ses.put_suppressed_destination(EmailAddress="cy@example.com", Reason="BOUNCE")
    assert engine.command("suppression", "release", "cy@example.com", "--reason", "mended").returncode == 0
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.get_suppressed_destination(EmailAddress="cy@example.com")


def test_many_addresses_come_from_a_file(engine: Running, tmp_path: Path) -> None:
    file = tmp_path / "addresses.txt"
    file.write_text("\n".join(f"person{number}@example.com" for number in range(120)) + "\n\n")
    done = engine.command("suppression", "suppress", "--file", str(file), "--reason", "imported")
    assert (done.returncode, done.stdout.strip()) == (0, "suppressed 120 addresses"), done.stderr
    assert len([address for address in listed(engine) if address.startswith("person")]) == 120


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["suppress", "not an address", "--reason", "x"], "'not an address' is no e-mail address"),
        (["suppress", "ana@example.com"], "--reason"),
        (["check"], "name an address"),
        (["release", "--file", "/nowhere", "--reason", "x"], "does not exist"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_2(engine: Running, arguments: list[str], said: str) -> None:
    told = engine.command("suppression", *arguments)
    assert told.returncode == 2
    (line,) = told.stderr.strip().splitlines()
    assert said in line
