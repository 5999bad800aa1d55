"""What is missing is said before a daemon is started; its lines become JSON."""

import json
from datetime import UTC, datetime, timedelta
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from consumers.kcl import daemon
from consumers.kcl.daemon import _as_json, installed
from pipeline import times
from pipeline.errors import UserError

# ── Installed ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of jars of a library that is found."""
    jars = tmp_path / "amazon_kclpy" / "jars"
    jars.mkdir(parents=True)
    (jars / "amazon-kinesis-client-2.5.8.jar").touch()
    (jars / "amazon-kinesis-client-multilang-2.5.8.jar").touch()
    spec = ModuleSpec("amazon_kclpy", None, origin=str(jars.parent / "__init__.py"))
    monkeypatch.setattr(daemon, "find_spec", lambda name: spec if name == "amazon_kclpy" else None)
    return jars


def with_java(folder: Path) -> Path:
    """A folder of commands with a java among them."""
    folder.mkdir(parents=True)
    (folder / "java").write_text("#!/bin/sh\n")
    (folder / "java").chmod(0o755)
    return folder


def test_java_is_found_on_the_path(library: Path, tmp_path: Path) -> None:
    folder = with_java(tmp_path / "somewhere")
    assert installed({"PATH": f"/nowhere:{folder}"}) == (f"{folder}/java", library, 2)


def test_java_is_found_where_java_home_says(library: Path, tmp_path: Path) -> None:
    folder, home = with_java(tmp_path / "somewhere"), tmp_path / "home"
    with_java(home / "bin")
    assert installed({"PATH": str(folder), "JAVA_HOME": str(home)}).java == f"{home}/bin/java"


def test_an_empty_java_home_is_none(library: Path, tmp_path: Path) -> None:
    folder = with_java(tmp_path / "somewhere")
    assert installed({"PATH": str(folder), "JAVA_HOME": ""}).java == f"{folder}/java"


@pytest.mark.parametrize(("version", "major"), [("2.5.8", 2), ("3.5.3", 3), ("10.0.1-beta", 10)])
def test_the_librarys_major_version_is_read_from_its_jar(
    library: Path, tmp_path: Path, version: str, major: int
) -> None:
    (library / "amazon-kinesis-client-2.5.8.jar").rename(library / f"amazon-kinesis-client-{version}.jar")
    assert installed({"PATH": str(with_java(tmp_path / "somewhere"))}).major == major


def test_without_java_on_the_path_it_says_what_to_install(library: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no `java` on the PATH: install a Java runtime"):
        installed({"PATH": str(tmp_path)})


def test_a_java_home_without_java_is_named_even_if_the_path_has_one(library: Path, tmp_path: Path) -> None:
    folder = with_java(tmp_path / "somewhere")
    with pytest.raises(UserError, match="JAVA_HOME=/nowhere holds no bin/java: install a Java runtime"):
        installed({"PATH": str(folder), "JAVA_HOME": "/nowhere"})


def test_a_java_that_nobody_may_run_is_none(library: Path, tmp_path: Path) -> None:
    folder = with_java(tmp_path / "somewhere")
    (folder / "java").chmod(0o644)
    with pytest.raises(UserError, match="install a Java runtime"):
        installed({"PATH": str(folder)})


REMEDY = r"pip install 'sesmailengine\[kcl\]'.*KCL_MVN_REPO_SEARCH_URL"


@pytest.mark.parametrize("spec", [None, ModuleSpec("amazon_kclpy", None)])
def test_a_library_that_is_missing_is_to_be_installed(
    monkeypatch: pytest.MonkeyPatch, spec: ModuleSpec | None
) -> None:
    monkeypatch.setattr(daemon, "find_spec", lambda _: spec)
    with pytest.raises(UserError, match=REMEDY):
        installed({})


def test_a_library_without_its_jar_is_to_be_installed_again(library: Path) -> None:
    """Built where no mirror was reached; the jar of the daemon alone is not enough."""
    (library / "amazon-kinesis-client-2.5.8.jar").unlink()
    with pytest.raises(UserError, match=REMEDY):
        installed({})


def test_a_library_without_a_folder_of_jars_is_to_be_installed_again(library: Path) -> None:
    for jar in library.iterdir():
        jar.unlink()
    library.rmdir()
    with pytest.raises(UserError, match=REMEDY):
        installed({})


def test_the_library_of_the_tests_is_found(tmp_path: Path) -> None:
    found = installed({"PATH": str(with_java(tmp_path / "somewhere"))})
    assert found.major == 2
    assert list(found.jars.glob("amazon-kinesis-client-multilang-*.jar"))


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────────────

LINE = '{"level": "INFO", "logger": "consumers.runner", "message": "parked [7] \\t for shard shardId-1"}'


def told(line: str) -> dict[str, str]:
    """But for the time, which is now."""
    found: dict[str, str] = json.loads(_as_json(line))
    assert abs(datetime.now(UTC) - times.parse(found.pop("time"))) < timedelta(minutes=1)
    return found


def test_json_is_passed_on_as_it_is() -> None:
    assert _as_json(LINE) == LINE


def test_a_line_of_the_daemon_has_its_level_and_logger() -> None:
    assert told("WARN\tLeaseCoordinator\tno lease for 10 s\t") == {
        "level": "WARN",
        "logger": "LeaseCoordinator",
        "message": "no lease for 10 s",
    }


def test_an_exception_of_the_daemon_is_told_apart_from_its_message() -> None:
    line = "ERROR\tShutdownTask\tnot checkpointed\tjava.lang.IllegalArgumentException: x | \tat y.Z(Z.java:7)"
    assert told(line) == {
        "level": "ERROR",
        "logger": "ShutdownTask",
        "message": "not checkpointed",
        "raised": "java.lang.IllegalArgumentException: x | \tat y.Z(Z.java:7)",
    }


@pytest.mark.parametrize(
    "line",
    ["Error: Could not find or load main class", "Picked up JAVA_TOOL_OPTIONS: -Xmx1g", "\u2603 \ufffd"],
)
def test_a_line_of_java_is_its_message(line: str) -> None:
    assert told(line) == {"level": "INFO", "logger": "daemon", "message": line}


def test_a_frame_of_javas_stack_is_its_message() -> None:
    line = "\tat software.amazon.kinesis.multilang.MultiLangDaemon.main(MultiLangDaemon.java:1)"
    assert told(line) == {"level": "INFO", "logger": "daemon", "message": line}
