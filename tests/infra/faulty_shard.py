"""The process of a shard with a fault in its handler, until it is mended.

python -m tests.infra.faulty_shard CONSUMER, with MENDED in the environment: the path of a file that isn't there yet.
With HURRIED a record kills twice before it is parked, not three times, and a death is believed sooner.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import infra.shard
from consumers import in_hand
from consumers.handler import Handler
from pipeline.log import Record

__all__ = ["FAULTS", "HURRIED", "MENDED"]

MENDED, HURRIED = "FAULTY_SHARD_MENDED", "FAULTY_SHARD_HURRIED"


def _raises() -> None:
    raise RuntimeError("a fault of the handler's")


def _hangs() -> None:
    time.sleep(1e6)


def _dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS = {"raises": _raises, "hangs": _hangs, "dies": _dies}


class Faulty(Handler):
    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def process(self, records: Sequence[Record]) -> None:
        for name, fault in FAULTS.items():
            marked = any(f'"emailId":"{name}'.encode() in record.data for record in records)
            if marked and not Path(os.environ[MENDED]).exists():
                fault()
        self._handler.process(records)

    def durable(self) -> int | None:
        return self._handler.durable()

    def settle(self, deadline: float) -> None:
        self._handler.settle(deadline)

    def drain(self, deadline: float) -> None:
        self._handler.drain(deadline)


def main() -> None:
    if HURRIED in os.environ:
        vars(in_hand).update(ATTEMPTS=2, STILL_SECONDS=5.0)
    made = infra.shard.shift

    def shift(name: str, told: Mapping[str, Any]) -> Any:
        work, consumers = made(name, told)
        if name == "sender-transactional":
            handler = work.consumer.handler
            faulty = replace(work.consumer, handler=lambda shard, after: Faulty(handler(shard, after)))
            work = replace(work, consumer=faulty)
        return work, consumers

    infra.shard.shift = shift
    infra.shard.main()


if __name__ == "__main__":
    main()
