"""`templates list | push | check | preview` as a person and a script meet them."""

import json
import time
from collections.abc import Callable, Iterator
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consumers.commands import commands
from consumers.s3 import TemplateFolder
from consumers.template_folders import starter_folders
from pipeline.engine import Engine
from pipeline.errors import UserError
from tests.consumers.conftest import Deployed
from tests.infra.running import STACK, Running, running
from tests.infra.running import run as run_process

GOOD = {
    "template.html": "<p>Hello {{ name }}</p>",
    "template.txt": "Hello {{ name }}",
    "metadata.json": '{"subject": "Hello {{ name }}", "version": "1.0.0", "requiredVariables": ["name"]}',
}
Command = Callable[..., Result]


def write(folder: Path, name: str = "letter", **changes: str) -> Path:
    """A folder with one template in it; `html`, `txt` and `json` replace a file."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, text in GOOD.items():
        (folder / name / file).write_text(changes.get(file.rpartition(".")[2], text), encoding="utf-8")
    return folder


@pytest.fixture
def bucket(deployed: Deployed) -> Iterator[TemplateFolder]:
    client, name = deployed.client("s3"), deployed.settings.template_bucket_name
    yield TemplateFolder(client, name)
    for each in client.list_objects_v2(Bucket=name).get("Contents", ()):
        client.delete_object(Bucket=name, Key=each["Key"])


@pytest.fixture
def command(deployed: Deployed) -> Command:
    """Runs `templates …`; what a person is told by exception is raised."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(
            commands,
            ["templates", *arguments],
            obj=lambda _stack: Engine(deployed.client, lambda: deployed.settings),
            env={"COLUMNS": "120"},
            catch_exceptions=False,
        )

    return call


# ── list ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_list_shows_name_version_priority_and_what_is_required(
    command: Command, bucket: TemplateFolder
) -> None:
    for name in ("newsletter", "order-confirmation"):
        bucket.put(name, starter_folders()[name])
    told = command("list")
    assert [line.strip().split(maxsplit=3) for line in told.stdout.splitlines()] == [
        ["name", "version", "priority", "requires"],
        ["newsletter", "1.0.0", "bulk", "userName"],
        ["order-confirmation", "1.0.0", "transactional", "orderId, total"],
    ]


def test_list_tells_a_program_all_of_the_metadata(command: Command, bucket: TemplateFolder) -> None:
    bucket.put("letter", GOOD)
    (found,) = json.loads(command("list", "--json").stdout)
    assert found == {"name": "letter"} | json.loads(GOOD["metadata.json"])


@pytest.mark.parametrize(
    "metadata",
    ["{", "[]", "[" * 100_000, '{"version": 3, "requiredVariables": {"a": [1]}, "priority": "[red]x[/red]"}'],
)
def test_list_bears_any_metadata(command: Command, bucket: TemplateFolder, metadata: str) -> None:
    bucket.put("letter", {"template.html": "<p>", "metadata.json": metadata})
    assert command("list").stdout.splitlines()[1].startswith("letter")
    assert json.loads(command("list", "--json").stdout)[0]["name"] == "letter"


def test_list_of_an_empty_bucket_says_how_to_fill_it(command: Command, bucket: TemplateFolder) -> None:
    assert "templates push" in command("list").stdout
    assert json.loads(command("list", "--json").stdout) == []


# ── push ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_push_shows_what_is_new_what_changed_and_what_did_not(
    command: Command, bucket: TemplateFolder, tmp_path: Path
) -> None:
    write(write(tmp_path), "other")
    assert command("push", str(tmp_path)).stdout.splitlines() == [
        "letter: template.html new, template.txt new, metadata.json new",
        "other: template.html new, template.txt new, metadata.json new",
        "Mails use the change within a minute.",
    ]
    write(tmp_path, txt="Hi {{ name }}")
    assert command("push", str(tmp_path)).stdout.splitlines() == [
        "letter: template.txt changed",
        "other: unchanged",
        "Mails use the change within a minute.",
    ]
    assert command("push", str(tmp_path)).stdout.splitlines() == ["letter: unchanged", "other: unchanged"]
    assert bucket.texts("letter") == GOOD | {"template.txt": "Hi {{ name }}"}


