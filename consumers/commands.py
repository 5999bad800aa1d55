"""Commands about templates: `templates list | push | check | preview`."""

import json
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from consumers.mail import Refusal
from consumers.rendering import render
from consumers.s3 import TemplateFolder
from consumers.template_check import check
from consumers.template_folders import folders, starter_folders
from consumers.templates import compiled
from pipeline import requests
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.options import AsJson, Stack

__all__ = ["commands"]

commands = typer.Typer()
templates = typer.Typer(help="The templates that mails are made of.", no_args_is_help=True)
commands.add_typer(templates, name="templates")

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


@templates.command("list")
def list_(context: typer.Context, stack: Stack = "sesmailengine", as_json: AsJson = False) -> None:
    """List the templates in the template bucket.

    Example: sesmailengine templates list
    """
    bucket = _bucket(context, stack)
    found = [{"name": name, **_metadata(bucket.texts(name))} for name in bucket.names()]
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "priority", "requires"):
        table.add_column(heading, overflow="fold")
    for each in found:
        required = ", ".join(each.get("requiredVariables", []))
        table.add_row(each["name"], each.get("version", ""), each.get("priority", ""), required)
    Console().print(table)


@templates.command("check")
def check_(folder: Folder = None, as_json: AsJson = False) -> None:
    """Find what is wrong with templates before it costs a mail. Exit 1 if anything is.

    Example: sesmailengine templates check my-templates
    """
    given = _given(folder)
    findings = [finding for name, texts in given.items() for finding in check(name, texts)]
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            typer.echo(str(finding))
        if not findings:
            typer.echo(f"{len(given)} templates, nothing wrong")
    raise typer.Exit(1 if findings else 0)


@templates.command()
def push(
    context: typer.Context, folder: Folder = None, stack: Stack = "sesmailengine", as_json: AsJson = False
) -> None:
    """Check templates, then put what has changed into the template bucket.

    Example: sesmailengine templates push my-templates
    """
    given = _given(folder)
    findings = [str(finding) for name, texts in given.items() for finding in check(name, texts)]
    if findings:
        raise UserError("nothing was pushed; " + "; ".join(findings))
    bucket = _bucket(context, stack)
    changes = {name: bucket.put(name, texts) for name, texts in given.items()}
    if as_json:
        typer.echo(json.dumps(changes))
        return
    for name, change in changes.items():
        typer.echo(f"{name}: {', '.join(f'{file} {kind}' for file, kind in change.items()) or 'unchanged'}")


@templates.command()
def preview(
    name: Annotated[str, typer.Argument(help="The name of a template.")],
    folder: Folder = None,
    data_file: Annotated[Path | None, typer.Option(help="A JSON object with template variables.")] = None,
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("preview"),
    open_it: Annotated[bool, typer.Option("--open", help="Open the HTML in a browser.")] = False,
) -> None:
    """Write a template's HTML, text and headers, as a recipient would get them.

    Example: sesmailengine templates preview invoice --open
    """
    texts = _given(folder).get(name)
    if texts is None:
        raise UserError(
            f"there is no template '{name}' here; `sesmailengine templates check` lists what is wrong"
        )
    pages = _pages(name, texts, _data(data_file, texts))
    to.mkdir(parents=True, exist_ok=True)
    for file, text in pages.items():
        (to / file).write_text(text, encoding="utf-8")
        typer.echo(str(to / file))
    if open_it:
        webbrowser.open((to / f"{name}.html").resolve().as_uri())


def _pages(name: str, texts: Texts, data: dict[str, Any]) -> dict[str, str]:
    request = requests.parse({"to": "recipient@example.com", "templateName": name, "templateData": data})
    try:
        template = compiled(
            name, texts["template.html"], texts.get("template.txt"), texts.get("metadata.json", "{}")
        )
        mail = render(template, request, ("", "sender@example.com"))
    except Refusal as refusal:
        raise UserError(refusal.sentence) from refusal
    headers = {"From": mail.sender, "To": mail.to, "Subject": mail.subject, **mail.headers}
    if mail.reply_to:
        headers["Reply-To"] = mail.reply_to
    shown = "".join(f"{header}: {value}\n" for header, value in headers.items())
    return {f"{name}.html": mail.html, f"{name}.txt": mail.text or "", f"{name}.headers.txt": shown}


def _data(path: Path | None, texts: Texts) -> dict[str, Any]:
    """What is given, else a word for each required variable."""
    if path is None:
        return {variable: f"[{variable}]" for variable in _metadata(texts).get("requiredVariables", [])}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--data-file {path} can't be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"--data-file {path} must hold a JSON object")
    return found


def _metadata(texts: Texts) -> dict[str, Any]:
    try:
        found = json.loads(texts.get("metadata.json", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
