"""Where hostile templates are rendered: each in a child of its own, which may be ended and tells what it cost.

Run as a program: a line of JSON for each template comes in, and one for what became of it goes out.
"""

import json
import os
import resource
import subprocess
import sys
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds until a child that hangs is ended
ROOM = (
    1_000 * 2**20
)  # bytes that a child may take before it gets no more: enough to see that it took too many
MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Fight:
    """`code` is empty for a mail that was rendered; seconds of processor time; `megabytes` above the start."""

    code: str = ""
    sentence: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0
    healthy: bool = False
    broken: str = ""


class Arena(AbstractContextManager["Arena"]):
    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::SyntaxWarning", "-m", "tests.consumers.arena"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def fight(self, html: str, **data: Any) -> Fight:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"html": html, "data": data}) + "\n")
        self._process.stdin.flush()
        return Fight(**json.loads(self._process.stdout.readline()))


def main() -> None:
    from consumers import rendering  # noqa: F401  before the children are born

    for line in sys.stdin:
        sys.stdout.write(json.dumps(_apart(json.loads(line))) + "\n")
        sys.stdout.flush()


def _apart(job: dict[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(_fought(job)).encode())
        os._exit(0)
    os.close(writer)
    told = os.read(reader, 65_536) if select([reader], [], [], PATIENCE)[0] else b""
    os.close(reader)
    if not told:
        os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(told) if told else {"broken": f"it hung or died: {status}"}
    return found


def _fought(job: dict[str, Any]) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_AS, (_pages(0) + ROOM, resource.RLIM_INFINITY))
    before, begun, outcome = _pages(1), time.process_time(), {}
    try:
        outcome = _outcome(job["html"], job["data"])
    except BaseException as error:  # noqa: BLE001  whatever gets out is told
        outcome = {"broken": repr(error)[:300]}
    seconds, peak = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    healthy = False
    with suppress(BaseException):
        healthy = _outcome("{{ e }}", {"e": "fine"}) == {}
    return outcome | {"seconds": seconds, "megabytes": (peak - before) / MEGABYTE, "healthy": healthy}


def _outcome(html: str, data: dict[str, Any]) -> dict[str, Any]:
    from consumers.mail import Refusal
    from consumers.rendering import render
    from consumers.templates import compiled
    from pipeline import requests

    asked = {"to": "ana@example.com", "templateName": "letter", "templateData": data}
    try:
        template = compiled("letter", html, html, '{"subject": "Hello"}')
        render(template, requests.parse(asked), ("", "hello@acme.example"))
    except Refusal as refusal:
        return {"code": refusal.code, "sentence": refusal.sentence}
    return {}


def _pages(column: int) -> int:
    """Bytes of address space (0) and of memory (1) that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[column]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
