"""SES takes nothing for a while, for a reason that isn't a mail's: the sender waits, and resumes by itself."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local import LocalEngine, LocalOptions
from tests import builders

MAILS = 5


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(LocalOptions(send_rate=1000, shards=1, duplicates=0)) as engine:
        yield engine


def account_paused(engine: LocalEngine, *, on: bool) -> None:
    engine.client("sesv2").put_account_sending_attributes(SendingEnabled=not on)


def set_paused(engine: LocalEngine, *, on: bool) -> None:
    name = engine.settings.configuration_set_name
    engine.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=name, SendingEnabled=not on
    )


def quota_used_up(engine: LocalEngine, *, on: bool) -> None:
    engine.aws.ses.account._quota.limit = 0.0 if on else 50_000.0


def ask(engine: LocalEngine, name: str) -> list[str]:
    """The ids of some mails that are asked for."""
    names = [f"{name}-{number}" for number in range(MAILS)]
    entries = [
        {
            "Source": "my.application",
            "DetailType": "Email Request",
            "EventBusName": engine.settings.event_bus_name,
            "Detail": json.dumps(builders.request(emailId=each, to=f"{number}@example.com")),
        }
        for number, each in enumerate(names)
    ]
    engine.client("events").put_events(Entries=entries)
    return names


def refused(engine: LocalEngine) -> int:
    counters = engine.aws.ses.counters
    return counters["paused"] + counters["over_quota"] + counters["refused"]


def until(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("hold", [account_paused, set_paused, quota_used_up])
def test_mails_wait_and_go_when_ses_takes_them_again(engine: LocalEngine, hold: Callable[..., None]) -> None:
    before, mails = refused(engine), len(engine.aws.ses.mails())
    hold(engine, on=True)
    names = ask(engine, hold.__name__)
    until(lambda: refused(engine) >= before + MAILS)
    assert len(engine.aws.ses.mails()) == mails
    hold(engine, on=False)
    until(lambda: len(engine.aws.ses.mails()) == mails + MAILS)
    rows = engine.tracking()
    until(lambda: len(rows.load(names)) == MAILS)
    assert {stored.state.status for stored in rows.load(names).values()} <= {"sent", "delivered"}
