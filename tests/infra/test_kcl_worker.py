"""`sesmailengine worker` as an operator runs it: signals and exit codes pass through, logs are JSON, stdout is quiet."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import LocalEngine, LocalOptions
from infra.worker import SILENCE_SECONDS, SILENT
from tests.infra.java import needs_java
from tests.infra.running import COMMAND, ROOT, run

CONSUMER = "archiver"


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(LocalOptions(shards=1)) as engine:
        yield engine


def environment(engine: LocalEngine) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL": engine.aws.endpoint,
        "AWS_REGION": engine.aws.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "PYTHONPATH": str(ROOT),
    }


def begun(engine: LocalEngine, health: Path) -> subprocess.Popen[str]:
    """It has a shard."""
    command = [*COMMAND, "worker", CONSUMER, "--failover", "2s", "--health", str(health)]
    process = subprocess.Popen(
        command, env=environment(engine), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 90
    while not list(health.glob("shardId-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the worker has no shard"
        time.sleep(0.1)
    return process


@needs_java
@pytest.mark.timeout(200)
def test_sigterm_drains_and_exits_0_with_nothing_but_json_on_stderr(
    engine: LocalEngine, tmp_path: Path
) -> None:
    process = begun(engine, tmp_path)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=25)
    assert (process.returncode, out) == (0, "")
    assert all(json.loads(line) for line in err.splitlines())
    assert list(tmp_path.glob("*")) == []


@needs_java
@pytest.mark.soak
@pytest.mark.timeout(200)
def test_the_end_of_its_daemon_is_its_own_end(engine: LocalEngine, tmp_path: Path) -> None:
    process = begun(engine, tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (daemon,) = [
        int(pid) for pid in children if b"MultiLangDaemon" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(daemon, signal.SIGKILL)
    process.communicate(timeout=25)
    assert process.returncode == 128 + signal.SIGKILL


def test_without_java_it_says_what_to_install(engine: LocalEngine) -> None:
    told = run("worker", CONSUMER, environment=environment(engine) | {"PATH": "/nowhere", "JAVA_HOME": ""})
    assert told.returncode == 1
    assert "install a Java runtime" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_hang_shorter_than_the_signs_of_life_is_refused() -> None:
    told = run("worker", CONSUMER, "--hang", "900ms")
    assert told.returncode == 2
    assert "write at least 3s" in " ".join(told.stderr.split())


@needs_java
@pytest.mark.soak
@pytest.mark.timeout(200)
def test_a_daemon_that_has_forgotten_a_shard_is_ended(engine: LocalEngine, tmp_path: Path) -> None:
    """As the library does now and then where leases move much: the shard's process waits, and is never called."""
    process = begun(engine, tmp_path)
    silent = tmp_path / "shardId-000000000007"
    silent.touch()
    os.utime(silent, (0, time.time() - 120 - SILENCE_SECONDS - 1))
    _, err = process.communicate(timeout=40)
    assert process.returncode == SILENT
    assert "reads no more of shardId-000000000007" in err
