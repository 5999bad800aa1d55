"""The command line: assembled from the commands that each folder offers.

Exit codes: 0 done; 1 the answer is no, or something is wrong with the mails; 2 the question can't be used.
"""

import sys

import typer

import consumers.archive_commands
import consumers.commands
import consumers.dlq_commands
import infra.commands
import infra.replay.commands
import pipeline.commands
import pipeline.tail_commands
import projections.commands
from infra.aws import engine_of
from pipeline.errors import EngineError, UserError

__all__ = ["app", "main"]

app = typer.Typer(
    name="sesmailengine",
    help="Mail through Amazon SES by an engine whose only source of truth is an event log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    infra.commands,
    infra.replay.commands,
    pipeline.commands,
    pipeline.tail_commands,
    projections.commands,
    consumers.commands,
    consumers.dlq_commands,
    consumers.archive_commands,
):
    app.add_typer(module.commands)


@app.callback()
def _engines(context: typer.Context) -> None:
    context.obj = engine_of


def main(arguments: list[str] | None = None) -> None:
    """Run a command, and turn what it raises into one line and an exit code."""
    try:
        code = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        _stop(_one_line(error), 2)
    except UserError as error:
        _stop(str(error), 1)
    except EngineError as error:
        _stop(f"{error}; try again later", 1)
    except (typer.Abort, KeyboardInterrupt):
        _stop("stopped", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(sentence: str, code: int) -> None:
    typer.echo(f"sesmailengine: {sentence}", err=True)
    sys.exit(code)


def _one_line(error: typer.TyperException) -> str:
    described = getattr(error, "format_message", None)
    return " ".join((described() if described else str(error)).split())
