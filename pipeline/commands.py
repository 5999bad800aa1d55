"""Commands about the log: `send` asks for a mail as any application does, by an event on the bus."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from pipeline import ids, json_text
from pipeline.aws import service_errors
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.events import EMAIL_REQUEST
from pipeline.options import AsJson, Stack, pairs
from pipeline.requests import EmailRequest
from pipeline.status_event import StatusChanged

__all__ = ["commands"]

commands = typer.Typer()

SOURCE = "sesmailengine.cli"


@commands.command()
def send(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="The recipient's address.")],
    template: Annotated[str, typer.Option(help="The name of a template folder.")],
    data: Annotated[
        list[str] | None, typer.Option(help="A template variable, name=value; repeatable.")
    ] = None,
    data_file: Annotated[Path | None, typer.Option(help="A JSON object with template variables.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(help="A metadata entry, name=value; repeatable.")
    ] = None,
    email_id: Annotated[str | None, typer.Option(help="Your own id for the mail.")] = None,
    subject: Annotated[str | None, typer.Option(help="Overrides the template's subject.")] = None,
    reply_to: Annotated[str | None, typer.Option(help="Where replies go.")] = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Ask for one mail.

    Example: sesmailengine send --to ana@example.com --template welcome --data userName=Ana
    """
    detail = {
        "to": to,
        "templateName": template,
        "templateData": _file(data_file) | pairs(data or [], "--data"),
        "metadata": pairs(metadata or [], "--metadata"),
        **_given(emailId=email_id, subject=subject, replyTo=reply_to),
    }
    engine: Engine = context.obj(stack)
    asked = _put(engine, detail)
    typer.echo(json.dumps(asked) if as_json else f"asked for {asked['emailId']}")


class Schema(StrEnum):
    request = "request"
    status_event = "status-event"


@commands.command()
def schema(of: Annotated[Schema, typer.Argument(help="What to describe.")]) -> None:
    """Print the JSON Schema of a request's detail, or of a status event's.

    Example: sesmailengine schema request > email-request.schema.json
    """
    models: dict[Schema, type[BaseModel]] = {
        Schema.request: EmailRequest,
        Schema.status_event: StatusChanged,
    }
    typer.echo(json.dumps(models[of].model_json_schema(by_alias=True), indent=2))


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json_text.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"--data-file {path} can't be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"--data-file {path} must hold a JSON object")
    return found


def _put(engine: Engine, detail: dict[str, Any]) -> dict[str, str]:
    entry = {
        "Source": SOURCE,
        "DetailType": EMAIL_REQUEST,
        "EventBusName": engine.settings.event_bus_name,
        "Detail": json.dumps(detail),
    }
    with service_errors("EventBridge"):
        told = engine.client("events").put_events(Entries=[entry])["Entries"][0]
    if "ErrorCode" in told:
        raise UserError(f"EventBridge refused the request: {told['ErrorCode']}: {told.get('ErrorMessage')}")
    return {"emailId": ids.email_id_of(told["EventId"], detail), "eventId": told["EventId"]}
