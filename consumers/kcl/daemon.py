"""A MultiLangDaemon as a child process: found, started, its lines passed on as JSON, stopped with its shards.

Daemon ─► java MultiLangDaemon ─► a Python process for each leased shard
  ▲ stdout: the daemon's log, in which the shards' stderr comes line by line
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from consumers.kcl.properties import Application, text
from pipeline import times
from pipeline.errors import UserError

__all__ = ["STOPPING", "Daemon", "Installed", "installed"]

DAEMON = "software.amazon.kinesis.multilang.MultiLangDaemon"
LOGBACK = """<configuration>
  <statusListener class="ch.qos.logback.core.status.NopStatusListener"/>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
    <pattern>%level\\t%logger{0}\\t%replace(%msg){'[\\r\\n]+', ' | '}\\t%replace(%ex{4}){'[\\r\\n]+', ' | '}%nopex%n</pattern>
  </encoder></appender>
  <logger name="software.amazon.kinesis.multilang.DrainChildSTDERRTask" level="OFF"/>
  <root level="WARN"><appender-ref ref="OUT"/></root>
</configuration>
"""
# As with Apache's httpd: a signal that is ignored by who doesn't listen to it yet, or at all.
STOPPING = signal.SIGWINCH
MINIMAL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # it only passes records on


class Installed(NamedTuple):
    """Java, the folder of the library's jars, and the library's major version."""

    java: str
    jars: Path
    major: int


def installed(environment: Mapping[str, str] = os.environ) -> Installed:
    """Raises UserError that says what to install."""
    spec = find_spec("amazon_kclpy")
    jars = Path(spec.origin).parent / "jars" if spec and spec.origin else None
    library = next(jars.glob("amazon-kinesis-client-[0-9]*.jar"), None) if jars else None
    if not (jars and library):
        raise UserError(
            "the Kinesis Client Library is missing (or its jars are): install it with "
            "`pip install 'sesmailengine[kcl]'`, where Maven Central or the mirror in KCL_MVN_REPO_SEARCH_URL can be reached"
        )
    home = environment.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else environment.get("PATH"))
    if java is None:
        where = f"JAVA_HOME={home} holds no bin/java" if home else "there is no `java` on the PATH"
        raise UserError(
            f"{where}: install a Java runtime (17, for instance Amazon Corretto), or set JAVA_HOME"
        )
    return Installed(java, jars, int(library.name.removeprefix("amazon-kinesis-client-").split(".")[0]))


class Daemon:
    """Runs from construction until it ends by itself or is stopped.

    `environment` is what its shards' processes see as well. `write` takes lines of JSON.
    """

    def __init__(
        self,
        found: Installed,
        application: Application,
        environment: Mapping[str, str],
        write: Callable[[str], object] = lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
    ) -> None:
        self.application, self._write = application, write
        self._folder = tempfile.TemporaryDirectory(prefix="kcl-")
        folder = Path(self._folder.name)
        (folder / "app.properties").write_text(text(application, found.major))
        (folder / "logback.xml").write_text(LOGBACK)
        options = ["-Daws.cborEnabled=false"] if application.endpoint else []
        self._process = subprocess.Popen(  # noqa: S603  our own arguments
            [
                found.java,
                *MINIMAL,
                *options,
                "-cp",
                f"{folder}{os.pathsep}{found.jars}/*",
                DAEMON,
                "--properties-file",
                "app.properties",
                "--log-configuration",
                str(folder / "logback.xml"),
            ],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # signals reach the shards' processes, and no terminal's Ctrl-C comes before ours
        )
        self._lines = threading.Thread(target=self._pass_on, name=application.name, daemon=True)
        self._lines.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code; None where it is still running after the timeout."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._kill()  # shards that outlived their daemon
        self._lines.join(5.0)
        self._folder.cleanup()
        return code

    def ask_to_stop(self) -> None:
        """Drain and end. The daemon asks its shards between two calls; those that wait inside one hear of it, too."""
        self._signal(STOPPING)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, timeout: float) -> int:
        """Ask, and end by force what is there after the timeout."""
        self.ask_to_stop()
        code = self.wait(timeout)
        if code is None:
            self._kill()
            code = self.wait() or 0
        return code

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def _pass_on(self) -> None:
        out: IO[bytes] | None = self._process.stdout
        assert out
        with out:
            for raw in out:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                if line:
                    self._write(_as_json(line))


def _as_json(line: str) -> str:
    """What a shard wrote, if it is JSON already, as it is; a line of the daemon's log as JSON."""
    if line.startswith("{"):
        return line
    level, _, rest = line.partition("\t")
    logger, _, rest = rest.partition("\t")
    message, _, raised = rest.partition("\t")
    if not (level and logger):  # a frame of Java's stack begins with a tab
        level, logger, message, raised = "INFO", "daemon", line, ""
    told = {
        "time": times.text(datetime.now(UTC)),
        "level": level,
        "logger": logger,
        "message": message,
    }
    return json.dumps(told | ({"raised": raised} if raised else {}))
