"""`local` in the foreground: announces itself, waits for a signal, drains."""

import signal
import threading

import typer

from infra.embedded import PortInUse
from infra.local import LocalEngine, LocalOptions

__all__ = ["serve"]


def serve(options: LocalOptions) -> None:
    """Returns after SIGINT or SIGTERM, once everything has drained."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with LocalEngine(options) as engine:
            _announce(engine)
            stop.wait()
    except PortInUse as error:
        raise typer.BadParameter(str(error), param_hint="--port") from error


def _announce(engine: LocalEngine) -> None:
    settings = engine.settings
    typer.echo(f"SESMailEngine runs as stack '{settings.stack_name}'. In the shell of a client:")
    typer.echo(f"  export AWS_ENDPOINT_URL={engine.aws.endpoint}")
    typer.echo(f"  export AWS_REGION={engine.aws.region} AWS_DEFAULT_REGION={engine.aws.region}")
    typer.echo("  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local")
    typer.echo(f"Requests go to the bus {settings.event_bus_name}; sent mails: sesmailengine outbox")
    typer.echo(f"ready {engine.aws.endpoint}")
