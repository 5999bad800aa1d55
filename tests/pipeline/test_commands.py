"""`sesmailengine send` and `schema`: what they ask for, and what they say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from pipeline.commands import commands
from pipeline.engine import Engine
from pipeline.errors import Unavailable, UserError
from pipeline.ids import email_id_of
from pipeline.settings import Settings
from tests.pipeline.test_settings import NAMES

TAKEN = {"EventId": "event-1"}


class Bus:
    """Answers each PutEvents alike, and notes the entries."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer
        self.entries: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803  as boto3 calls it
        if isinstance(self._answer, Exception):
            raise self._answer
        self.entries += Entries
        return {"Entries": [self._answer]}

    @property
    def detail(self) -> Any:
        (entry,) = self.entries
        return json.loads(entry["Detail"])


@pytest.fixture
def bus() -> Bus:
    return Bus(TAKEN)


@pytest.fixture
def send(bus: Bus) -> Callable[..., str]:
    return lambda *options: run(bus, *options)


def run(bus: Bus, *options: str) -> str:
    engine = Engine(lambda _: bus, lambda: Settings.from_mapping(NAMES))
    arguments = ["--to", "ana@example.com", "--template", "welcome", *options]
    done = CliRunner().invoke(commands, ["send", *arguments], obj=lambda _: engine)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_mail_is_asked_for_as_any_application_asks(bus: Bus, send: Callable[..., str]) -> None:
    send()
    (entry,) = bus.entries
    assert entry | {"Detail": ""} == {
        "Source": "sesmailengine.cli",
        "DetailType": "Email Request",
        "EventBusName": "engine-EmailBus",
        "Detail": "",
    }
    assert bus.detail == {
        "to": "ana@example.com",
        "templateName": "welcome",
        "templateData": {},
        "metadata": {},
    }


def test_options_become_the_fields_of_the_guide(bus: Bus, send: Callable[..., str]) -> None:
    send(
        *("--data", "userName=Ana", "--data", "total=9=9", "--metadata", "campaignId=x"),
        *("--email-id", "order-42", "--subject", "Hello", "--reply-to", "eve@example.com"),
    )
    assert bus.detail == {
        "to": "ana@example.com",
        "templateName": "welcome",
        "templateData": {"userName": "Ana", "total": "9=9"},
        "metadata": {"campaignId": "x"},
        "emailId": "order-42",
        "subject": "Hello",
        "replyTo": "eve@example.com",
    }


def test_data_of_a_file_gives_way_to_that_of_an_option(
    bus: Bus, send: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"userName": "Bob", "items": [1, 2]}')
    send("--data-file", str(file), "--data", "userName=Ana")
    assert bus.detail["templateData"] == {"userName": "Ana", "items": [1, 2]}


def test_the_id_that_was_given_is_told(send: Callable[..., str]) -> None:
    assert send("--email-id", "order-42") == "asked for order-42\n"


def test_the_id_that_the_engine_will_make_is_told(send: Callable[..., str]) -> None:
    assert send() == f"asked for {email_id_of('event-1', {})}\n"


def test_a_program_gets_json(send: Callable[..., str]) -> None:
    assert json.loads(send("--email-id", "order-42", "--json")) == {
        "emailId": "order-42",
        "eventId": "event-1",
    }


@pytest.mark.parametrize("content", [b"", b"[]", b'"x"', b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_a_file_without_a_json_object_is_refused(
    send: Callable[..., str], tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"--data-file .*JSON"):
        send("--data-file", str(file))


def test_a_file_that_is_not_there_is_named(send: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--data-file .*missing\.json"):
        send("--data-file", str(tmp_path / "missing.json"))


def test_a_pair_without_sign_is_refused(bus: Bus, send: Callable[..., str]) -> None:
    assert "'userName' is not of the form name=value" in " ".join(send("--data", "userName").split())
    assert bus.entries == []


def test_what_the_bus_refuses_is_said() -> None:
    bus = Bus({"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."})
    with pytest.raises(UserError, match=r"MalformedDetail: Detail is malformed\."):
        run(bus)


def test_a_bus_that_cannot_be_reached_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        run(Bus(EndpointConnectionError(endpoint_url="http://127.0.0.1")))


# ── The schemas ───────────────────────────────────────────────────────────────────────────────────────────


def schema_of(what: str) -> Any:
    return json.loads(CliRunner().invoke(commands, ["schema", what]).output)


def test_the_schema_of_a_request_has_the_names_of_the_wire() -> None:
    found = schema_of("request")
    assert found["required"] == ["to", "templateName"]
    assert {"templateData", "senderOverride", "replyTo", "expiresAt"} <= found["properties"].keys()


def test_the_schema_of_a_status_event_has_the_names_of_the_wire() -> None:
    found = schema_of("status-event")
    assert found["required"] == ["eventId", "emailId", "status", "timestamp"]
    assert {"toEmail", "bounceType", "metadata"} <= found["properties"].keys()


def test_there_is_no_schema_of_anything_else() -> None:
    assert CliRunner().invoke(commands, ["schema", "ledger"]).exit_code == 2
