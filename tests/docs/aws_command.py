"""Stands in for the AWS command line, which is no package of ours: `aws SERVICE OPERATION --OPTION VALUE …`.

It knows values as they are, and the shorthand `Key=value,Key=value` for a list of structures.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import boto3

__all__ = ["installed"]

ROOT = Path(__file__).parents[2]


def installed(folder: Path) -> Path:
    """Put `aws` into the folder, for a PATH."""
    command = folder / "aws"
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {__name__} import main; main()"
    line = f'exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} "$@"'
    command.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    command.chmod(0o755)
    return command


def main() -> None:
    service, operation, *options = sys.argv[1:]
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {_option(name): (name, shape) for name, shape in model.input_shape.members.items()}
    given = [(*members[option], value) for option, value in zip(options[::2], options[1::2], strict=True)]
    getattr(client, method)(**{name: _value(shape.type_name, value) for name, shape, value in given})


def _option(member: str) -> str:
    """`EventBusName` is `--event-bus-name`."""
    return "--" + "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in member).strip(
        "-"
    )


def _value(kind: str, text: str) -> Any:
    return [dict(pair.split("=", 1) for pair in text.split(","))] if kind == "list" else text
