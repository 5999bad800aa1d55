"""Real daemons while everything happens that the library is there for: deaths, another worker, resharding.

Requests flow ─► a shard's process is killed ─► a daemon is killed ─► a second worker joins ─► split, merge
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumers.kcl.daemon import Daemon
from consumers.names import ConsumerName
from infra.kcl_host import KclHost
from infra.local import LocalEngine, LocalOptions
from pipeline import ids
from pipeline.codec import Logged, decode
from pipeline.log import Record, sequence_text
from pipeline.times import utc_now
from tests.infra.java import needs_java
from tests.infra.test_thousand_requests import Ran, good_request, publish
from tests.infra.timelines import timeline


@dataclass(frozen=True)
class Options(LocalOptions):
    """An open claim of a killed process is taken over while the test still runs, `grace` seconds after its time."""

    grace: int = 15

    def parameters(self) -> dict[str, str]:
        return super().parameters() | {"OpenClaimGraceSeconds": str(self.grace)}


def shards_of(daemon: Daemon) -> list[int]:
    """The processes of its shards, which are in its process group."""
    return [int(each.name) for each in Path("/proc").glob("[0-9]*") if _is_shard(each, daemon.pid)]


def _is_shard(process: Path, group: int) -> bool:
    try:
        ours = os.getpgid(int(process.name)) == group
        return ours and b"infra.shard" in (process / "cmdline").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False


def killed(process: int) -> bool:
    """False where it had ended before."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def until(done: Callable[[], Any], seconds: float = 120.0, why: Callable[[], str] = str) -> None:
    """`why` tells what is missing."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{done.__name__} did not come true {why()}"
        time.sleep(0.1)


class Chaos:
    def __init__(self, engine: LocalEngine, requests: int, rate: float) -> None:
        self.engine, self.requests, self.rate = engine, requests, rate
        self.looked = utc_now()
        self.flow = threading.Thread(target=self._flow, name="flow", daemon=True)

    def _flow(self) -> None:
        begun = time.monotonic()
        for start in range(0, self.requests, 10):
            publish(self.engine, [good_request(number) for number in range(start, start + 10)])
            time.sleep(max(0.0, begun + start / self.rate - time.monotonic()))

    def mails(self) -> Counter[str | None]:
        """How many SES took, by the id that they bear."""
        return Counter(ids.from_tag(mail.tags["emailId"]) for mail in self.engine.aws.ses.mails())

    @property
    def sent(self) -> int:
        return len(self.engine.aws.ses.mails())

    def reached(self, part: float) -> None:
        """Mails go on being sent after whatever was done to the engine."""

        def enough() -> bool:
            return self.sent >= part * self.requests

        until(enough)

    def kill_a_shard(self, daemon: Daemon) -> None:
        until(lambda: any(map(killed, shards_of(daemon))), 60.0)

    def reshard(self) -> None:
        """The first shard is split, the two others are merged."""
        kinesis, stream = self.engine.client("kinesis"), self.engine.settings.stream_name
        first, second, third = self.open_shards()
        middle = (
            int(first["HashKeyRange"]["StartingHashKey"]) + int(first["HashKeyRange"]["EndingHashKey"])
        ) // 2
        kinesis.split_shard(StreamName=stream, ShardToSplit=first["ShardId"], NewStartingHashKey=str(middle))
        kinesis.merge_shards(
            StreamName=stream, ShardToMerge=second["ShardId"], AdjacentShardToMerge=third["ShardId"]
        )

    def open_shards(self) -> list[Any]:
        shards = self.engine.client("kinesis").list_shards(StreamName=self.engine.settings.stream_name)[
            "Shards"
        ]
        return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def leases(self, consumer: str) -> dict[str, tuple[str, str]]:
        """Of each shard the checkpoint and the owner."""
        table = f"{self.engine.settings.stack_name}-{consumer}"
        rows = self.engine.client("dynamodb").scan(TableName=table)["Items"]
        return {
            row["leaseKey"]["S"]: (row["checkpoint"]["S"], row.get("leaseOwner", {}).get("S", ""))
            for row in rows
        }

    def settled(self) -> bool:
        self.looked = utc_now()
        return not self.unsettled()

    def unsettled(self) -> str:
        """What is missing until all was finished, every closed shard is done and every other one has an owner."""
        asked, pending = {f"mail-{number}" for number in range(self.requests)}, self.engine.aws.ses.pending()
        if pending or not asked <= self.mails().keys():
            return f"{len(asked - self.mails().keys())} mails, feedback of {pending}"
        alive = {shard["ShardId"] for shard in self.open_shards()}
        return ", ".join(
            f"{consumer} at {shard}: {checkpoint or 'no lease'} of {owner or 'nobody'}"
            for consumer in ConsumerName
            for shard, (checkpoint, owner) in (dict.fromkeys(alive, ("", "")) | self.leases(consumer)).items()
            if not (
                owner and self._is_read(shard, checkpoint) if shard in alive else checkpoint == "SHARD_END"
            )
        )

    def _is_read(self, shard: str, checkpoint: str) -> bool:
        after = int(checkpoint) if checkpoint.isdigit() else None
        return not self.engine.log.reader(shard, after).read(1).records

    def check(self) -> None:
        ran = Ran(self.engine, self.requests)
        twice = [key for key, count in self.mails().items() if key and count > 1]
        print(*(timeline(self.engine.aws, self.log(), key) for key in twice), sep="\n\n")  # noqa: T201
        assert twice == []
        outcomes = {f"mail-{number}": ran.rows.get(f"mail-{number}") for number in range(self.requests)}
        assert [key for key, row in outcomes.items() if row is None or row.status == "sent"] == []
        archived = Counter((shard, sequence) for shard, sequence, _ in ran.archived)
        assert set(archived.values()) == {1}
        assert archived.keys() <= ran.streamed.keys()
        assert self.due_in_the_archive() - archived.keys() == set()

    def due_in_the_archive(self) -> set[tuple[str, str]]:
        """All that came before the engine was found settled; a deferred request may have come since."""
        return {
            (record.shard, sequence_text(record.sequence))
            for record, _ in self.log()
            if record.arrival < self.looked
        }

    def log(self) -> Iterator[tuple[Record, Logged]]:
        for shard in self.engine.log.shards():
            reader = self.engine.log.reader(shard.id, None)
            while records := reader.read().records:
                yield from ((record, decode(record.data)) for record in records)


def gone_through(requests: int, rate: float, seed: int, grace: int, opening: ExitStack) -> None:
    options = Options(
        shards=3,
        retry_delay=1,
        archive_flush=2,
        send_rate=1000,
        duplicates=0.05,
        seed=seed,
        host="kcl",
        grace=grace,
    )
    engine = opening.enter_context(LocalEngine(options))
    chaos = Chaos(engine, requests, rate)
    host = engine._host
    assert isinstance(host, KclHost)
    chaos.flow.start()
    chaos.reached(0.1)
    for consumer in (ConsumerName.SENDER_TRANSACTIONAL, ConsumerName.PROJECTOR, ConsumerName.ARCHIVER):
        chaos.kill_a_shard(host.daemons[consumer])
    chaos.reached(0.4)
    until(lambda: killed(host.daemons[list(ConsumerName)[seed % 2 * 2]].pid))
    chaos.reached(0.6)
    second = engine._kcl_host(opening)
    second.start()
    opening.callback(second.stop)
    chaos.reshard()
    chaos.flow.join()
    until(chaos.settled, 300.0, chaos.unsettled)
    second.stop()
    engine.drain()
    chaos.check()


@needs_java
@pytest.mark.timeout(600)
def test_deaths_another_worker_and_resharding_lose_nothing_and_repeat_no_mail() -> None:
    with ExitStack() as opening:
        gone_through(150, 30.0, 0, 5, opening)


@needs_java
@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_soak_two_thousand_requests_at_a_hundred_a_second(seed: int) -> None:
    """The machine is overloaded then, and hears of a mail late."""
    with ExitStack() as opening:
        gone_through(2000, 100.0, seed, 40, opening)
