"""docs/TEMPLATES.md is so: its template passes the check, its commands run, its tables say what the code does."""

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from consumers import budget, headers, templates
from consumers.rendering import render
from consumers.s3 import MOST_TEMPLATES
from consumers.template_check import check
from consumers.template_folders import starter_folders
from consumers.templates import FILES, METADATA, compiled
from pipeline import requests
from tests.builders import request
from tests.infra.running import run, running
from tests.templates.starter import NAMES, metadata

PAGE = (Path(__file__).parents[2] / "docs" / "TEMPLATES.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if line
]
DATA: dict[str, Any] = json.loads(re.findall(r"`(\{\"patientName.*?\})`", PAGE)[0])


def block(file: str) -> str:
    (found,) = re.findall(rf"`{re.escape(file)}`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def table(heading: str, number: int = 0) -> list[list[str]]:
    """The code in each cell of a table, but the one it stands in for its heading."""
    section = PAGE.split(heading, 1)[1].split("\n## ")[0]
    lines = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[number].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 200


def test_the_example_passes_the_check_and_renders_with_and_without_what_is_optional() -> None:
    files = {file: block(file) for file in FILES}
    assert check("appointment", files) == []
    template = compiled("appointment", files[FILES[0]], files[FILES[1]], files[FILES[2]])
    for data in (DATA, {"patientName": "Ana", "day": "Monday"}):
        mail = render(template, requests.parse(request(templateData=data)), ("", "a@b.example"))
        assert "Hello Ana," in mail.html
        assert ("your card" in (mail.text or "")) == ("bring" in data)


@pytest.mark.parametrize("shown", re.findall(r"`([^`]*\{[{%][^`]*)`", PAGE.split("## Variables")[1]))
def test_every_piece_of_jinja2_that_is_shown_compiles(shown: str) -> None:
    assert templates.HTML.from_string(shown)


def test_every_command_runs_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my-templates" / "appointment"
    folder.mkdir(parents=True)
    for file in FILES:
        (folder / file).write_text(block(file), encoding="utf-8")
    (tmp_path / "ana.json").write_text(json.dumps(DATA), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with running("--send-rate", "50") as engine:
        for command in COMMANDS:
            program, *arguments = shlex.split(command.replace(" --open", ""))
            told = run(*arguments, environment=engine.environment)
            assert (program, told.returncode, told.stderr) == ("sesmailengine", 0, ""), command
        deadline = time.monotonic() + 30
        while "Ana" not in (told := engine.command("outbox", "--json")).stdout:
            assert time.monotonic() < deadline, told
    assert (tmp_path / "preview" / "appointment.html").is_file()


def test_every_starter_template_is_named_with_what_it_requires() -> None:
    told = {name.strip("`"): re.findall(r"`(\w+)`", required) for name, required in table("# Templates")}
    assert told == {name: metadata(name)["requiredVariables"] for name in NAMES}
    assert starter_folders().keys() == told.keys()


@pytest.mark.parametrize("variable", ["companyName", "logoUrl", "supportEmail"])
def test_what_all_of_them_can_show_is_optional_in_each(variable: str) -> None:
    assert all(variable in metadata(name)["optionalVariables"] for name in NAMES)


def test_every_key_of_the_metadata_is_explained_and_no_other() -> None:
    told = [key for cell, _ in table("## metadata.json") for key in re.findall(r"`(\w+)`", cell)]
    assert sorted(told) == sorted(METADATA)


def test_the_limits_are_those_of_the_code() -> None:
    limits = " ".join(cell for row in table("## Limits") for cell in row)
    assert f"{templates.LARGEST_FILE // 1024} KB" in limits
    assert f"{templates.SECONDS:g} seconds" in limits
    assert f"{budget.BUDGET:,} characters, {budget.ENTRY} of them" in limits
    assert f"{headers.LONGEST} characters, encoded" in limits
    assert f"the last {MOST_TEMPLATES}" in limits


def test_every_code_of_a_template_is_told_and_no_other() -> None:
    consumers = Path(templates.__file__).parent
    sources = [(consumers / name).read_text() for name in ("templates.py", "rendering.py", "s3.py")]
    used = set(re.findall(r'"((?:TEMPLATE|HEADER)_[A-Z_]+)"', "".join(sources)))
    assert {code.strip("`") for code, _ in table("## Limits", 1)} == used
