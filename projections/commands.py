"""Commands about projections: `status` shows the row of a mail."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.options import AsJson, Stack
from projections import hold_commands, resend_commands
from projections.dynamodb import TrackingTable

__all__ = ["commands"]

commands = typer.Typer()
commands.add_typer(hold_commands.commands)
commands.add_typer(resend_commands.commands)

HIDDEN = {"facts", "version", "ttl", "done"}


@commands.command()
def status(
    context: typer.Context,
    email_id: Annotated[str, typer.Argument(help="The emailId of the mail.")],
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Show what is known of a mail. Exit 1 if nothing is.

    Example: sesmailengine status order-confirmation-42
    """
    engine: Engine = context.obj(stack)
    settings = engine.settings
    table = TrackingTable(engine.client("dynamodb"), settings.tracking_table_name, settings.retention)
    row = table.row(email_id)
    if row is None:
        raise UserError(f"nothing is known of '{email_id}' yet: a mail has a row once it was sent or refused")
    shown = {name: value for name, value in row.items() if name not in HIDDEN}
    typer.echo(json.dumps(shown)) if as_json else Console().print(_table(shown))


def _table(row: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    first = [
        "emailId",
        "status",
        "toEmail",
        "templateName",
        "subject",
        "timestamp",
        "errorCode",
        "errorMessage",
    ]
    for name in [*(each for each in first if each in row), *sorted(row.keys() - set(first))]:
        value = row[name]
        table.add_row(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return table
