"""How many archived events a second DuckDB folds into complete rows on two cores, and in how much memory."""

import resource
import time
from itertools import islice
from pathlib import Path

import pytest

from analytics.duckdb import connect
from analytics.folding import Folding
from pipeline.archived import event_of
from projections import tracking
from tests.bench.archive import write_archive

EVENTS_A_PARTITION = 1_000_000
COMPARED = 20_000  # events, by the Python fold


@pytest.mark.bench
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("mails", [300_000, 3_000_000, 9_000_000])
def test_the_archive_is_folded_to_rows(tmp_path: Path, mails: int) -> None:
    """The larger ones need some gigabytes of disk. Peak memory is that of the process, so run one at a time."""
    archive = tmp_path / "archive"
    events = write_archive(archive, mails)
    connection = connect(str(archive))
    connection.execute("SET threads = 2; SET memory_limit = '3GB'; SET preserve_insertion_order = false")
    begun = time.perf_counter()
    folding = Folding(connection, tmp_path / "work", 1 + events // EVENTS_A_PARTITION)
    folding.deal("mails")
    dealt = time.perf_counter() - begun
    rows = sum(
        batch.num_rows for number in range(folding.partitions) for batch in folding.rows("mails", number)
    )
    seconds = time.perf_counter() - begun
    assert rows == mails
    rate, memory = events / seconds / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(  # noqa: T201
        f"\n{events:,} events to {mails:,} rows in {seconds:.1f} s ({dealt:.1f} of them dealing): {rate:.2f} million a "
        f"second, {memory:.1f} GB at most; {rate * 1e6 * python_fold(archive):.0f} times the Python fold"
    )


def python_fold(archive: Path) -> float:
    """Seconds an event."""
    found = connect(str(archive)).execute("FROM events").to_arrow_reader(COMPARED)
    some = list(islice((row for batch in found for row in batch.to_pylist()), COMPARED))
    begun = time.perf_counter()
    tracking.fold(map(event_of, some))
    return (time.perf_counter() - begun) / len(some)
