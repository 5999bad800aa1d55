"""Real daemons, records at fault and services that are down.

A record that makes a handler raise, hang or die is parked, and those behind it are processed; what waits for a
service is never parked.
"""

import json
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from consumers.names import ConsumerName
from infra.embedded.dispatch import Reply, answer
from infra.kcl_host import KclHost
from infra.local import LocalEngine
from infra.worker import WorkerOptions
from pipeline import ids
from tests.infra.faulty_shard import FAULTS, HURRIED, MENDED
from tests.infra.java import needs_java
from tests.infra.running import run
from tests.infra.test_kcl_chaos import Options, until
from tests.infra.test_thousand_requests import good_request, publish

HANG = 3.0


@pytest.fixture
def opening() -> Iterator[ExitStack]:
    with ExitStack() as opening:
        yield opening


def engine_with_daemons(
    opening: ExitStack,
    environment: dict[str, str] | None = None,
    **options: Any,
) -> LocalEngine:
    """Its one-machine host is never started."""
    engine = LocalEngine(
        Options(shards=1, send_rate=1000, duplicates=0, archive_flush=1, host="kcl", **options)
    )
    if environment is not None:
        made = engine._kcl_host

        def faulty(inner: ExitStack) -> KclHost:
            host = made(inner)
            known = host._options
            host._options = WorkerOptions(
                known.health,
                failover=known.failover,
                hang=HANG,
                environment={**known.environment, **environment},
                module="tests.infra.faulty_shard",
            )
            return host

        engine._kcl_host = faulty  # type: ignore[method-assign,assignment]
    return opening.enter_context(engine)


def asked(name: str) -> dict[str, Any]:
    return good_request(1) | {"emailId": name, "to": f"{name}@post.example"}


def sent(engine: LocalEngine) -> set[str | None]:
    return {ids.from_tag(mail.tags["emailId"]) for mail in engine.aws.ses.mails()}


def command(engine: LocalEngine, *arguments: str) -> Any:
    environment = {
        "AWS_ENDPOINT_URL": engine.aws.endpoint,
        "AWS_REGION": engine.aws.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    done = run(*arguments, environment=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def parked_and_completed(engine: LocalEngine, faults: Collection[str], mended: Path) -> None:
    """Each of these faults has two records in good order around it."""
    for name in faults:
        publish(engine, [asked(f"before-{name}"), asked(name), asked(f"behind-{name}")])

    def processed() -> bool:
        return sent(engine) >= {f"{place}-{name}" for place in ("before", "behind") for name in faults}

    until(processed, 400.0)
    assert sent(engine).isdisjoint(faults)
    parked = command(engine, "dlq", "list", "parked", "--json")
    assert len({letter["emailId"] for letter in parked}) == len(faults)
    mended.touch()
    command(engine, "dlq", "redrive", "parked", "--all", "--json")

    def completed() -> bool:
        return sent(engine) >= set(faults)

    until(completed, 60.0)
    assert len(engine.aws.ses.mails()) == 3 * len(faults)


@needs_java
@pytest.mark.timeout(400)
def test_records_that_raise_or_kill_are_parked_and_go_through_once_the_fault_is_mended(
    opening: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender alone, and faster than in production."""
    monkeypatch.setattr("infra.kcl_host.ConsumerName", [ConsumerName.SENDER_TRANSACTIONAL])
    mended = tmp_path / "mended"
    engine = engine_with_daemons(opening, {MENDED: str(mended), HURRIED: "1"})
    parked_and_completed(engine, ["raises", "dies"], mended)


@needs_java
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_soak_records_that_raise_hang_or_kill_are_parked_and_go_through_once_the_fault_is_mended(
    opening: ExitStack, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    engine = engine_with_daemons(opening, {MENDED: str(mended)})
    parked_and_completed(engine, FAULTS, mended)


class Outage:
    """A service that refuses everything that comes over the wire."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down = ""
        self.refused = 0

        def refusing(service: str, request: Any) -> Reply:
            if service == self.down:
                self.refused += 1
                body = json.dumps({"__type": "ServiceUnavailableException", "message": "down"}).encode()
                return Reply(503, {"x-amzn-errortype": "ServiceUnavailableException"}, body)
            return answer(service, request)

        monkeypatch.setattr(sys.modules["infra.embedded.application"], "answer", refusing)


def outages(opening: ExitStack, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    outage = Outage(monkeypatch)
    engine = engine_with_daemons(opening)
    names: list[str] = []
    for service in ("dynamodb", "s3", "sesv2"):
        names += [f"before-{service}", f"during-{service}"]
        publish(engine, [asked(names[-2])])

        def first(name: str = names[-2]) -> bool:
            return name in sent(engine)

        until(first, 120.0)
        outage.down = service
        publish(engine, [asked(names[-1])])
        time.sleep(seconds)

        def was_asked() -> bool:
            return outage.refused > 0

        until(was_asked, 60.0)
        outage.down, outage.refused = "", 0

    def processed() -> bool:
        return sent(engine) >= set(names)

    until(processed, 180.0)
    until(engine.settled, 120.0)
    assert [count["messages"] for count in command(engine, "dlq", "list", "--json")] == [0, 0, 0, 0]
    assert len(engine.aws.ses.mails()) == len(names)


@needs_java
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_soak_services_that_are_down_for_two_minutes(
    opening: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    outages(opening, monkeypatch, 120.0)
