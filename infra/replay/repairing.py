"""Rows that say what is not in the log are replaced or deleted, unless they have changed since they were read."""

from rich.progress import Progress

from infra.replay.checking import Check, projected
from infra.replay.job import DEALT, Job
from infra.replay.newer import Newer
from infra.replay.replaying import chunks_of
from pipeline.engine import Engine

__all__ = ["repaired"]

CHUNK = 200


def repaired(engine: Engine, job: Job, counts: dict[str, dict[str, int]], progress: Progress) -> None:
    """Adds to the counts of each projection `repaired` and `changed`, which are those that are left alone."""
    newer = Newer(engine, job.log, job.source.bounds)
    for name in (name for name in DEALT if name in job.choice.only):
        table = projected(job)[name].table
        found = lost = 0
        for deviations in chunks_of(Check(job, name, newer).deviations(progress), CHUNK):
            found += len(deviations)
            lost += 0 if job.choice.dry else len(table.replace(deviations))
        counts[name] |= {"repaired": found - lost, "changed": lost}
