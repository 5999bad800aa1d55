"""How many mails a second the whole engine takes through, on one machine, in one process."""

import json
import time

import pytest

from infra.demo.campaigns import requests
from infra.local import LocalEngine, LocalOptions

MAILS = 500


@pytest.mark.bench
@pytest.mark.timeout(300)
def test_mails_a_second_from_request_to_settled() -> None:
    asked = requests(MAILS, seed=1)
    with LocalEngine(LocalOptions(send_rate=1000, retry_delay=1, archive_flush=2)) as engine:
        begun, cpu = time.monotonic(), time.process_time()
        publish(engine, asked)
        published = time.monotonic() - begun
        while len(engine.aws.ses.mails()) < MAILS:
            time.sleep(0.05)
        sent = time.monotonic() - begun
        while not engine.settled():
            time.sleep(0.05)
        settled, cpu = time.monotonic() - begun, time.process_time() - cpu
    print(  # noqa: T201  a benchmark's report
        f"\n{MAILS} mails: published at {MAILS / published:.0f} a second, sent at {MAILS / sent:.0f},"
        f" settled at {MAILS / settled:.0f}; {1000 * cpu / MAILS:.1f} ms of CPU a mail, embedded AWS included"
    )


def publish(engine: LocalEngine, asked: list[dict[str, object]]) -> None:
    for start in range(0, len(asked), 10):
        entries = [
            {
                "Source": "bench",
                "DetailType": "Email Request",
                "EventBusName": engine.settings.event_bus_name,
                "Detail": json.dumps(detail),
            }
            for detail in asked[start : start + 10]
        ]
        engine.client("events").put_events(Entries=entries)
