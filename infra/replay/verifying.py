"""What `verify` finds: differences between the tables and the log, and mails without an outcome."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.progress import Progress

from analytics.duckdb import S3Access, rows
from infra.replay.checking import Check
from infra.replay.job import DEALT, Choice, Job
from infra.replay.newer import Newer
from infra.replay.work import Work
from pipeline import times
from pipeline.engine import Engine
from projections.checking import ABSENT, Difference
from projections.tracking import Mail

__all__ = ["Found", "verified"]

SES_TRIES = timedelta(hours=14)
"""How long SES tries to deliver a mail at most: https://docs.aws.amazon.com/ses/latest/dg/faqs-metrics.html"""


@dataclass
class Found:
    """`compared`: rows by table. `silent`: mails that SES took, `unanswered`: requests, each with its time."""

    compared: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "differences": [_told(each) for each in self.differences],
            "withoutFeedback": [{"emailId": key, "sentAt": time} for key, time in self.silent.items()],
            "withoutOutcome": [{"emailId": key, "askedAt": time} for key, time in self.unanswered.items()],
        }

    def lines(self) -> Iterator[str]:
        yield from map(str, self.differences)
        for key, time in self.unanswered.items():
            yield f"{key}: asked for at {time}, and neither sent nor refused"
        for key, time in self.silent.items():
            yield f"{key}: handed to SES at {time}, and nothing was heard of it since"
        compared = ", ".join(f"{count:,} of {name}" for name, count in self.compared.items())
        if self.differences:
            yield f"{len(self.differences):,} differences; compared were {compared}"
        else:
            yield f"the tables say what the log says; compared were {compared}"


def verified(engine: Engine, folder: Path, s3: S3Access, sample: int | None, progress: Progress) -> Found:
    """Raises UserError where the log can't be read, or the projector stands still."""
    choice = Choice(tuple(DEALT))
    work = Work(folder, {"began": times.text(times.utc_now())})
    try:
        job = Job(engine, choice, work, s3)
        newer, found = Newer(engine, job.log, job.source.bounds), Found()
        late = times.text(job.rules.now - SES_TRIES)

        def look(state: Any) -> None:
            if isinstance(state, Mail) and state.status == "sent" and state.timestamp < late:
                found.silent[state.email_id] = state.timestamp

        for name in DEALT:
            check = Check(job, name, newer, sample)
            for deviation in check.deviations(progress, look):
                found.differences += deviation.differences
            found.compared[name] = check.counts["compared"]
        found.unanswered = _unanswered(engine, job)
    finally:
        work.remove()
    return found


def _unanswered(engine: Engine, job: Job) -> dict[str, str]:
    """A request may wait for its age, and then as long as a mail."""
    age = timedelta(hours=engine.settings.max_request_age_hours)
    job.connection.execute("SET VARIABLE before = $before", {"before": job.rules.now - age - SES_TRIES})
    return {row["email_id"]: times.text(row["asked"]) for row in rows(job.connection, "unanswered")}


def _told(difference: Difference) -> dict[str, Any]:
    return {
        "table": difference.table,
        "key": difference.key,
        "field": difference.field,
        "expected": _plain(difference.expected),
        "found": _plain(difference.found),
    }


def _plain(value: Any) -> Any:
    """As JSON can say it."""
    if value is ABSENT:
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | set | frozenset):
        return [_plain(each) for each in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value
