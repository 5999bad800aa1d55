"""Commands about projections: `status` shows what is known of a mail, `why` tells how it came about."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Protocol

import typer
from rich.console import Console
from rich.table import Table

from pipeline import addresses, ids, times
from pipeline.as_of import AsOf, as_of_moment
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.options import AsJson, Stack
from projections import hold_commands, resend_commands
from projections.dynamodb import SuppressionTable, TrackingTable
from projections.rows import mail_of
from projections.telling import timeline, told_as_of, why
from projections.then import Then
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
    as_of: AsOf = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Show what is known of a mail: its row, its retry and its facts in order. Exit 1 if nothing is.

    Example: sesmailengine status order-confirmation-42 --as-of 2026-11-24T20:00:00Z
    """
    if (email_id is None) == (to is None):
        raise typer.BadParameter("name an emailId, or an address by --to")
    if as_of is not None and to is not None:
        raise typer.BadParameter("name an emailId: a list by --to can't be asked for --as-of a time")
    engine, moment = context.obj(stack), as_of_moment(as_of)
    if to is not None:
        _list(Tables.of(engine).tracking.to(addresses.canonical(to)), as_json)
        return
    assert email_id is not None
    known = _known(engine, moment)
    row = known.row(email_id)
    shown = {name: value for name, value in row.items() if name not in HIDDEN}
    shown |= {"asOf": times.text(moment)} if moment else {}
    if as_json:
        typer.echo(json.dumps(shown))
        return
    Console().print(_table(shown))
    mail = mail_of(row)
    retry = known.retry_of(mail)
    if retry:
        typer.echo(f"\nretry {retry.email_id}: {retry.status}")
    typer.echo("\ntimeline")
    for step in timeline([mail, *([retry] if retry else [])]):
        typer.echo(f"  {step.time}  {step.words}")


@commands.command("why")
def why_(
    context: typer.Context,
    email_id: Annotated[str, typer.Argument(help="The emailId of the mail.")],
    as_of: AsOf = None,
    stack: Stack = "sesmailengine",
    as_json: AsJson = False,
) -> None:
    """Tell in sentences what led to a mail's status.

    Example: sesmailengine why order-confirmation-42
    """
    moment = as_of_moment(as_of)
    known = _known(context.obj(stack), moment)
    row = known.row(email_id)
    mail = mail_of(row)
    key = addresses.suppression_key(row["toEmail"]) if row.get("toEmail") else None
    suppression = known.suppressed([key]).get(key) if key else None
    sentences = [*why(mail, known.retry_of(mail), suppression), *([told_as_of(moment)] if moment else [])]
    typer.echo(json.dumps(sentences) if as_json else "\n".join(sentences))


class Known(Protocol):
    """What is asked about a mail."""

    def row(self, email_id: str) -> dict[str, Any]:
        """Raises UserError where nothing is known of it."""
        ...

    def retry_of(self, mail: Mail) -> Mail | None: ...

    def suppressed(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]: ...


class Tables(NamedTuple):
    """What the projector has written so far."""

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

    def suppressed(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        return self.suppression.suppressed(keys)


def _known(engine: Engine, moment: datetime | None) -> Known:
    return Then(engine, moment) if moment else Tables.of(engine)


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
        "asOf",
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
