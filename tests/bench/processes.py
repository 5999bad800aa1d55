"""An embedded AWS and senders in processes of their own, for measuring one without the other.

python -m tests.bench.processes aws RATE LATENCY SHARDS     prints the endpoint, then counters on every line of stdin
python -m tests.bench.processes sender ENDPOINT LANE SHARD  works for one shard until its stdin closes
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import boto3
from botocore.config import Config

from consumers.bootstrap import Consumers
from consumers.dynamodb import CheckpointTable
from consumers.one_machine import OneMachine, OneMachineHost
from consumers.s3 import TemplateFolder
from consumers.template_folders import starter_folders
from infra.embedded import EmbeddedAws
from infra.embedded.ses import SesConfig
from infra.stack import configuration, deploy
from pipeline.kinesis import KinesisLog
from pipeline.log import Log, Shard
from pipeline.settings import Settings
from pipeline.times import utc_now

STACK = "bench"


def client(endpoint: str, service: str, config: Config | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=config,
    )


class Child(AbstractContextManager["Child"]):
    """A process that answers a line with a line."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.processes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first = self._line()

    def ask(self, question: str = "") -> Any:
        assert self._process.stdin
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class OneShard:
    """The log, as a worker that was given one shard of it sees it."""

    def __init__(self, log: Log, shard: str) -> None:
        self._log, self._shard = log, shard
        self.append, self.reader, self.fetch = log.append, log.reader, log.fetch

    def shards(self) -> Sequence[Shard]:
        return [shard for shard in self._log.shards() if shard.id == self._shard]


def aws(rate: str, latency: str, shards: str) -> None:
    config = SesConfig(max_send_rate=float(rate), latency=float(latency), duplicates=0, daily_quota=-1)
    with EmbeddedAws(ses_config=config) as embedded:
        parameters = {
            "DefaultSenderEmail": "hello@bench.example",
            "EmailSenderConcurrency": rate,
            "ShardCount": shards,
            "SendsInFlight": "32",
            "DeletionProtection": "false",
        }
        outputs = deploy(embedded.client("cloudformation"), STACK, parameters)
        folder = TemplateFolder(embedded.client("s3"), outputs["TemplateBucketName"])
        for name, texts in starter_folders().items():
            folder.put(name, texts)
        print(embedded.endpoint, flush=True)  # noqa: T201
        for _ in sys.stdin:
            mails = embedded.ses.mails()
            told = {
                "counters": dict(embedded.ses.counters),
                "sent": [mail.time.timestamp() for mail in mails],
            }
            told["to"] = [mail.to[0] for mail in mails]
            print(json.dumps(told), flush=True)  # noqa: T201


def settings(endpoint: str) -> Settings:
    known = Settings.from_mapping(configuration(client(endpoint, "cloudformation"), STACK))
    return known.model_copy(update={"count_simulator_mails": True})


def sender(endpoint: str, lane: str, shard: str) -> None:
    def made(service: str, config: Config | None = None) -> Any:
        return client(endpoint, service, config)

    known = settings(endpoint)
    consumers = Consumers(known, made)
    checkpoints = CheckpointTable(made("dynamodb"), f"{STACK}-BenchCheckpoints")
    checkpoints.create()
    log = OneShard(KinesisLog(made("kinesis"), known.stream_name), shard)
    host = OneMachineHost(
        OneMachine(log, checkpoints, utc_now, idle=0.05),
        [consumers.sender("bulk" if lane == "bulk" else "transactional")],
    )
    host.start()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.read()
    host.stop()


if __name__ == "__main__":
    {"aws": aws, "sender": sender}[sys.argv[1]](*sys.argv[2:])
