"""What the pages for users say is so: examples, fields, statuses, error codes, commands, names of the stack."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from infra.cli import app
from infra.stack import template_body
from pipeline.requests import EmailRequest, parse
from pipeline.status_event import StatusChanged
from projections.status import RANK
from tests.docs.pages import DOCS, GUIDE, ROOT, blocks, inline, section, table

EVERY = "\n".join(DOCS.values())
CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")


@pytest.mark.parametrize("language", ["python", "typescript", "java"])
def test_every_example_of_the_first_guide_stands_here_as_it_was(language: str) -> None:
    """Those in Python run in tests/infra/test_guide.py."""
    assert [block for block in blocks(GUIDE, language) if block not in blocks(EVERY, language)] == []


@pytest.mark.parametrize("block", blocks(EVERY, "python"))
def test_every_example_in_python_compiles(block: str) -> None:
    ast.parse(block)


@pytest.mark.parametrize("block", blocks(EVERY, "json"))
def test_every_example_in_json_is_json(block: str) -> None:
    assert isinstance(json.loads(block), dict)


def test_the_requests_that_are_shown_are_valid() -> None:
    complete, further = (
        json.loads(block) for block in blocks(section("INTEGRATION.md", "Complete Event Format"), "json")
    )
    assert parse(complete["detail"] | further).unknown_fields == []


def test_the_status_events_that_are_shown_fit_the_model() -> None:
    shown = json.loads(blocks(section("STATUS.md", "Status Change Event Schema"), "json")[0])
    assert set(shown["detail"]) <= {str(field.alias) for field in StatusChanged.model_fields.values()}


def test_every_field_of_a_request_is_described_and_no_other() -> None:
    described = [row[0].strip("`") for row in table(section("INTEGRATION.md", "Field Reference"))]
    assert sorted(described) == sorted(str(field.alias) for field in EmailRequest.model_fields.values())


def test_every_status_is_described_and_no_other() -> None:
    described = [row[0].strip("`") for row in table(section("STATUS.md", "Email Statuses"))]
    assert sorted(described) == sorted(RANK)


# Error codes.


def codes_of_the_code() -> set[str]:
    modules = [
        path for folder in ("pipeline", "projections", "consumers") for path in (ROOT / folder).rglob("*.py")
    ]
    return {code for module in modules for code in _codes(module)}


def _codes(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name("Refusal"), args=[ast.Constant(str() as code), *_]):
                yield code
            case ast.keyword(arg="error_code", value=ast.Constant(str() as code)):
                yield code
            case ast.Tuple(elts=[ast.Constant(str() as code), *_]) if (
                module.name == "rows.py" and CODE.fullmatch(code)
            ):
                yield code


def test_every_error_code_has_its_meaning_and_its_remedy() -> None:
    rows = table(section("STATUS.md", "Error Codes"))
    assert {row[0].strip("`") for row in rows} == codes_of_the_code()
    assert all(meaning and remedy for _, meaning, remedy in rows)


def test_no_error_code_is_spoken_of_that_there_is_not() -> None:
    spoken_of = {word for word in inline(EVERY) if CODE.fullmatch(word)} - {"STACK_NAME", "ACCOUNT_ID"}
    assert spoken_of <= codes_of_the_code()


# Commands.

LINES = [
    line for block in blocks(EVERY, "bash") for line in block.split("\n") if line.startswith("sesmailengine ")
]
MENTIONED = [code for code in inline(EVERY) if code.startswith("sesmailengine ")]


def resolved(words: list[str]) -> tuple[Any, typer.Context, list[str]]:
    """The command that the words name, and what is left of them."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    while isinstance(command, TyperGroup):
        name, command, words = command.resolve_command(context, words)
        context = typer.Context(command, info_name=name, parent=context)
    return command, context, words


@pytest.mark.parametrize("line", LINES)
def test_every_command_that_is_shown_is_understood(line: str) -> None:
    command, _, words = resolved(shlex.split(line)[1:])
    with command.make_context(command.name, words) as context:
        assert context.command is command


@pytest.mark.parametrize("mention", MENTIONED)
def test_every_command_that_is_mentioned_is_there(mention: str) -> None:
    command, context, words = resolved(shlex.split(mention)[1:])
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_an_option_that_is_not_there_would_be_found() -> None:
    command, _, words = resolved(["resend", "--code", "X", "--since", "2h", "--whatever"])
    with pytest.raises(typer.TyperException, match="whatever"):
        command.make_context(command.name, words)


# Names.


class _Loader(yaml.SafeLoader):
    """CloudFormation's short forms are of no interest here."""


_Loader.add_multi_constructor("!", lambda *_: None)


def test_every_parameter_and_output_that_is_spoken_of_is_the_stacks() -> None:
    stack = yaml.load(template_body(), _Loader)
    ours = {*stack["Parameters"], *stack["Outputs"]}
    theirs = {"MailboxFull", "MessageTooLarge", "ContentRejected", "NoEmail", "UnsubscribedRecipient"}
    theirs |= {"MaxSendRate", "PutEvents", "SESEmailEngineAccess"}
    theirs |= {"AccessDeniedException", "ResourceNotFoundException", "InvalidParameterException"}
    spoken_of = {word for word in inline(EVERY) if re.fullmatch(r"([A-Z]+[a-z]+){2,}", word)}
    assert spoken_of - ours - theirs == set()


OTHER_PAGES = {"TEMPLATES.md"}


def test_every_link_between_the_pages_leads_somewhere() -> None:
    headings = {
        page: {
            re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in text.split("\n")
            if line.startswith("#")
        }
        for page, text in DOCS.items()
    }
    for page, text in DOCS.items():
        for file, anchor in re.findall(r"\]\(([A-Z]*(?:\.md)?)#?([a-z-]*)\)", text):
            assert (file or page) in DOCS or file in OTHER_PAGES
            assert not anchor or anchor in headings[file or page]
