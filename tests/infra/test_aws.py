"""Clients of an engine in an account: region from the environment, errors that say what to set."""

from pathlib import Path

import pytest

from infra.aws import engine_of
from pipeline.errors import UserError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_variable_names_the_region(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "eu-west-1")
    assert engine_of("engine").client("events").meta.region_name == "eu-west-1"


def test_without_a_region_the_remedy_is_told() -> None:
    with pytest.raises(UserError, match="set AWS_REGION"):
        engine_of("engine").client("events")
    with pytest.raises(UserError, match="set AWS_REGION"):
        _ = engine_of("engine").settings
