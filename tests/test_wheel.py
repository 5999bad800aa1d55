"""The built wheel is the whole product: templates, stack and SQL travel in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as an installation lays it out."""
    folder = tmp_path_factory.mktemp("a wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = folder.glob("sesmailengine-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_all_that_is_read_at_run_time(unpacked: Path) -> None:
    for name in (
        "infra/stack.yaml",
        "analytics/sql/events.sql",
        "projections/sql/mails.sql",
        "templates/welcome/template.html",
    ):
        assert (unpacked / name).is_file(), name
    assert not (unpacked / "tests").exists()


@pytest.mark.timeout(200)
def test_the_demo_runs_from_the_wheel_in_an_empty_directory(unpacked: Path, tmp_path: Path) -> None:
    code = "import infra.cli, sys; assert 'site' in infra.cli.__file__, infra.cli.__file__; infra.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", "--emails", "12"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "12 requests, 0 unaccounted for" in done.stdout
