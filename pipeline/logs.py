"""Logs as one JSON object a line, without personal data.

A message is made of ids, places, codes and durations. Of an exception its type and where it was raised are
written, never its text, which may quote what a client sent.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

from pipeline import times

__all__ = ["JsonFormatter", "brief", "configure"]

INNERMOST_FRAMES = 6


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": times.text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            frames = traceback.extract_tb(record.exc_info[2])[-INNERMOST_FRAMES:]
            line["error"] = record.exc_info[0].__name__
            line["raised"] = ", ".join(
                f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames
            )
        return json.dumps(line)


def configure(stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Everything that is logged goes to the stream, as JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("botocore", "boto3", "urllib3", "hypercorn", "infra.embedded"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def brief(error: BaseException | None) -> str:
    """`SES: ThrottlingException` of `SES: ThrottlingException: …`: the rest is somebody else's text."""
    service, colon, rest = str(error).partition(": ")
    return f"{service}: {rest.partition(': ')[0]}" if colon else type(error).__name__
