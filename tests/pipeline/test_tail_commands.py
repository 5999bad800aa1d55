"""`sesmailengine tail` as a person and a script see it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep

import pytest
from typer.testing import CliRunner, Result

from infra.embedded import EmbeddedAws
from pipeline.engine import Engine
from pipeline.envelope import Envelope
from pipeline.events import SendingPaused
from pipeline.kinesis import KinesisLog
from pipeline.seen import KINDS
from pipeline.settings import Settings
from pipeline.tail_commands import commands
from tests.builders import ORDER, envelope, feedback, mail_failed, mail_sent, requested
from tests.infra.running import Running, running
from tests.pipeline.test_settings import NAMES

STREAM = NAMES["StreamName"]
Tail = Callable[..., str]
Append = Callable[..., None]


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as opened:
        opened.client("kinesis").create_stream(StreamName=STREAM, ShardCount=3)
        yield opened


@pytest.fixture
def append(aws: EmbeddedAws) -> Append:
    log = KinesisLog(aws.client("kinesis"), STREAM)

    def one_by_one(*given: Envelope) -> None:
        for each in given:
            log.append([each])
            sleep(0.002)  # arrivals are told in milliseconds

    return one_by_one


def invoke(aws: EmbeddedAws, *options: str, **environment: str) -> Result:
    engine = Engine(aws.client, lambda: Settings.from_mapping(NAMES))
    known = {"COLUMNS": "40", "TERM": "xterm", "FORCE_COLOR": "", "NO_COLOR": ""}
    return CliRunner().invoke(
        commands, options, obj=lambda _: engine, env=known | environment, catch_exceptions=False
    )


@pytest.fixture
def tail(aws: EmbeddedAws) -> Tail:
    def command(*options: str, **environment: str) -> str:
        done = invoke(aws, *options, **environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


def kinds(told: str) -> list[str]:
    return [json.loads(line)["kind"] for line in told.splitlines()]


def sent() -> Envelope:
    return mail_sent().envelope("event-2", "2026-11-24T09:15:03Z")


def failed() -> Envelope:
    return mail_failed("order-43").envelope("event-3", "2026-11-24T09:15:04Z")


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_event_is_a_line_in_order_of_arrival_however_narrow_the_terminal(
    tail: Tail, append: Append
) -> None:
    append(requested(), sent(), feedback("Delivery"), failed())
    lines = tail().splitlines()
    assert [line[26:44].strip() for line in lines] == [
        "Email Request", "Mail Sent", "Delivery", "Mail Failed",
    ]  # fmt: skip
    assert [line[46:].split()[0] for line in lines] == [ORDER, ORDER, ORDER, "order-43"]


def test_an_event_about_no_mail_has_a_dash(tail: Tail, append: Append) -> None:
    append(SendingPaused(reason="a wrong price").envelope("event-9", "2026-11-24T09:15:03Z"))
    assert tail().split("Sending Paused")[1].split() == ["-", "everything,", "a", "wrong", "price"]


def test_a_record_that_is_no_event_is_a_line_with_its_error(aws: EmbeddedAws, tail: Tail) -> None:
    aws.client("kinesis").put_record(StreamName=STREAM, Data=b"no event", PartitionKey="key")
    (line,) = tail().splitlines()
    assert "Unreadable" in line
    assert "JSONDecodeError" in line


def test_what_strangers_wrote_is_no_markup_and_moves_no_cursor(tail: Tail, append: Append) -> None:
    append(requested({"to": "[red]x[/red]\n:smile: \x1b[2J", "emailId": "a\x1b[31m"}))
    append(envelope("x\x1b[31m" * 100, {}))
    told = tail()
    assert r"to [red]x[/red]\n:smile: \x1b[2J, from" in told
    assert r"  a\x1b[31m  " in told
    assert told.replace("\n", "").isprintable()
    assert len(told.splitlines()) == 2


def test_kinds_are_coloured_where_that_is_wanted_and_nowhere_else(tail: Tail, append: Append) -> None:
    append(failed())
    assert "\x1b[31mMail Failed" in tail(FORCE_COLOR="1")
    assert "\x1b" not in tail()


def test_an_empty_log_says_nothing(tail: Tail) -> None:
    assert tail() == ""


# ── Choosing ──────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_kinds_that_were_asked_for_are_shown(tail: Tail, append: Append) -> None:
    append(requested(), sent(), feedback("Delivery"), failed())
    assert kinds(tail("--kind", "mail SENT", "--kind", "delivery", "--json")) == ["Mail Sent", "Delivery"]


def test_a_kind_that_is_not_known_is_refused_with_those_that_are(aws: EmbeddedAws) -> None:
    done = invoke(aws, "--kind", "Mail Lost", COLUMNS="2000")
    assert done.exit_code == 2
    assert "'Mail Lost' is no kind of event; there are: Email Request, Mail Sent" in done.output
    assert all(kind in done.output for kind in KINDS)


def test_only_the_events_about_a_mail_are_shown(tail: Tail, append: Append) -> None:
    append(requested(), sent(), failed(), feedback("Delivery"))
    assert kinds(tail("--email-id", "order-43", "--json")) == ["Mail Failed"]


def test_what_arrived_before_is_not_shown(tail: Tail, append: Append) -> None:
    append(requested())
    sleep(0.5)
    assert tail("--since", "10ms") == ""
    assert kinds(tail("--since", "9" * 400 + "d", "--json")) == ["Email Request"]


def test_a_duration_that_is_none_is_refused(aws: EmbeddedAws) -> None:
    assert invoke(aws, "--since", "yesterday").exit_code == 2


# ── As a process ──────────────────────────────────────────────────────────────────────────────────────────

# A process that was started in the background ignores Ctrl-C unless it is told otherwise.
COMMAND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom infra.cli import main; main()"
Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running("--send-rate", "50") as engine:
        yield engine


@contextmanager
def tailing(engine: Running, *options: str, **environment: str) -> Iterator[Process]:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "tail", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=engine.environment | environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def sends(engine: Running, email_id: str) -> None:
    engine.command("send", "--to", "ana@example.com", "--template", "none", "--email-id", email_id)


def line_of(process: Process, kind: str, email_id: str) -> str:
    assert process.stdout
    return next(line for line in process.stdout if kind in line and email_id in line)


def test_following_shows_what_comes_until_ctrl_c_and_ends_with_0(engine: Running) -> None:
    sends(engine, "before")
    with tailing(engine, "--follow") as process:
        line_of(process, "Mail Failed", "before")
        sends(engine, "later")
        line_of(process, "Mail Failed", "later")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == ""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_read_enough_ends_it_quietly(engine: Running, options: list[str]) -> None:
    name = f"enough-{len(options)}"
    with tailing(engine, "--follow", "--since", "5s", *options) as process:
        sends(engine, name)
        line_of(process, "Mail Failed", name)
        assert process.stdout
        process.stdout.close()
        sends(engine, f"{name}-more")
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == ""


def test_letters_that_a_terminal_lacks_are_escaped(engine: Running) -> None:
    sends(engine, "größe-1")
    with tailing(engine, "--follow", PYTHONIOENCODING="ascii") as process:
        assert r"gr\xf6\xdfe-1" in line_of(process, "Mail Failed", "e-1")


def test_a_stack_that_is_not_there_is_one_sentence_and_exit_1(engine: Running) -> None:
    told = engine.command("tail", "--stack", "elsewhere")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("sesmailengine: there is no stack 'elsewhere'")
    assert len(told.stderr.splitlines()) == 1
