"""The demo: some campaigns sent through the whole pipeline, and what can be seen of them afterwards."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from analytics.duckdb import connect, local_access, question
from infra.local import LocalEngine, LocalOptions
from pipeline import ids
from pipeline.events import EMAIL_REQUEST
from projections.dynamodb import SuppressionTable, TrackingTable
from projections.rows import row_of
from projections.status import RANK
from projections.tracking import Mail

__all__ = ["requests", "run"]

PATIENCE_SECONDS = 150.0
BATCH = 10

Request = dict[str, Any]

_CAMPAIGNS = (
    ("welcome-series", "welcome", lambda n: {"userName": f"Reader {n}", "companyName": "Northwind"}),
    (
        "order-mails",
        "order-confirmation",
        lambda n: {"userName": f"Buyer {n}", "orderId": f"N-{n}", "total": "€42.00"},
    ),
    (
        "security",
        "password-reset",
        lambda n: {"userName": f"User {n}", "resetLink": f"https://northwind.example/r/{n}"},
    ),
)
_DOMAINS = ("post.example", "mail.example.net", "inbox.example.org")
# Some recipients of the mailbox simulator, so that every run shows each outcome.
_SIMULATED = ("bounce+softonce", "bounce+NoEmail", "complaint+abuse", "success+open", "bounce+soft")


def run(emails: int, seed: int, send_rate: float) -> int:
    """The exit code: 1 if any request is unaccounted for."""
    console, begun = Console(), time.monotonic()
    asked = requests(emails, seed)
    options = LocalOptions(seed=seed, send_rate=send_rate, retry_delay=3, archive_flush=2)
    console.print("starting the embedded AWS, the stack and the consumers …")
    with LocalEngine(options) as engine:
        mails = Watch(engine, console).through(asked)
        engine.drain()
        return Summary(engine, console).shown(asked, mails, time.monotonic() - begun)


class Watch:
    """Puts the requests on the bus and follows them until all have settled."""

    def __init__(self, engine: LocalEngine, console: Console) -> None:
        self._engine, self._console = engine, console
        settings = engine.settings
        self._rows = TrackingTable(
            engine.client("dynamodb"), settings.tracking_table_name, settings.retention
        )

    def through(self, asked: Sequence[Request]) -> Mapping[str, Mail]:
        columns = (
            TextColumn("{task.description:>9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            bars = {
                name: progress.add_task(name, total=len(asked)) for name in ("requested", "sent", "settled")
            }
            for batch in _batches(asked):
                self._publish(batch)
                progress.advance(bars["requested"], len(batch))
            mails: Mapping[str, Mail] = {}
            for mails in self._until_settled([each["emailId"] for each in asked]):
                progress.update(
                    bars["sent"], completed=sum(mail.outcome is not None for mail in mails.values())
                )
                progress.update(bars["settled"], completed=sum(map(_is_settled, mails.values())))
        return mails

    def _publish(self, batch: Sequence[Request]) -> None:
        entries = [
            {
                "Source": "northwind.shop",
                "DetailType": EMAIL_REQUEST,
                "EventBusName": self._engine.settings.event_bus_name,
                "Detail": json.dumps(detail),
            }
            for detail in batch
        ]
        self._engine.client("events").put_events(Entries=entries)

    def _until_settled(self, email_ids: Sequence[str]) -> Iterator[Mapping[str, Mail]]:
        """The mails as they are, again and again, until nothing more can come or patience is at its end."""
        deadline, calm = time.monotonic() + PATIENCE_SECONDS, 0
        while calm < 3 and time.monotonic() < deadline:
            time.sleep(0.3)
            mails = self._mails(email_ids)
            all_settled = len(mails) >= len(email_ids) and all(map(_is_settled, mails.values()))
            calm = calm + 1 if all_settled and self._engine.settled() else 0
            yield mails

    def _mails(self, email_ids: Sequence[str]) -> Mapping[str, Mail]:
        """With the retries of those that bounced softly."""
        mails = {key: stored.state for key, stored in self._rows.load(email_ids).items()}
        retries = [ids.retry_id(mail.email_id, 1) for mail in mails.values() if "soft_bounced" in mail.slots]
        retried = {key: stored.state for key, stored in self._rows.load(retries).items()}
        return mails | {retry: retried.get(retry, Mail(retry)) for retry in retries}


def _is_settled(mail: Mail) -> bool:
    return mail.outcome is not None and mail.status != "sent"


class Summary:
    def __init__(self, engine: LocalEngine, console: Console) -> None:
        self._engine, self._console = engine, console

    def shown(self, asked: Sequence[Request], mails: Mapping[str, Mail], seconds: float) -> int:
        missing = [each["emailId"] for each in asked if each["emailId"] not in mails]
        self._console.print(_statuses(asked, mails))
        self._bounce_rate()
        self._soft_bounce(mails)
        self._suppressions()
        self._console.print(f"\n{len(asked)} requests, {len(missing)} unaccounted for, in {seconds:.0f} s")
        return 1 if missing else 0

    def _bounce_rate(self) -> None:
        aws, bucket = self._engine.aws, self._engine.settings.archive_bucket_name
        archive = connect(f"s3://{bucket}", local_access(aws.endpoint, aws.region))
        for day in question(archive, "bounce_rate", simulator=True):
            self._console.print(
                f"\n[bold]Bounce rate of {day['day']}[/] (DuckDB on s3://{bucket}): "
                f"{day['bounced']} of {day['accepted']} = {day['rate']:.1%}"
            )

    def _soft_bounce(self, mails: Mapping[str, Mail]) -> None:
        first = next((mail for mail in mails.values() if mail.status == "soft_bounced"), None)
        if first is None:
            return
        retry = mails.get(ids.retry_id(first.email_id, 1), Mail(""))
        self._console.print("\n[bold]A soft bounce and its retry[/]")
        for mail in (first, retry):
            row = row_of(mail, self._engine.settings.retention)
            known = {name: row[name] for name in _SHOWN if name in row}
            self._console.print("  " + "  ".join(f"{name}={value}" for name, value in known.items()))

    def _suppressions(self) -> None:
        settings = self._engine.settings
        rows = SuppressionTable(
            self._engine.client("dynamodb"), settings.suppression_table_name
        ).all_suppressed()
        table = Table(title="Suppressed addresses", title_justify="left", box=None, pad_edge=False)
        for heading in ("email", "reason", "since"):
            table.add_column(heading)
        for row in sorted(rows, key=lambda row: row["email"]):
            table.add_row(row["email"], row["reason"], row["addedToSuppressionDate"])
        self._console.print("", table)


_SHOWN = ("emailId", "retryAttempt", "status", "bounceType", "bounceSubType", "errorMessage", "toEmail")


def _statuses(asked: Sequence[Request], mails: Mapping[str, Mail]) -> Table:
    counts: dict[str, Counter[str]] = {}
    for each in asked:
        mail = mails.get(each["emailId"])
        counts.setdefault(each["metadata"]["campaignId"], Counter())[(mail and mail.status) or "missing"] += 1
    seen = {status for counter in counts.values() for status in counter}
    columns = sorted(seen, key=lambda status: -RANK.get(status, 0))
    table = Table(title="Statuses by campaign", title_justify="left", box=None, pad_edge=False)
    table.add_column("campaign")
    for status in columns:
        table.add_column(status, justify="right")
    for campaign, counter in counts.items():
        table.add_row(campaign, *(str(counter[status]) for status in columns))
    return table


def _batches(asked: Sequence[Request]) -> Iterator[Sequence[Request]]:
    return (asked[start : start + BATCH] for start in range(0, len(asked), BATCH))


def requests(emails: int, seed: int) -> list[Request]:
    """The details of the requests, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  a demo's recipients are no secrets
    return [_request(number, chance) for number in range(emails)]


def _request(number: int, chance: random.Random) -> Request:
    campaign, template, data = _CAMPAIGNS[number % len(_CAMPAIGNS)]
    simulated = number < len(_SIMULATED)
    to = (
        f"{_SIMULATED[number]}@simulator.amazonses.com"
        if simulated
        else f"person{number}@{chance.choice(_DOMAINS)}"
    )
    return {
        "emailId": f"demo-{number:05d}",
        "to": to,
        "templateName": template,
        "templateData": data(number),
        "metadata": {"campaignId": campaign, "segment": chance.choice(("new", "regular"))},
    }