def test_push_tells_a_program_each_change(command: Command, bucket: TemplateFolder, tmp_path: Path) -> None:
    write(tmp_path)
    assert json.loads(command("push", str(tmp_path), "--json").stdout) == {
        "letter": dict.fromkeys(GOOD, "new")
    }
    assert json.loads(command("push", str(tmp_path), "--json").stdout) == {"letter": {}}


def test_push_without_a_folder_pushes_the_starter_templates(command: Command, bucket: TemplateFolder) -> None:
    command("push")
    assert bucket.names() == sorted(starter_folders())


def test_push_pushes_nothing_when_anything_is_wrong(
    command: Command, bucket: TemplateFolder, tmp_path: Path
) -> None:
    write(write(tmp_path), "worse", html="{{ total }}")
    with pytest.raises(UserError, match="nothing was pushed: 1 fault, see `templates check`"):
        command("push", str(tmp_path))
    assert bucket.names() == []


# ── check ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_check_of_good_templates_says_so(command: Command, tmp_path: Path) -> None:
    told = command("check", str(write(tmp_path)))
    assert (told.exit_code, told.stdout) == (0, "1 template, nothing wrong\n")
    assert command("check").stdout == "9 templates, nothing wrong\n"


def test_check_tells_each_fault_and_exits_1(command: Command, tmp_path: Path) -> None:
    write(write(tmp_path, html="<p>\n{{ total }}"), "other")
    told = command("check", str(tmp_path))
    assert told.exit_code == 1
    assert told.stdout.splitlines() == [
        (
            "letter/template.html:2: the variable 'total' is not declared; "
            "add it to requiredVariables or optionalVariables in metadata.json"
        ),
        "2 templates, 1 to be mended",
    ]


def test_check_tells_a_program_each_fault(command: Command, tmp_path: Path) -> None:
    told = command("check", str(write(tmp_path, json="{")), "--json")
    (fault,) = json.loads(told.stdout)
    assert told.exit_code == 1
    assert (fault["template"], fault["file"], fault["line"]) == ("letter", "metadata.json", 1)
    assert json.loads(command("check", "--json").stdout) == []


# ── preview ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", starter_folders())
def test_preview_writes_html_text_and_headers_of_a_starter_template_with_its_sample(
    command: Command, tmp_path: Path, name: str
) -> None:
    told = command("preview", name, "--to", str(tmp_path))
    html, headers, text = (tmp_path / f"{name}{end}" for end in (".html", ".headers.txt", ".txt"))
    assert told.stdout.splitlines() == [str(html), str(headers), str(text)]
    assert "Juniper &amp; Oak" in html.read_text()
    assert "Juniper & Oak" in text.read_text()
    assert "To: recipient@example.com\n" in headers.read_text()
    assert ("List-Unsubscribe: <https://" in headers.read_text()) == (name == "newsletter")


def test_preview_takes_the_data_of_a_file(command: Command, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"name": "Zoë <b>"}', encoding="utf-8")
    folder = write(
        tmp_path / "templates",
        json='{"subject": "{{ name }}", "senderName": "{{ name }}", "replyTo": "a@b.example"}',
    )
    command("preview", "letter", str(folder), "--data-file", str(data), "--to", str(tmp_path / "out"))
    assert (tmp_path / "out" / "letter.html").read_text() == "<p>Hello Zoë &lt;b&gt;</p>"
    assert (tmp_path / "out" / "letter.txt").read_text() == "Hello Zoë <b>"
    headers = dict(
        line.split(": ", 1) for line in (tmp_path / "out" / "letter.headers.txt").read_text().splitlines()
    )
    assert str(make_header(decode_header(headers["From"]))) == "Zoë <b> <sender@example.com>"
    assert (headers["Subject"], headers["Reply-To"]) == ("Zoë <b>", "a@b.example")


def test_preview_without_data_writes_the_names_of_what_is_required(command: Command, tmp_path: Path) -> None:
    command("preview", "letter", str(write(tmp_path)), "--to", str(tmp_path / "out"))
    assert (tmp_path / "out" / "letter.txt").read_text() == "Hello [name]"


