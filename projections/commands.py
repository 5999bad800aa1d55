"""Commands about projections: `status` shows what is known of a mail, `why` tells how it came about."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from pipeline import addresses, ids
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.options import AsJson, Stack
from projections import hold_commands, resend_commands
from projections.dynamodb import SuppressionTable, TrackingTable
from projections.rows import mail_of
from projections.telling import timeline, why
from projections.tracking import Mail

__all__ = ["commands"]

commands = typer.Typer()
commands.add_typer(hold_commands.commands)
commands.add_typer(resend_commands.commands)

HIDDEN = {"facts", "version", "ttl", "done"}


@commands.command()
def status(
    context: typer.Context,
    email_id: Annotated[str | None, typer.Argument(help="The emailId of the mail.")] = None,
    to: Annotated[str | None, typer.Option(help="List the mails to this address, the latest first.")] = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Show what is known of a mail: its row, its retry and its facts in order. Exit 1 if nothing is.

    Example: sesmailengine status order-confirmation-42
    """
    if (email_id is None) == (to is None):
        raise typer.BadParameter("name an emailId, or an address by --to")
    tables = Tables.of(context.obj(stack))
    if to is not None:
        _list(tables.tracking.to(addresses.canonical(to)), as_json)
        return
    assert email_id is not None
    row = tables.row(email_id)
    shown = {name: value for name, value in row.items() if name not in HIDDEN}
    if as_json:
        typer.echo(json.dumps(shown))
        return
    Console().print(_table(shown))
    mail = mail_of(row)
    retry = tables.retry_of(mail)
    if retry:
        typer.echo(f"\nretry {retry.email_id}: {retry.status}")
    typer.echo("\ntimeline")
    for moment in timeline([mail, *([retry] if retry else [])]):
        typer.echo(f"  {moment.time}  {moment.words}")


@commands.command("why")
def why_(
    context: typer.Context,
    email_id: Annotated[str, typer.Argument(help="The emailId of the mail.")],
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Tell in sentences what led to a mail's status.

    Example: sesmailengine why order-confirmation-42
    """
    tables = Tables.of(context.obj(stack))
    row = tables.row(email_id)
    mail = mail_of(row)
    key = addresses.suppression_key(row["toEmail"]) if row.get("toEmail") else None
    suppression = tables.suppression.suppressed([key]).get(key) if key else None
    sentences = list(why(mail, tables.retry_of(mail), suppression))
    typer.echo(json.dumps(sentences) if as_json else "\n".join(sentences))


class Tables(NamedTuple):
    """What is asked about a mail."""

    tracking: TrackingTable
    suppression: SuppressionTable

    @classmethod
    def of(cls, engine: Engine) -> "Tables":
        settings, dynamodb = engine.settings, engine.client("dynamodb")
        return cls(
            TrackingTable(dynamodb, settings.tracking_table_name, settings.retention),
            SuppressionTable(dynamodb, settings.suppression_table_name),
        )

    def row(self, email_id: str) -> dict[str, Any]:
        row = self.tracking.row(email_id)
        if row is None:
            raise UserError(
                f"nothing is known of '{email_id}' yet: a mail has a row once it was sent or refused"
            )
        return row

    def retry_of(self, mail: Mail) -> Mail | None:
        retry = ids.retry_id(mail.email_id, 1)
        stored = self.tracking.load([retry]).get(retry) if "soft_bounced" in mail.slots else None
        return stored.state if stored else None


def _list(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([{n: v for n, v in row.items() if n not in HIDDEN} for row in rows]))
        return
    if not rows:
        raise UserError("no mail to that address is known")
    table = Table(box=None, pad_edge=False)
    for heading in ("timestamp", "emailId", "status", "templateName", "subject"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            *(
                str(row.get(name, ""))
                for name in ("timestamp", "emailId", "status", "templateName", "subject")
            )
        )
    Console().print(table)


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
