"""Puts the requests on the bus, and follows them until nothing more can come."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.demo.campaigns import Request
from infra.local import LocalEngine
from pipeline import ids
from pipeline.events import EMAIL_REQUEST
from projections.tracking import Mail

__all__ = ["Mails", "Watch"]

BATCH = 10  # as many as PutEvents takes
CALM = 3  # looks in a row that found nothing moving

Mails = Mapping[str, Mail]


class Watch:
    def __init__(self, engine: LocalEngine, console: Console) -> None:
        self._engine, self._console = engine, console

    def through(self, asked: Sequence[Request], patience: float) -> Mails:
        """The mails as they stand at the end, with the retries of those that bounced softly."""
        columns = TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console) as progress:
            requested, sent, settled = (
                progress.add_task(name, total=len(asked)) for name in ("requested", "sent", "settled")
            )
            for start in range(0, len(asked), BATCH):
                self._publish(asked[start : start + BATCH])
                progress.update(requested, completed=start + len(asked[start : start + BATCH]))
            mails: Mails = {}
            for mails in self._until_settled([each["emailId"] for each in asked], patience):
                own = [mails[each["emailId"]] for each in asked if each["emailId"] in mails]
                progress.update(sent, completed=sum(mail.outcome is not None for mail in own))
                progress.update(settled, completed=sum(map(_is_settled, own)))
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
        answer = self._engine.client("events").put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer

    def _until_settled(self, email_ids: Sequence[str], patience: float) -> Iterator[Mails]:
        deadline, calm = time.monotonic() + patience, 0
        while calm < CALM and time.monotonic() < deadline:
            time.sleep(0.3)
            mails = self._mails(email_ids)
            settled = len(mails) >= len(email_ids) and all(map(_is_settled, mails.values()))
            calm = calm + 1 if settled and self._engine.settled() else 0
            yield mails

    def _mails(self, email_ids: Sequence[str]) -> Mails:
        rows = self._engine.tracking()
        mails = {key: stored.state for key, stored in rows.load(email_ids).items()}
        retries = [ids.retry_id(mail.email_id, 1) for mail in mails.values() if "soft_bounced" in mail.slots]
        retried = {key: stored.state for key, stored in rows.load(retries).items()}
        return mails | {retry: retried.get(retry, Mail(retry)) for retry in retries}


def _is_settled(mail: Mail) -> bool:
    return mail.outcome is not None and mail.status != "sent"
