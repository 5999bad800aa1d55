"""The outbox of a running `local`: what its simulated SES has taken, over HTTP."""

import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline import ids
from pipeline.errors import UserError

__all__ = ["mails", "opened", "shown"]

Mail = dict[str, Any]

PATH = "/_aws/ses"  # as LocalStack has it


def mails(email_id: str | None) -> list[Mail]:
    """Newest last. Raises UserError where nothing answers."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    query = "?" + urllib.parse.urlencode({"emailId": ids.to_tag(email_id)}) if email_id else ""
    try:
        with urllib.request.urlopen(f"{endpoint}{PATH}{query}", timeout=10) as answer:  # noqa: S310  the user's own
            found: list[Mail] = json.load(answer)["messages"]
    except (OSError, ValueError) as error:
        raise UserError(
            f"no simulated SES answers at {endpoint}: start `sesmailengine local`, or set AWS_ENDPOINT_URL"
        ) from error
    return found


def opened(found: Sequence[Mail]) -> None:
    """The newest mail's HTML in the browser."""
    html = (found[-1]["Body"]["html_part"] if found else None) or ""
    with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as page:
        page.write(html)
    webbrowser.open(Path(page.name).as_uri())


def shown(found: Sequence[Mail], *, whole: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
    elif whole:
        for mail in found:
            _print_whole(mail)
    else:
        Console().print(_table(found))


def _table(found: Sequence[Mail]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("time", "emailId", "to", "subject"):
        table.add_column(heading, overflow="fold")
    for mail in found:
        table.add_row(mail["Timestamp"], _email_id(mail), _to(mail), mail["Subject"])
    return table


def _print_whole(mail: Mail) -> None:
    for name, value in (("From", mail["Source"]), ("To", _to(mail)), ("Subject", mail["Subject"])):
        typer.echo(f"{name}: {value}")
    for address in mail["ReplyToAddresses"]:
        typer.echo(f"Reply-To: {address}")
    typer.echo(f"\n{mail['Body']['text_part'] or mail['Body']['html_part'] or ''}")


def _to(mail: Mail) -> str:
    return ", ".join(mail["Destination"]["ToAddresses"])


def _email_id(mail: Mail) -> str:
    tags = {tag["Name"]: tag["Value"] for tag in mail["EmailTags"]}
    return ids.from_tag(tags.get("emailId", "")) or ""
