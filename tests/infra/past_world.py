"""A log in memory and an archive of it in a folder, written by the archiver: what had arrived by a moment is asked of both."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics.duckdb import opened
from consumers.archiver import Archiver
from infra.past import Archive, events
from pipeline.codec import Event, Unreadable, decode
from pipeline.engine import About
from pipeline.log import Record
from pipeline.memory import MemoryLog
from projections import suppression, tracking
from projections.suppression import History
from projections.tracking import Mail
from tests.consumers.fakes import MemoryArchive

__all__ = ["BEGIN", "PastWorld"]

BEGIN = datetime(2026, 11, 20, 10, tzinfo=UTC)


class PastWorld:
    """`now` is when the next records arrive; `pauses` are those between reads of the stream."""

    def __init__(self, folder: Path, shards: int = 2) -> None:
        self.folder, self.now = folder, BEGIN
        self.log = MemoryLog(shards, now=lambda: self.now)
        self.files = MemoryArchive()
        self.pauses: list[float] = []

    # ── What happens ──

    def come(self, *records: bytes, later: timedelta = timedelta(minutes=1)) -> datetime:
        """They arrive so much later than the last; returns when that is."""
        self.now += later
        for number, record in enumerate(records):
            self.log.append_bytes(record, f"{self.now} {number}")
        return self.now

    def archive(self, up_to: datetime | None = None) -> None:
        """The archiver writes what has come, a file for each shard that has something new."""
        for shard in self.log.shards():
            archiver = Archiver(self.files, shard.id, None, 0, lambda: 0.0)
            archiver.process([each for each in self._of(shard.id) if not up_to or each.arrival <= up_to])
            archiver.drain(1)

    def trim(self) -> None:
        """The stream keeps nothing of what it had."""
        closed = MemoryLog(len(self.log.shards()), now=lambda: self.now)
        self.log = closed

    # ── What is known of it ──

    def past(self, about: About, moment: datetime) -> list[Event]:
        for key, (body, _) in self.files.files.items():
            file = self.folder / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        archive = Archive(opened(), str(self.folder), list(self.files.files))
        return list(events(archive, self.log, about, moment, self.pauses.append))

    def mail(self, email_id: str, moment: datetime) -> Mail | None:
        return tracking.fold(self.past(About(email_id=email_id), moment)).get(email_id)

    def status(self, email_id: str, moment: datetime) -> str | None:
        mail = self.mail(email_id, moment)
        return mail.status if mail else None

    def histories(self, keys: Collection[str], moment: datetime) -> dict[str, History]:
        return suppression.fold(self.past(About(addresses=keys), moment))

    def reason(self, key: str, moment: datetime) -> str | None:
        """Why the address was suppressed; None if it wasn't."""
        history = self.histories({key}, moment).get(key)
        return history.suppression.reason if history and history.suppression else None

    # ── What it should be ──

    def arrivals(self) -> list[datetime]:
        return sorted({record.arrival for record in self._all()})

    def arrived(self, moment: datetime) -> list[Event]:
        return [event for record in self._all() if record.arrival <= moment for event in _read(record)]

    def _all(self) -> list[Record]:
        return [record for shard in self.log.shards() for record in self._of(shard.id)]

    def _of(self, shard: str) -> Sequence[Record]:
        return self.log.reader(shard, None).read(100_000).records


def _read(record: Record) -> list[Event]:
    try:
        return [decode(record.data)]
    except Unreadable:
        return []
