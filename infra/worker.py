"""A consumer under the Kinesis Client Library: the daemon as a child, and what its shards' processes need to know."""

import json
import logging
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consumers.kcl.daemon import Daemon, installed
from consumers.kcl.health import stale
from consumers.kcl.properties import READS, Application
from consumers.names import ConsumerName
from infra.aws import client
from infra.leader_lock import release
from pipeline.settings import Settings

__all__ = [
    "ENVIRONMENT",
    "GRACE_SECONDS",
    "LEAST_HANG",
    "SILENT",
    "WorkerOptions",
    "daemon_of",
    "forgotten",
    "run",
]

ENVIRONMENT = "SESMAILENGINE_WORKER"  # JSON for a shard's process: settings, health, hangSeconds
GRACE_SECONDS = 24.0
LEAST_HANG = 3.0  # seconds; with less, every shard would seem to hang
SILENCE_SECONDS = 30.0  # beyond a hang, which ends the shard's process and with it the daemon
SILENT = 75  # the exit code of a worker whose daemon had forgotten a shard; to be started again

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Seconds: `failover` until a silent worker loses its shards, `hang` until a shard without a sign of life ends.

    `health`: the folder in which each shard's file is touched. `environment` adds to this process's own.
    `module` is what runs for a shard.
    """

    health: Path
    failover: float = 10.0
    hang: float = 120.0
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "infra.shard"


def daemon_of(consumer: ConsumerName, settings: Settings, region: str, options: WorkerOptions) -> Daemon:
    """Start it. Raises UserError where Java or the library is missing."""
    found = installed()
    options.health.mkdir(parents=True, exist_ok=True)
    for left_over in options.health.iterdir():
        left_over.unlink()
    told = {
        "settings": settings.model_dump(mode="json", by_alias=True),
        "health": str(options.health),
        "hangSeconds": options.hang,
    }
    environment = {**os.environ, **options.environment, ENVIRONMENT: json.dumps(told)}
    python = Path(sys.executable)
    # The daemon splits its command at blanks, which a folder's name may have: the command is found by PATH.
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    application = Application(
        name=f"{settings.stack_name}-{consumer}",
        stream=settings.stream_name,
        region=region,
        worker=f"{socket.gethostname()}-{uuid.uuid4()}",
        command=f"{python.name} -m {options.module} {consumer}",
        read_every=READS[consumer],
        retrieval=settings.retrieval_mode,
        failover=options.failover,
        endpoint=environment.get("AWS_ENDPOINT_URL"),
    )
    return Daemon(found, application, environment)


def forgotten(daemon: Daemon, options: WorkerOptions) -> bool:
    """Whether the daemon has a shard that it gives no records and no empty batches any more, as it should every second.

    The library renews the lease of such a shard for ever, so nobody else takes it: only a new daemon reads on.
    """
    found = stale(options.health, options.hang + SILENCE_SECONDS)
    if found:
        _log.error("%s: the daemon reads no more of %s", daemon.application.name, ", ".join(found))
    return bool(found)


def run(consumer: ConsumerName, settings: Settings, region: str, options: WorkerOptions) -> int:
    """Until the daemon ends by itself, whose exit code it returns, or a signal ends it: 0 once it has drained.

    A daemon that has forgotten a shard is drained as well: exit code SILENT.
    """
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    daemon = daemon_of(consumer, settings, region, options)
    while not asked.is_set():
        code = daemon.wait(0.2)
        if code is not None:
            release(client("dynamodb"), daemon.application)
            return code if code >= 0 else 128 - code
        if forgotten(daemon, options):
            daemon.stop(GRACE_SECONDS)
            release(client("dynamodb"), daemon.application)
            return SILENT
    daemon.stop(GRACE_SECONDS)
    return 0
