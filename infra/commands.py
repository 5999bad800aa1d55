"""Commands about an engine as a whole: `local`, `demo`, `outbox`, `worker`."""

from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from consumers.names import ConsumerName
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.options import AsJson, Stack, duration

__all__ = ["commands"]

commands = typer.Typer()


class HostName(StrEnum):
    ONE_MACHINE = "one-machine"
    KCL = "kcl"


def _option(help_text: str, **settings: Any) -> Any:
    return typer.Option(help=help_text, **settings)


Port = Annotated[int, _option("Port of the embedded AWS; 0 takes a free one.", min=0, max=65535)]
Shards = Annotated[int, _option("Shards of the stream.", min=1, max=100)]
RetryDelay = Annotated[
    str, _option("Wait before a soft bounce is tried again, at most 15m.", metavar="DURATION")
]
Seed = Annotated[int, _option("Decides what becomes of each mail; the same seed repeats a run.")]
Duplicates = Annotated[float, _option("Share of SES's feedback that comes twice.", min=0, max=1)]
SendRate = Annotated[float, _option("Mails a second that the simulated SES takes.", min=1, max=10_000)]
Verified = Annotated[
    list[str] | None, _option("An address or domain that may send; repeatable. Default: all may.")
]
Templates = Annotated[
    Path | None,
    _option("A folder of templates, in the place of the starter templates.", exists=True, file_okay=False),
]
Host = Annotated[
    HostName, _option("What runs the consumers: this process, or daemons of the Kinesis Client Library.")
]
ArchiveFlush = Annotated[str, _option("How long the archiver collects records.", metavar="DURATION")]


@commands.command()
def local(
    port: Port = 4566,
    stack: Stack = "sesmailengine",
    shards: Shards = 2,
    retry_delay: RetryDelay = "15m",
    seed: Seed = 0,
    duplicates: Duplicates = 0.02,
    send_rate: SendRate = 14.0,
    verified: Verified = None,
    templates: Templates = None,
    archive_flush: ArchiveFlush = "5s",
    host: Host = HostName.ONE_MACHINE,
) -> None:
    """Run the whole engine on this machine, on an embedded AWS, until Ctrl-C.

    Prints `ready http://127.0.0.1:PORT` once it takes requests; any AWS client works against that address.

    Example: sesmailengine local --port 4566 --send-rate 50
    """
    from infra.local import LocalOptions  # noqa: PLC0415  the embedded AWS is heavy, other commands aren't
    from infra.serving import serve  # noqa: PLC0415

    delay = duration(retry_delay)
    if delay > 900:
        raise typer.BadParameter("SQS holds a message for at most 15m", param_hint="--retry-delay")
    serve(
        LocalOptions(
            port=port,
            stack=stack,
            shards=shards,
            retry_delay=delay,
            archive_flush=duration(archive_flush),
            send_rate=send_rate,
            seed=seed,
            duplicates=duplicates,
            verified=tuple(verified) if verified else None,
            templates=templates,
            host=host.value,
        )
    )


@commands.command()
def demo(
    emails: Annotated[int, _option("How many mails to ask for.", min=1, max=100_000)] = 200,
    seed: Seed = 0,
    send_rate: SendRate = 50.0,
) -> None:
    """Run the whole pipeline once on this machine and show what came of it. Exit 1 if a mail is missing.

    Example: sesmailengine demo --emails 500
    """
    from infra.demo import run  # noqa: PLC0415  the embedded AWS is heavy, other commands aren't

    raise typer.Exit(run(emails, seed, send_rate))


@commands.command()
def outbox(
    email_id: Annotated[str | None, typer.Argument(help="The emailId of a mail; default: all mails.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the mail's HTML in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the mails that the simulated SES of a running `local` has taken.

    Example: sesmailengine outbox order-confirmation-42 --open
    """
    from infra.outbox import mails, opened, shown  # noqa: PLC0415

    found = mails(email_id)
    if email_id and not found:
        raise UserError(f"the simulated SES has taken no mail with the emailId '{email_id}'")
    if open_it:
        opened(found)
    else:
        shown(found, whole=email_id is not None, as_json=as_json)


@commands.command()
def worker(
    context: typer.Context,
    consumer: Annotated[ConsumerName, typer.Argument(help="The consumer.")],
    stack: Stack = "sesmailengine",
    failover: Annotated[
        str, _option("A worker that is silent for longer loses its shards to others.", metavar="DURATION")
    ] = "10s",
    hang: Annotated[
        str, _option("A shard without a sign of life for longer is begun again.", metavar="DURATION")
    ] = "2m",
    health: Annotated[
        Path | None, _option("Folder for the liveness probe: one file a shard, touched while it lives.")
    ] = None,
) -> None:
    """Run a consumer under the Kinesis Client Library, until it is stopped or its daemon ends.

    Several workers of one consumer share the shards of the stream. SIGTERM drains within 25 seconds; else the
    exit code is the daemon's. Logs go to stderr as JSON. Needs Java 17, and the package's extra `kcl`.

    Example: sesmailengine worker projector --stack sesmailengine
    """
    from infra.worker import LEAST_HANG, WorkerOptions, run  # noqa: PLC0415

    if duration(hang) < LEAST_HANG:
        raise typer.BadParameter(
            f"a shard gives signs of life once a second; write at least {LEAST_HANG:.0f}s",
            param_hint="--hang",
        )
    engine: Engine = context.obj(stack)
    region = engine.client("kinesis").meta.region_name
    with TemporaryDirectory(prefix="health-") as own:
        options = WorkerOptions(health or Path(own), duration(failover), duration(hang))
        raise typer.Exit(run(consumer, engine.settings, region, options))
