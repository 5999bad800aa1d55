from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.times import of_epoch, parse, text, utc_now
from tests.pipeline.laws import law

zones = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001  the zone is drawn
moments = st.datetimes(FIRST, LAST, timezones=zones | st.just(UTC))


@law
@given(moments, moments)
def test_the_order_of_texts_is_the_order_of_times(one: datetime, other: datetime) -> None:
    first, second = sorted([one, other])
    assert text(first) <= text(second)
    if second - first >= timedelta(milliseconds=1):
        assert text(first) < text(second)


@law
@given(moments)
def test_a_text_has_a_fixed_width(moment: datetime) -> None:
    assert len(text(moment)) == len("2026-11-24T09:15:02.114Z")


@law
@given(moments)
def test_a_time_survives_its_text_to_the_millisecond(moment: datetime) -> None:
    assert timedelta(0) <= moment - parse(text(moment)) < timedelta(milliseconds=1)


@law
@given(moments)
def test_a_text_is_its_own_text(moment: datetime) -> None:
    assert text(parse(text(moment))) == text(moment)


@law
@given(moments)
def test_whatever_the_zone_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    assert parse(moment.isoformat()) == moment


@pytest.mark.parametrize(
    ("given_", "stored"),
    [
        ("2026-11-24T09:15:02.114Z", "2026-11-24T09:15:02.114Z"),
        ("2026-11-24T09:15:02Z", "2026-11-24T09:15:02.000Z"),
        ("2026-11-24T09:15:02.1Z", "2026-11-24T09:15:02.100Z"),
        ("2026-11-24T09:15:02.114999999Z", "2026-11-24T09:15:02.114Z"),
        ("2026-11-24T09:15:02", "2026-11-24T09:15:02.000Z"),
        ("2026-11-24T10:45:02+01:30", "2026-11-24T09:15:02.000Z"),
        ("2026-11-24 09:15:02-00:00", "2026-11-24T09:15:02.000Z"),
        ("2026-11-24", "2026-11-24T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_any_iso_8601_time_is_brought_into_one_form(given_: str, stored: str) -> None:
    assert text(parse(given_)) == stored


@pytest.mark.parametrize(
    "garbage",
    ["", " ", "now", "1795511704", "2026-13-01", "2026-02-30T00:00:00Z", "2026-11-24T25:00:00Z", "24.11.2026",
     "2026-11-24T09:15:02ZZ", "\ud800", "2026-11-24T09:15:02.114Z\n", "0001-01-01T00:00:00+00:01",
     "9999-12-31T23:59:59-00:01", None, 7, [], {}],
)  # fmt: skip
def test_anything_else_is_a_value_error(garbage: str) -> None:
    with pytest.raises(ValueError, match=r"^not an ISO 8601 time$"):
        parse(garbage)


@law
@given(st.text() | st.text("0123456789-:TZ+.W "))
def test_nothing_but_a_value_error_comes_of_text(value: str) -> None:
    try:
        text(parse(value))
    except ValueError:
        return


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1795511702.114, "2026-11-24T09:15:02.114Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
    ],
)
def test_seconds_are_counted_from_1970(seconds: float, moment: str) -> None:
    assert text(of_epoch(seconds)) == moment


@pytest.mark.parametrize("seconds", [1e20, -1e20, 10**400, float("nan"), float("inf"), 253402300800])
def test_seconds_beyond_the_calendar_are_a_value_error(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^not a time in seconds$"):
        of_epoch(seconds)


def test_a_moment_without_zone_is_taken_as_utc() -> None:
    assert text(datetime(2026, 11, 24, 9, 15)) == "2026-11-24T09:15:00.000Z"  # noqa: DTZ001  that is the claim


def test_the_clock_tells_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)
