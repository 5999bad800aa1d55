"""Logs for machines, without a word of what a client sent."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.errors import Unavailable
from pipeline.logs import brief, configure


@pytest.fixture
def lines() -> Iterator[Any]:
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    configure(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_a_json_object_with_time_level_and_message(lines: Any) -> None:
    logging.getLogger("consumers.x").warning("parked %s", "shard/7")
    (line,) = lines()
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "consumers.x", "parked shard/7")
    assert line["time"].endswith("Z")


def test_an_exception_is_told_by_type_and_place_and_never_by_its_text(lines: Any) -> None:
    try:
        int("ana@secret.example is no number")
    except ValueError:
        logging.getLogger("consumers.x").exception("a record failed")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert line["raised"].startswith("test_logs.py:")
    assert "ana@secret.example" not in json.dumps(line)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("SES: ThrottlingException: Maximum sending rate exceeded."), "SES: ThrottlingException"),
        (Unavailable("SES: Could not connect: http://x"), "SES: Could not connect"),
        (Unavailable("no colon in here"), "Unavailable"),
        (None, "NoneType"),
    ],
)
def test_of_an_error_the_service_and_the_code_are_told(error: Exception | None, told: str) -> None:
    assert brief(error) == told
