"""The projector that drains a backlog, beside the obvious: one conditional `UpdateItem` an event.

Both read the same records from a stream of their own with the same reader, and announce nothing. The projector
also keeps suppressions and the bounce rate. Processor time is that of this process: AWS is another one.
Live: no batch has two events of one mail. Write units are those of the tables, without their indexes.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median
from threading import Event
from typing import Any, NamedTuple

import pytest
from botocore.config import Config

from consumers.bootstrap import Consumers
from consumers.handler import Handler
from consumers.parking import Parks
from consumers.patience import Patience
from consumers.runner import Runner
from infra.stack import configuration, deploy
from pipeline.kinesis import KinesisLog
from pipeline.settings import Settings
from tests.bench.backlog import Arriving, arriving, stages
from tests.bench.baseline import Baseline
from tests.bench.processes import Child, client

MAILS, ROUNDS = 1000, 4  # the first round warms up
SHARD_BYTES = 2_000_000  # a second, read


class Measured(NamedTuple):
    """Of one event: processor time and time, in seconds."""

    processor: float
    wall: float


class Bench:
    """An engine of its own, and what is written into its tables."""

    def __init__(self, endpoint: str, stack: str) -> None:
        self.writes: Counter[str] = Counter()
        cloudformation = client(endpoint, "cloudformation")
        parameters = {"DefaultSenderEmail": "a@b.example", "DeletionProtection": "false", "ShardCount": "1"}
        deploy(cloudformation, stack, parameters)
        settings = Settings.from_mapping(configuration(cloudformation, stack))
        self.settings = settings.model_copy(update={"notify_statuses": ()})
        self.endpoint = endpoint
        self.log = KinesisLog(self.client("kinesis"), settings.stream_name)
        self.consumer = Consumers(self.settings, self.client).projector()

    def client(self, service: str, config: Config | None = None) -> Any:
        made = client(self.endpoint, service, config)
        if service == "dynamodb":
            made.meta.events.register("provide-client-params.dynamodb", self._count)
        return made

    def units(self) -> float:
        """Write units: for each write of a row as many as the largest row of its table has kilobytes."""
        units = 0
        for table, writes in self.writes.items():
            rows = self.client("dynamodb").scan(TableName=table)["Items"]
            units += writes * max(math.ceil(len(json.dumps(row, default=str)) / 1024) for row in rows)
        return units

    def _count(self, params: Any, model: Any, **_: Any) -> None:
        match model.name:
            case "UpdateItem":
                self.writes[params["TableName"]] += 1
            case "TransactWriteItems":
                for each in params["TransactItems"]:
                    self.writes[next(iter(each.values()))["TableName"]] += 2
            case "BatchExecuteStatement":
                self.writes.update(each["Statement"].split('"')[1] for each in params["Statements"])

    def projector(self) -> Handler:
        return self.consumer.handler("", None)

    def baseline(self) -> Handler:
        table, retention = self.settings.tracking_table_name, self.settings.retention
        return Baseline(self.client("dynamodb"), table, retention, lambda _: None, ())

    def drained(self, handler: Handler, backlogs: Sequence[Sequence[Arriving]]) -> Measured:
        """One backlog after the other."""
        runner = Runner("bench", handler, self._parking(), Patience("bench", Event()))
        reader = self.log.reader(self.log.shards()[0].id, None)
        count, processor, wall = 0, 0.0, 0.0
        for backlog in backlogs:
            self.log.append([event.envelope for event in backlog])
            begun, used = time.perf_counter(), time.process_time()
            while records := reader.read().records:
                runner.process(records)
                count += len(records)
            processor += time.process_time() - used
            wall += time.perf_counter() - begun
        return Measured(processor / count, wall / count)

    def _parking(self) -> Parks:
        return self.consumer.parking


@pytest.mark.bench
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["backlog", "live"])
def test_projector_beside_one_update_an_event(case: str) -> None:
    events = arriving(MAILS)
    backlogs = [events] if case == "backlog" else stages(events)
    size = sum(len(event.envelope.to_bytes()) for event in events) / len(events)
    rounds: list[tuple[Measured, Measured]] = []
    with Child("aws", "14", "0", "1") as aws:
        for number in range(ROUNDS):
            ours, theirs = Bench(aws.first, f"ours{number}"), Bench(aws.first, f"theirs{number}")
            rounds.append(
                (ours.drained(ours.projector(), backlogs), theirs.drained(theirs.baseline(), backlogs))
            )
        units, plain_units = ours.units() / MAILS, theirs.units() / MAILS
    warm = rounds[1:]
    projector = Measured(*(median(ours[part] for ours, _ in warm) for part in (0, 1)))
    print(  # noqa: T201
        f"\n{case}, {len(events)} events of {MAILS} mails, {size:.0f} bytes each:"
        f" processor time 1/{median(theirs.processor / ours.processor for ours, theirs in warm):.2f} of the baseline's,"
        f" {median(theirs.wall / ours.wall for ours, theirs in warm):.1f} x its events a second;"
        f" {projector.processor * 1000:.3f} ms and {1 / projector.wall:.0f} events a second."
        f" At most {units:.1f} write units a mail, {plain_units:.1f} the baseline."
        f" A shard that is read at 2 MB/s has {SHARD_BYTES / size:.0f} events a second:"
        f" {SHARD_BYTES / size * projector.processor:.2f} processors."
    )
