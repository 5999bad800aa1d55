"""Records through the daemon's protocol into the projector with stores in memory, and what of it the protocol takes."""

import base64
import itertools
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from consumers.handler import Handler
from consumers.patience import Patience
from consumers.projector import Aftermath, Projector
from consumers.runner import Runner
from pipeline import times
from pipeline.codec import Event
from pipeline.log import Record
from projections.reputation import Minute, Tally, fold, join
from projections.store import MemoryStore
from tests.bench.backlog import Arriving, arriving
from tests.consumers.fakes import FakeParking
from tests.consumers.kcl.test_processor import SHARD, Place

MAILS, ROUNDS, BATCH = 3000, 5, 1000
SHARD_BYTES = 2_000_000


class Silent:
    def publish(self, envelopes: Sequence[object]) -> None: ...

    def defer(self, due: Sequence[object], seconds: int) -> None: ...


class Reputation:
    def __init__(self) -> None:
        self._minutes: dict[Minute, Tally] = {}

    def add(self, events: Sequence[Event]) -> None:
        for minute, said in fold(events).items():
            self._minutes[minute] = join(self._minutes.get(minute, said), said)


def projector() -> Handler:
    aftermath = Aftermath(Silent(), Silent(), (), 900)
    return Projector(MemoryStore(), MemoryStore(), aftermath, Reputation(), MemoryStore())


def through_the_protocol(records: Sequence[Record], health: Path) -> float:
    """Seconds of processor time; the daemon's lines are made before."""
    process = Place(health).start(projector(), seconds=2.0)
    batches = [list(map(_as_told, records[start : start + BATCH])) for start in range(0, len(records), BATCH)]
    begun = time.process_time()
    for batch in batches:
        process.tell("processRecords", records=batch, millisBehindLatest=0)
    return time.process_time() - begun


def directly(records: Sequence[Record]) -> float:
    parking = FakeParking()
    runner = Runner("bench", projector(), parking, Patience("bench", threading.Event()))
    begun = time.process_time()
    for start in range(0, len(records), BATCH):
        runner.process(records[start : start + BATCH])
    assert parking.parked == []
    return time.process_time() - begun


def _as_told(record: Record) -> dict[str, object]:
    return {
        "action": "record",
        "data": base64.b64encode(record.data).decode(),
        "partitionKey": record.partition_key,
        "sequenceNumber": str(record.sequence),
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": round(record.arrival.timestamp() * 1000),
    }


def _record(number: int, event: Arriving) -> Record:
    data = event.envelope.to_bytes()
    return Record(data, event.envelope.id, SHARD, number, times.parse(event.envelope.time))


@pytest.mark.bench
@pytest.mark.timeout(300)
def test_a_shard_at_its_read_limit(tmp_path: Path) -> None:
    records = list(itertools.starmap(_record, enumerate(arriving(MAILS), start=1)))
    size = sum(len(record.data) for record in records)
    rounds = [(through_the_protocol(records, tmp_path), directly(records)) for _ in range(ROUNDS)]
    whole = median(protocol for protocol, _ in rounds)
    share = median(1 - direct / protocol for protocol, direct in rounds)
    print(  # noqa: T201
        f"\n{len(records)} records, {size / len(records):.0f} bytes each, through the protocol into the projector in memory:"
        f" {size / whole / 1e6:.1f} MB/s of one processor ({size / whole / SHARD_BYTES:.1f} x a shard's read limit),"
        f" {share:.0%} of it the protocol's (reading, decoding, and the lines' making in the bench)"
    )
