"""The architecture's table of imports is enforced: a violation fails the build."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("pipeline", "projections", "consumers", "analytics", "infra")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(command), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code, where it can be broken."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_code_keeps_its_contracts(copy: Path) -> None:
    found = lint(copy)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("projections/tracking.py", "boto3", "no SDK outside the modules named after a service"),
        ("projections/suppression.py", "botocore.config", "no SDK outside the modules named after a service"),
        ("projections/status.py", "duckdb", "no SDK outside the modules named after a service"),
        ("pipeline/codec.py", "projections.tracking", "pipeline imports nothing of ours"),
        ("pipeline/ids.py", "consumers.handler", "pipeline imports nothing of ours"),
        ("projections/store.py", "consumers.handler", "projections know only the pipeline"),
        ("consumers/sender.py", "infra.stack", "consumers know the pipeline and the projections"),
        ("analytics/duckdb.py", "infra.stack", "analytics knows the pipeline and the projections"),
    ],
)
def test_a_forbidden_import_fails_the_build(copy: Path, module: str, imported: str, broken: str) -> None:
    source = copy / module
    source.write_text(source.read_text(encoding="utf-8") + f"\nimport {imported}\n", encoding="utf-8")
    found = lint(copy)
    assert found.returncode == 1
    assert f"{broken} BROKEN" in found.stdout
