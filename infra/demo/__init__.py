"""The demo: some campaigns sent through the whole pipeline, and what can be seen of them afterwards."""

import time

from rich.console import Console

from infra.demo.campaigns import requests
from infra.demo.summary import Summary
from infra.demo.watch import Watch
from infra.local import LocalEngine, LocalOptions

__all__ = ["run"]


def run(emails: int, seed: int, send_rate: float) -> int:
    """The exit code: 1 if any request is unaccounted for."""
    console, begun = Console(), time.monotonic()
    asked = requests(emails, seed)
    options = LocalOptions(seed=seed, send_rate=send_rate, retry_delay=3, archive_flush=2)
    console.print("Starting the embedded AWS, the stack and the consumers …")
    with LocalEngine(options) as engine:
        mails = Watch(engine, console).through(asked, patience=60 + 3 * emails / send_rate)
        engine.drain()
        missing = Summary(engine, console).show(asked, mails)
    seconds = time.monotonic() - begun
    console.print(f"\n{len(asked)} requests, {len(missing)} unaccounted for, {seconds:.0f} seconds.")
    for email_id in missing[:10]:
        console.print(f"[red]unaccounted for:[/] {email_id}")
    return 1 if missing else 0