def test_preview_opens_the_html_when_asked(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    command("preview", "letter", str(write(tmp_path)), "--to", str(tmp_path / "out"), "--open")
    assert opened == [(tmp_path / "out" / "letter.html").as_uri()]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"html": "{{"}, "template 'letter' can't be used: template.html: line 1: "),
        ({"html": "{{ name }}{{ total }}"}, "template.html, line 1: 'total' is undefined"),
        ({"json": '{"subject": "a\\nb"}'}, "the subject must be one line"),
    ],
)
def test_preview_of_a_template_that_fails_says_why(
    command: Command, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"name": "x"}')
    with pytest.raises(UserError, match=r"^(template|the mail)") as told:
        command("preview", "letter", str(write(tmp_path / "t", **changes)), "--data-file", str(data))
    assert said in str(told.value)


def test_preview_of_a_template_that_is_not_there_names_those_that_are(
    command: Command, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="there is no template 'lettr' here; there are letter"):
        command("preview", "lettr", str(write(tmp_path)))


@pytest.mark.parametrize("content", [None, "{", "[]", "[" * 100_000, b"\xff"])
def test_preview_with_data_that_cannot_be_read_says_so(
    command: Command, tmp_path: Path, content: Any
) -> None:
    data = tmp_path / "data.json"
    if content is not None:
        data.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        UserError, match=r"--data-file .*data.json (can't be read as JSON|must hold a JSON object)"
    ):
        command("preview", "welcome", "--data-file", str(data), "--to", str(tmp_path))


def test_preview_to_a_place_that_cannot_be_written_says_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match=r"--to .*taken can't be written to"):
        command("preview", "welcome", "--to", str(tmp_path / "taken"))


def test_a_folder_without_templates_is_told(command: Command, tmp_path: Path) -> None:
    for arguments in (("check",), ("push",), ("preview", "letter")):
        with pytest.raises(
            UserError, match=r"holds no template: a template is a folder with template.html in it"
        ):
            command(*arguments, str(tmp_path))


# ── From the shell ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running("--send-rate", "50") as engine:
        yield engine


def test_a_template_that_is_pushed_makes_mails(engine: Running, tmp_path: Path) -> None:
    assert len(json.loads(engine.command("templates", "list", "--json").stdout)) == 9
    assert engine.command("templates", "push", str(write(tmp_path))).returncode == 0
    engine.command(
        "send", "--to", "ana@example.com", "--template", "letter", "--data", "name=Ana", "--email-id", "t1"
    )
    deadline = time.monotonic() + 30
    while not (mails := json.loads(engine.command("outbox", "t1", "--json").stdout or "[]")):
        assert time.monotonic() < deadline
    assert mails[0]["Body"]["html_part"] == "<p>Hello Ana</p>"


def test_what_is_wrong_is_told_line_by_line_and_exits_1(engine: Running, tmp_path: Path) -> None:
    folder = str(write(tmp_path, html="{{ a }}", txt="{{ b }}"))
    checked = run_process("templates", "check", folder)
    assert (checked.returncode, len(checked.stdout.splitlines()), checked.stderr) == (1, 3, "")
    pushed = engine.command("templates", "push", folder)
    assert (pushed.returncode, len(pushed.stdout.splitlines())) == (1, 2)
    assert pushed.stderr == "sesmailengine: nothing was pushed: 2 faults, see `templates check`\n"


def test_a_folder_that_is_not_there_is_one_clear_line_and_exit_2() -> None:
    told = run_process("templates", "check", "/nowhere/at/all")
    assert (told.returncode, told.stdout) == (2, "")
    assert "does not exist" in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["list", "push", "check", "preview"])
def test_each_command_has_a_help_text_with_an_example(command: str) -> None:
    told = run_process("templates", command, "--help")
    assert f"Example: sesmailengine templates {command}" in " ".join(told.stdout.split())


def test_the_stack_is_taken_from_the_environment(engine: Running) -> None:
    assert engine.environment["SESMAILENGINE_STACK"] == STACK
    assert "welcome" in engine.command("templates", "list").stdout
