"""How long a password reset waits behind a newsletter, and how long a request takes to reach SES at all."""

import json
import time
from statistics import median, quantiles
from typing import Any

import pytest

from infra.local import LocalEngine, LocalOptions
from pipeline import ids

NEWSLETTERS = 50_000
RATE = 14


def ask(engine: LocalEngine, details: list[dict[str, Any]]) -> None:
    entries = [
        {
            "Source": "my.application",
            "DetailType": "Email Request",
            "EventBusName": engine.settings.event_bus_name,
            "Detail": json.dumps(detail),
        }
        for detail in details
    ]
    assert engine.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0


def newsletter(number: int) -> dict[str, Any]:
    """As the integration guide's batch sending has it."""
    return {
        "to": f"user{number}@example.com",
        "templateName": "newsletter",
        "templateData": {"userName": f"User {number}"},
        "metadata": {"campaign": "december-newsletter"},
    }


def reset(number: int) -> dict[str, Any]:
    return {
        "emailId": f"reset-{number}",
        "to": "ana@example.com",
        "templateName": "password-reset",
        "templateData": {"userName": "Ana", "resetLink": "https://example.com/reset"},
    }


def sent_at(engine: LocalEngine, email_id: str) -> float:
    while True:
        for mail in reversed(engine.aws.ses.mails()):
            if ids.from_tag(mail.tags["emailId"]) == email_id:
                return mail.time.timestamp()
        time.sleep(0.01)


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_a_password_reset_behind_50000_newsletters() -> None:
    waits = []
    with LocalEngine(LocalOptions(send_rate=RATE, archive_flush=60)) as engine:
        begun = time.monotonic()
        for start in range(0, NEWSLETTERS, 10):
            ask(engine, [newsletter(number) for number in range(start, start + 10)])
        queued = time.monotonic() - begun
        for number in range(5):
            asked = time.time()
            ask(engine, [reset(number)])
            waits.append(sent_at(engine, f"reset-{number}") - asked)
            time.sleep(0.5)
        sent = len(engine.aws.ses.mails())
    print(  # noqa: T201
        f"\n{NEWSLETTERS} newsletters queued in {queued:.0f} s, {sent} of them sent; password resets at {RATE} a second"
        f" waited {', '.join(f'{wait:.2f}' for wait in waits)} s"
    )


@pytest.mark.bench
@pytest.mark.timeout(120)
def test_from_put_events_to_ses_at_10_a_second() -> None:
    asked: dict[str, float] = {}
    with LocalEngine(LocalOptions(send_rate=RATE)) as engine:
        for number in range(200):
            asked[f"reset-{number}"] = time.time()
            ask(engine, [reset(number)])
            time.sleep(max(0.0, 0.1 - (time.time() - asked[f"reset-{number}"])))
        waits = [sent_at(engine, email_id) - moment for email_id, moment in asked.items()]
    print(  # noqa: T201
        f"\nfrom PutEvents to the call of SES at 10 a second: median {1000 * median(waits):.0f} ms,"
        f" 95% below {1000 * quantiles(waits, n=20)[-1]:.0f} ms"
    )
