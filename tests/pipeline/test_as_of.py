from datetime import UTC, datetime, timedelta

import pytest
import typer

from pipeline import times
from pipeline.as_of import as_of_moment

NOW = datetime(2026, 11, 24, 9, 15, 2, 114_000, UTC)


def told(given: str) -> str | None:
    moment = as_of_moment(given, lambda: NOW)
    return times.text(moment) if moment else None


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-11-24T08:00:00Z", "2026-11-24T08:00:00.000Z"),
        ("2026-11-24t08:00:00z", "2026-11-24T08:00:00.000Z"),
        ("2026-11-24T08:00:00+02:00", "2026-11-24T06:00:00.000Z"),
        ("2026-11-24T08:00:00.123999", "2026-11-24T08:00:00.123Z"),
        (" 2026-11-24 08:00 ", "2026-11-24T08:00:00.000Z"),
        ("2026-11-24", "2026-11-24T00:00:00.000Z"),
        ("2026-11-24T09:15:02.114Z", "2026-11-24T09:15:02.114Z"),
    ],
)
def test_a_moment_is_a_time_or_a_date(given: str, moment: str) -> None:
    assert told(given) == moment


def test_a_moment_may_be_so_long_ago() -> None:
    before = times.utc_now() - timedelta(hours=2, milliseconds=1)
    moment = as_of_moment("2h")
    assert moment
    assert before <= moment <= times.utc_now() - timedelta(hours=2)


def test_so_long_ago_as_nothing_is_not_to_come() -> None:
    assert as_of_moment("0s") is not None


def test_without_the_option_there_is_no_moment() -> None:
    assert as_of_moment(None) is None


@pytest.mark.parametrize("given", ["2026-11-24T09:15:02.115Z", "2026-11-25", "2026-11-24T10:00:00+00:30"])
def test_what_is_still_to_come_cannot_be_asked(given: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is still to come; it is 2026-11-24T09:15:02.114Z"):
        told(given)


@pytest.mark.parametrize(
    "given", ["", "yesterday", "2026-13-01", "5 parsecs", "99999999999999d", "-2h", "0001-01-01T00:00+05:00"]
)
def test_anything_else_is_one_sentence_with_examples(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time; write for example 2026-11-24T20:00:00Z"):
        told(given)
