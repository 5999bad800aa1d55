"""All consumers of an engine under real daemons on this machine: a daemon that ends by itself is started again."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from consumers.kcl.daemon import Daemon
from consumers.names import ConsumerName
from infra.leader_lock import release
from infra.worker import GRACE_SECONDS, WorkerOptions, daemon_of, forgotten
from pipeline.errors import Unavailable
from pipeline.log import Log
from pipeline.settings import Settings

__all__ = ["KclHost"]

LOOK_SECONDS = 0.2
BACKOFF, LONGEST_BACKOFF = 0.5, 10.0

_log = logging.getLogger(__name__)


class KclHost:
    """`client` makes clients of the AWS in which the lease tables lie."""

    def __init__(
        self, settings: Settings, log: Log, client: Callable[[str], Any], region: str, options: WorkerOptions
    ) -> None:
        self._settings, self._log, self._region, self._options = settings, log, region, options
        self._dynamodb = client("dynamodb")
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(name,), name=f"daemon {name}", daemon=True)
            for name in ConsumerName
        ]
        self.daemons: dict[ConsumerName, Daemon] = {}

    def start(self) -> None:
        """Raises UserError where Java or the library is missing."""
        for name in ConsumerName:
            self.daemons[name] = self._started(name)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Drain every consumer within the grace."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for daemon in self.daemons.values():
            daemon.ask_to_stop()
        deadline = time.monotonic() + GRACE_SECONDS
        for daemon in self.daemons.values():
            daemon.stop(max(0.0, deadline - time.monotonic()))

    def caught_up(self) -> bool:
        """Whether every consumer has read every shard to its last record."""
        try:
            shards = [shard.id for shard in self._log.shards()]
            return all(self._is_read(name, shard) for name in ConsumerName for shard in shards)
        except Unavailable:
            return False

    def _started(self, name: ConsumerName) -> Daemon:
        return daemon_of(name, self._settings, self._region, self._options_of(name))

    def _keep(self, name: ConsumerName) -> None:
        """One that ends soon after its start, again and again, is waited with for longer and longer."""
        backoff, begun = BACKOFF, time.monotonic()
        while not self._stopping.wait(LOOK_SECONDS):
            code = self._ended(name)
            if code is not None:
                lived = time.monotonic() - begun
                backoff = BACKOFF if lived > LONGEST_BACKOFF else min(2 * backoff, LONGEST_BACKOFF)
                _log.warning("the daemon of %s ended with %s and is started again", name, code)
                release(self._dynamodb, self.daemons[name].application)
                self._stopping.wait(backoff)
                self.daemons[name], begun = self._started(name), time.monotonic()

    def _ended(self, name: ConsumerName) -> int | None:
        """The exit code of a daemon that has ended, or is ended here since it has forgotten a shard."""
        daemon = self.daemons[name]
        code = daemon.wait(0.0)
        if code is None and forgotten(daemon, self._options_of(name)):
            return daemon.stop(GRACE_SECONDS)
        return code

    def _options_of(self, name: ConsumerName) -> WorkerOptions:
        return replace(self._options, health=self._options.health / name)

    def _is_read(self, name: ConsumerName, shard: str) -> bool:
        """As the shard's process says; it says nothing any more once the shard has ended."""
        try:
            given = (self._options.health / name / shard).read_text()
        except FileNotFoundError:
            return self._has_ended(name, shard)
        batch = self._log.reader(shard, int(given) if given else None).read(1)
        return not batch.records and (batch.behind_ms == 0 or batch.closed)

    def _has_ended(self, name: ConsumerName, shard: str) -> bool:
        key = {"leaseKey": {"S": shard}}
        try:
            found = self._dynamodb.get_item(TableName=f"{self._settings.stack_name}-{name}", Key=key)
        except self._dynamodb.exceptions.ResourceNotFoundException:
            return False
        return bool(found.get("Item", {}).get("checkpoint", {}).get("S") == "SHARD_END")
