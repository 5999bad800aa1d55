"""The probe fails for a shard that hangs, and for nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consumers.kcl.health import SECONDS, main, stale

ROOT = Path(__file__).parents[3]
ONE, TWO, THREE = (f"shardId-{n:012d}" for n in range(3))


def touch(folder: Path, shard: str, seconds_ago: float) -> None:
    then = time.time() - seconds_ago
    (folder / shard).touch()
    os.utime(folder / shard, (then, then))


def test_a_worker_without_a_shard_is_well(tmp_path: Path) -> None:
    assert stale(tmp_path) == []


def test_a_worker_that_has_not_made_its_folder_yet_is_well(tmp_path: Path) -> None:
    assert stale(tmp_path / "later") == []


def test_shards_that_give_no_sign_of_life_are_named_in_order(tmp_path: Path) -> None:
    for shard, ago in ((THREE, 61.0), (TWO, 30.0), (ONE, 600.0)):
        touch(tmp_path, shard, ago)
    assert stale(tmp_path, 60.0) == [ONE, THREE]


def test_a_sign_of_life_makes_a_shard_well_again(tmp_path: Path) -> None:
    touch(tmp_path, ONE, 600.0)
    (tmp_path / ONE).write_text("12")
    assert stale(tmp_path, 60.0) == []


def test_a_shard_has_some_minutes_if_nothing_is_said(tmp_path: Path) -> None:
    touch(tmp_path, ONE, SECONDS + 20)
    touch(tmp_path, TWO, SECONDS - 20)
    assert stale(tmp_path) == [ONE]


def test_the_probe_names_who_hangs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, ONE, 600.0)
    touch(tmp_path, TWO, 600.0)
    assert main([str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"no sign of life for {ONE}, {TWO}\n")


def test_the_probe_of_who_is_well_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, ONE, 600.0)
    assert main([str(tmp_path), "700"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "code"), [("60", 1), ("600", 0)])
def test_the_probe_is_a_command(tmp_path: Path, seconds: str, code: int) -> None:
    touch(tmp_path, ONE, 300.0)
    probe = [sys.executable, "-m", "consumers.kcl.health", str(tmp_path), seconds]
    assert subprocess.run(probe, cwd=ROOT, capture_output=True, check=False).returncode == code


def test_a_shard_that_ends_while_it_is_looked_at_is_well(tmp_path: Path) -> None:
    (tmp_path / ONE).symlink_to(tmp_path / "gone")  # listed, and not there
    assert stale(tmp_path) == []
