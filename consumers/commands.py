"""Commands about templates: `templates list | push | check | preview`."""

import json
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers import suppression_commands
from consumers.mail import Refusal
from consumers.rendering import render
from consumers.s3 import TemplateFolder
from consumers.template_check import Finding, check
from consumers.template_folders import folders, starter_folders, starter_sample
from consumers.templates import compiled
from pipeline import requests
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.options import AsJson, Stack

__all__ = ["commands"]

commands = typer.Typer()
templates = typer.Typer(help="The templates that mails are made of.", no_args_is_help=True)
commands.add_typer(templates, name="templates")
commands.add_typer(suppression_commands.commands)

Folder = Annotated[
    Path | None,
    typer.Argument(
        exists=True, file_okay=False, help="A folder of templates. Default: the starter templates."
    ),
]
Texts = Mapping[str, str]


def _given(folder: Path | None) -> Mapping[str, Texts]:
    found = folders(folder) if folder else starter_folders()
    if not found:
        raise UserError(f"{folder} holds no template: a template is a folder with template.html in it")
    return found


def _bucket(context: typer.Context, stack: str) -> TemplateFolder:
    engine: Engine = context.obj(stack)
    return TemplateFolder(engine.client("s3"), engine.settings.template_bucket_name)


def _checked(given: Mapping[str, Texts]) -> list[Finding]:
    return [finding for name, texts in given.items() for finding in check(name, texts)]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@templates.command("list")
def list_(context: typer.Context, stack: Stack = "sesmailengine", as_json: AsJson = False) -> None:
    """List the templates in the template bucket.

    Example: sesmailengine templates list
    """
    bucket = _bucket(context, stack)
    found = [{"name": name, **_metadata(bucket.text(name, "metadata.json"))} for name in bucket.names()]
    if as_json:
        typer.echo(json.dumps(found))
        return
    if not found:
        typer.echo(
            "there are no templates yet; `sesmailengine templates push` puts the starter templates there"
        )
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "priority", "requires"):
        table.add_column(heading, overflow="fold")
    for each in found:
        required = each.get("requiredVariables", [])
        listed = ", ".join(map(str, required)) if isinstance(required, list) else str(required)
        table.add_row(
            *(escape(str(each.get(key, ""))) for key in ("name", "version", "priority")), escape(listed)
        )
    Console().print(table)


@templates.command("check")
def check_(folder: Folder = None, as_json: AsJson = False) -> None:
    """Find what is wrong with templates before it costs a mail. Exit 1 if anything is.

    Example: sesmailengine templates check my-templates
    """
    given = _given(folder)
    findings = _checked(given)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        _tell(findings)
        wrong = {finding.template for finding in findings}
        typer.echo(
            f"{_counted(len(given), 'template')}, {f'{len(wrong)} to be mended' if wrong else 'nothing wrong'}"
        )
    raise typer.Exit(1 if findings else 0)


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings:
        typer.echo(str(finding))


@templates.command()
def push(
    context: typer.Context, folder: Folder = None, stack: Stack = "sesmailengine", as_json: AsJson = False
) -> None:
    """Check templates, then put what has changed into the template bucket.

    Example: sesmailengine templates push my-templates
    """
    given = _given(folder)
    findings = _checked(given)
    if findings:
        if not as_json:
            _tell(findings)
        raise UserError(f"nothing was pushed: {_counted(len(findings), 'fault')}, see `templates check`")
    bucket = _bucket(context, stack)
    changes = {name: bucket.put(name, texts) for name, texts in given.items()}
    if as_json:
        typer.echo(json.dumps(changes))
        return
    for name, change in changes.items():
        typer.echo(f"{name}: {', '.join(f'{file} {kind}' for file, kind in change.items()) or 'unchanged'}")
    if any(changes.values()):
        typer.echo("Mails use the change within a minute.")


@templates.command()
def preview(
    name: Annotated[str, typer.Argument(help="The name of a template.")],
    folder: Folder = None,
    data_file: Annotated[
        Path | None,
        typer.Option(help="A JSON object with template variables. Default: a sample, or their names."),
    ] = None,
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("preview"),
    open_it: Annotated[bool, typer.Option("--open", help="Open the HTML in a browser.")] = False,
) -> None:
    """Write a template's HTML, text and headers, as a recipient would get them.

    Example: sesmailengine templates preview invoice --open
    """
    given = _given(folder)
    if "template.html" not in given.get(name, {}):
        raise UserError(f"there is no template '{name}' here; there are {', '.join(given)}")
    data = _data(data_file) if data_file else _sample(name, given[name], starter=folder is None)
    pages = _pages(name, given[name], data)
    try:
        to.mkdir(parents=True, exist_ok=True)
        for file, text in pages.items():
            (to / file).write_text(text, encoding="utf-8")
            typer.echo(str(to / file))
    except OSError as error:
        raise UserError(f"--to {to} can't be written to: {error.strerror}") from error
    if open_it:
        webbrowser.open((to / f"{name}.html").resolve().as_uri())


def _pages(name: str, texts: Texts, data: Mapping[str, Any]) -> dict[str, str]:
    try:
        request = requests.parse({"to": "recipient@example.com", "templateName": name, "templateData": data})
        template = compiled(
            name, texts["template.html"], texts.get("template.txt"), texts.get("metadata.json", "{}")
        )
        mail = render(template, request, ("", "sender@example.com"))
    except (requests.InvalidRequest, Refusal) as refusal:
        raise UserError(str(refusal)) from refusal
    headers = {"From": mail.sender, "To": mail.to, "Subject": mail.subject, **mail.headers}
    if mail.reply_to:
        headers["Reply-To"] = mail.reply_to
    shown = "".join(f"{header}: {value}\n" for header, value in headers.items())
    pages = {f"{name}.html": mail.html, f"{name}.headers.txt": shown}
    return pages | ({f"{name}.txt": mail.text} if mail.text is not None else {})


def _data(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"--data-file {path} can't be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"--data-file {path} must hold a JSON object")
    return found


def _sample(name: str, texts: Texts, *, starter: bool) -> Mapping[str, Any]:
    """Of a starter template all variables; of another a word for each that it requires."""
    sample = starter_sample(name) if starter else None
    required = _metadata(texts.get("metadata.json")).get("requiredVariables", [])
    return sample or {variable: f"[{variable}]" for variable in required}


def _metadata(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
