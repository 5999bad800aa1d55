"""`sesmailengine local` as a process of its own, as its users start it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from infra.cli import main; main()"]
STACK = "my-email-engine"


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a client's shell is told to export, and nothing of AWS besides."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "SESMAILENGINE_STACK": STACK,
            "PYTHONPATH": str(ROOT),
        }

    def client(self, service: str) -> object:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, environment=self.environment)


def run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=environment, timeout=60, check=False
    )


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [*COMMAND, "local", "--port", "0", "--stack", STACK, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        ready = next(line for line in lines if line.startswith("ready "))
        yield Running(process, ready.split()[1])
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
