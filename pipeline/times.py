"""Times as the engine stores them: UTC, milliseconds, fixed width, so that text order is time order."""

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "parse", "text", "utc_now"]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def text(moment: datetime) -> str:
    """`2026-11-24T09:15:02.114Z`; a moment without zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{aware.microsecond // 1000:03d}Z"


def parse(value: str) -> datetime:
    """Any ISO 8601 time with or without zone and fraction; ValueError for anything else."""
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
