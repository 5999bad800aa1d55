"""The projections folded over an archive by DuckDB, in bounded memory, on the disk of a work folder.

Events are dealt out once, by what they are folded by (mail, address, minute), into partitions; each partition
is then folded alone. What was dealt stays dealt: who was interrupted goes on with the partition he was at.

    folding = Folding(connect(archive), work, partitions=64)
    folding.deal("mails")
    for partition in range(folding.partitions):
        for batch in folding.rows("mails", partition): ...
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.errors import UserError
from projections.reputation import Minute, Tally
from projections.suppression import Cause, History

__all__ = ["Connection", "Folding", "Projection", "history_of", "mail_row", "tally_of"]

Row = Mapping[str, Any]
Projection = Literal["mails", "suppression", "reputation"]

DEALT_BY: Mapping[Projection, str] = {"mails": "mail", "suppression": "address", "reputation": "minute"}
ROWS = 10_000  # a batch


class Connection(Protocol):
    """What is needed of DuckDB's."""

    def execute(self, query: str, parameters: Any = None) -> Any: ...


class Folding:
    """`connection` has a view `events` with the columns of the archive. One thread at a time.

    Until it is asked for a partition, the views `mails`, `suppression` and `reputation` fold all events at once.
    A work folder belongs to one set of events and one number of partitions; of another number, what was dealt is
    refused (UserError).
    """

    def __init__(self, connection: Connection, work: Path, partitions: int) -> None:
        self._connection, self._work, self.partitions = connection, work, partitions
        work.mkdir(parents=True, exist_ok=True)
        for projection in DEALT_BY:
            self._run(projection + "_told")
            self._look_at(projection, projection + "_told")
            self._run(projection)

    def deal(self, projection: Projection) -> int:
        """Deal the events out, unless they are; returns how many facts about mails (…) they hold.

        A fact about several addresses counts for each. What an interruption left of dealing is thrown away.
        """
        dealt = self._work / f"{projection}.json"
        if dealt.exists():
            return self._known(dealt)
        folder = self._work / projection
        shutil.rmtree(folder, ignore_errors=True)
        (facts,) = self._connection.execute(
            f"COPY (SELECT *, hash({DEALT_BY[projection]}) % {self.partitions} AS partition FROM {projection}_told) "  # noqa: S608  all ours
            f"TO {_quoted(folder)} (FORMAT parquet, PARTITION_BY (partition), COMPRESSION lz4_raw)"
        ).fetchone()
        dealt.write_text(json.dumps({"facts": facts, "partitions": self.partitions}), encoding="utf-8")
        return int(facts)

    def rows(self, projection: Projection, partition: int) -> Iterator[Any]:
        """Arrow record batches with the rows of the view of that name; read them before you ask for others."""
        folder = self._work / projection / f"partition={partition}"
        if not any(folder.glob("*.parquet")):
            return
        self._look_at(projection, f"read_parquet({_quoted(folder / '*.parquet')}, hive_partitioning = false)")
        yield from self._connection.execute(f"FROM {projection}").to_arrow_reader(ROWS)

    def mails(self, partition: int) -> Iterator[Row]:
        return map(mail_row, self._dicts("mails", partition))

    def histories(self, partition: int) -> Iterator[History]:
        return map(history_of, self._dicts("suppression", partition))

    def tallies(self, partition: int, *, with_simulator: bool = False) -> Iterator[tuple[Minute, Tally]]:
        self._connection.execute(f"SET VARIABLE with_simulator = {with_simulator}")
        return map(tally_of, self._dicts("reputation", partition))

    def _dicts(self, projection: Projection, partition: int) -> Iterator[Row]:
        for batch in self.rows(projection, partition):
            yield from batch.to_pylist()

    def _known(self, dealt: Path) -> int:
        told = json.loads(dealt.read_text(encoding="utf-8"))
        if told["partitions"] != self.partitions:
            raise UserError(
                f"{dealt.parent} was dealt into {told['partitions']} partitions, not {self.partitions}: "
                "go on with as many, or name another folder"
            )
        return int(told["facts"])

    def _look_at(self, projection: Projection, source: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE VIEW {projection}_dealt AS FROM {source}")

    def _run(self, name: str) -> None:
        self._connection.execute(
            files("projections").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
        )


def mail_row(row: Row) -> Row:
    """A row of `mails` as the tracking table has it, but for `done`, `ttl` and `version`."""
    known = {name: value for name, value in row.items() if value is not None}
    return known | {name: json.loads(known[name]) for name in ("metadata", "unknownFields") if name in known}


def history_of(row: Row) -> History:
    causes = frozenset(Cause(**cause) for cause in row["causes"])
    soft, arrived = (
        frozenset((each["time"], each["id"]) for each in row[name]) for name in ("soft", "arrived")
    )
    return History(row["address"], row["released"], causes, soft, arrived)


def tally_of(row: Row) -> tuple[Minute, Tally]:
    return Minute(row["day"], row["minute"]), Tally(frozenset(row["accepted"]), frozenset(row["bounced"]))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
