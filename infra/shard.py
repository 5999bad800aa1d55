"""The process of one shard, which a MultiLangDaemon starts: python -m infra.shard CONSUMER.

Its settings come from the worker's environment. stdin and stdout are the daemon's protocol; whatever else
writes to stdout, in Python or in C, reaches stderr.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amazon_kclpy.kcl import KCLProcess
from botocore.config import Config

from consumers import pulse
from consumers.bootstrap import Consumers
from consumers.dynamodb import NotesTable
from consumers.kcl.daemon import STOPPING
from consumers.kcl.processor import ShardProcessor, Shift
from consumers.names import ConsumerName
from consumers.one_machine import Consumer
from infra.aws import client
from infra.worker import ENVIRONMENT
from pipeline import logs
from pipeline.settings import Settings

__all__ = ["main", "shift"]

SPARE_CONNECTIONS = 8  # of settling, feedback and checkpoints, beside those of the sending threads
BRIEF = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 2})


def shift(name: str, told: Mapping[str, Any]) -> tuple[Shift, Consumers]:
    """What the worker said, made into what a processor works with."""
    settings = Settings.from_mapping(told["settings"])
    brief = BRIEF.merge(Config(max_pool_connections=settings.sends_in_flight + SPARE_CONNECTIONS))

    def made(service: str, config: Config | None = None) -> Any:
        return client(service, config=brief.merge(config) if config else brief)

    consumers = Consumers(
        settings,
        made,
        metrics_to=lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
    )
    notes = NotesTable(made("dynamodb"), settings.reputation_table_name)
    return Shift(consumers.named(ConsumerName(name)), notes, Path(told["health"])), consumers


def main() -> None:
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logs.configure(sys.stderr)
    told = json.loads(os.environ[ENVIRONMENT])
    work, consumers = shift(sys.argv[1], told)
    _stops(work.consumer)
    processor = ShardProcessor(work)
    pulse.watch(told["hangSeconds"], processor.alive)
    KCLProcess(processor, sys.stdin, protocol, sys.stderr).run()
    consumers.tell_metrics()
    sys.stderr.flush()
    os._exit(0)  # threads that wait for a service must not keep the process


def _stops(consumer: Consumer) -> None:
    """The daemon asks for the end only between two calls; a call that waits for a service hears of it here."""
    for number in (STOPPING, signal.SIGTERM):
        signal.signal(number, lambda *_: consumer.stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
