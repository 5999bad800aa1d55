"""Times as the engine stores them: UTC, milliseconds, fixed width, so that text order is time order."""

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "of_epoch", "parse", "text", "utc_now"]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def text(moment: datetime) -> str:
    """`2026-11-24T09:15:02.114Z`; a moment without zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse(value: str) -> datetime:
    """Any ISO 8601 time with or without zone and fraction, in UTC; ValueError for anything else."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):  # which repeat the value: it may be anything
        raise ValueError("not an ISO 8601 time") from None


def of_epoch(seconds: float) -> datetime:
    """The moment so many seconds after 1970 began; ValueError where no year of four digits can hold it."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("not a time in seconds") from None
