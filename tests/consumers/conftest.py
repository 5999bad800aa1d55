import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from infra.stack import configuration, deploy
from pipeline.memory import Crash
from pipeline.settings import Settings
from tests.consumers.office import Office

STACK = "engine"
PARAMETERS = {"DefaultSenderEmail": "a@b.example", "DeletionProtection": "false"}


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack, as it stands in the embedded AWS."""

    client: Callable[..., Any]
    settings: Settings


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with EmbeddedAws() as aws:
        cloudformation = aws.client("cloudformation")
        deploy(cloudformation, STACK, PARAMETERS)
        yield Deployed(aws.client, Settings.from_mapping(configuration(cloudformation, STACK)))


@pytest.fixture(autouse=True)
def _crashed_threads_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not Crash:
            told(args)

    monkeypatch.setattr(threading, "excepthook", hook)


@pytest.fixture
def office() -> Iterator[Office]:
    """A place where mail is sent, over parts in memory."""
    office = Office()
    yield office
    office.close()
