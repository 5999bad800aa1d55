"""What came of the requests: from the status rows, from the archive by DuckDB, from the suppression list."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from analytics.duckdb import connect, local_access, question
from infra.demo.campaigns import Request
from infra.demo.watch import Mails
from infra.local import LocalEngine
from pipeline import ids
from projections.rows import row_of
from projections.status import RANK

__all__ = ["Summary"]


class Summary:
    def __init__(self, engine: LocalEngine, console: Console) -> None:
        self._engine, self._console = engine, console

    def show(self, asked: Sequence[Request], mails: Mails) -> list[str]:
        """Returns the ids of requests that nothing is known of."""
        self._print("Statuses by campaign", _statuses(asked, mails))
        self._bounce_rate()
        self._soft_bounce(mails)
        self._suppressions()
        return [each["emailId"] for each in asked if each["emailId"] not in mails]

    def _bounce_rate(self) -> None:
        aws, bucket = self._engine.aws, self._engine.settings.archive_bucket_name
        archive = connect(f"s3://{bucket}", local_access(aws.endpoint, aws.region))
        days = question(archive, "bounce_rate", simulator=True)
        table = _table(("day", "accepted", "bounced", "rate"))
        for day in days:
            table.add_row(str(day["day"]), str(day["accepted"]), str(day["bounced"]), f"{day['rate']:.1%}")
        self._print("Bounce rate, computed by DuckDB from the archive in S3", table)

    def _soft_bounce(self, mails: Mails) -> None:
        first = next((mail for mail in mails.values() if mail.status == "soft_bounced"), None)
        if first is None:
            return
        columns = ("attempt", "emailId", "status", "bounceSubType", "toEmail")
        table = _table(columns)
        for attempt, email_id in enumerate((first.email_id, ids.retry_id(first.email_id, 1))):
            mail = mails[email_id]
            row = row_of(mail, self._engine.settings.retention) if mail.slots else {}
            table.add_row(str(attempt), *(str(row.get(name, "-")) for name in columns[1:]))
        self._print("A soft bounce and its retry", table)

    def _suppressions(self) -> None:
        table = _table(("email", "reason", "since"))
        for row in sorted(self._engine.suppression().all_suppressed(), key=lambda row: row["email"]):
            table.add_row(row["email"], row["reason"], row["addedToSuppressionDate"])
        self._print("Suppressed addresses", table)

    def _print(self, title: str, table: Table) -> None:
        self._console.print(f"\n[bold]{title}[/]")
        self._console.print(table)


def _statuses(asked: Sequence[Request], mails: Mails) -> Table:
    counts: dict[str, Counter[str]] = {}
    for each in asked:
        mail = mails.get(each["emailId"])
        status = (mail.status if mail else None) or "missing"
        counts.setdefault(each["metadata"]["campaignId"], Counter())[status] += 1
    seen = {status for counter in counts.values() for status in counter}
    columns = sorted(seen, key=lambda status: -RANK.get(status, 0))
    table = _table(("campaign", *columns), right=columns)
    for campaign, counter in counts.items():
        table.add_row(campaign, *(str(counter[status]) for status in columns))
    return table


def _table(columns: Sequence[str], right: Iterable[str] = ("accepted", "bounced", "rate")) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in set(right) else "left")
    return table
