"""The senders as a process of their own, which dies at a step: one of its ports kills it, as nothing can be caught.

python -m tests.infra.sender_process '{"endpoint": …, "stack": …, "step": "before SES", "count": 3}'
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import boto3

from consumers.bootstrap import Consumers
from consumers.clerk import ClerkRules
from consumers.dynamodb import CheckpointTable
from consumers.mail import Mailer
from consumers.one_machine import OneMachine, OneMachineHost
from infra.stack import configuration
from pipeline.logs import configure
from pipeline.settings import Settings
from pipeline.times import utc_now

CHECKPOINTS = "sender-checkpoints"


@dataclass(frozen=True)
class Plan:
    """Where the engine is, how long a claim allows calling SES, and at which step the process dies, if at any."""

    endpoint: str
    stack: str
    hold: float
    call_timeout: float
    step: str = ""
    count: int = 1


class Life:
    """Ends when a step is reached for the so-manieth time."""

    def __init__(self, step: str, count: int) -> None:
        self._step, self._left = step, count
        self._lock = threading.Lock()

    def step(self, name: str) -> None:
        with self._lock:
            if name == self._step:
                self._left -= 1
                if not self._left:
                    os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A port of which some methods are steps of a life, by their names."""

    def __init__(self, life: Life, port: Any, **steps: str) -> None:
        self._life, self._port, self._steps = life, port, steps

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return self._lived(self._steps[name], method) if name in self._steps else method

    def _lived(self, step: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def lived(*args: Any, **kwargs: Any) -> Any:
            self._life.step(f"before {step}")
            result = method(*args, **kwargs)
            self._life.step(f"after {step}")
            return result

        return lived


class MortalConsumers(Consumers):
    def __init__(self, plan: Plan, settings: Settings, client: Any) -> None:
        super().__init__(settings, client, metrics_to=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
        self._plan, self.life = plan, Life(plan.step, plan.count)
        self._wrap("_ledger", claim="claim", replace="replace", close="close", release="release")
        self._wrap("_delays", defer="defer")
        self._wrap("log", append="append")

    def _wrap(self, name: str, **steps: str) -> None:
        setattr(self, name, Mortal(self.life, getattr(self, name), **steps))

    def _rules(self) -> ClerkRules:
        return replace(super()._rules(), hold=self._plan.hold, call_timeout=self._plan.call_timeout)

    def _mailer(self) -> Mailer:
        mailer: Any = Mortal(self.life, super()._mailer(), send="SES")
        return mailer  # type: ignore[no-any-return]


def client_of(endpoint: str) -> Callable[..., Any]:
    session = boto3.Session("key", "secret", region_name="us-east-1")

    def client(service: str, config: Any = None) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]

    return client


def main() -> None:
    configure()
    plan = Plan(**json.loads(sys.argv[1]))
    client = client_of(plan.endpoint)
    settings = Settings.from_mapping(configuration(client("cloudformation"), plan.stack))
    consumers = MortalConsumers(plan, settings, client)
    table: Any = CheckpointTable(client("dynamodb"), CHECKPOINTS)
    checkpoints: Any = Mortal(consumers.life, table, write="checkpoint")
    machine = OneMachine(consumers.log, checkpoints, utc_now, idle=0.05)
    host = OneMachineHost(machine, [consumers.sender("transactional"), consumers.sender("bulk")])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    host.start()
    stop.wait()
    host.stop()
    consumers.tell_metrics()


if __name__ == "__main__":
    main()
