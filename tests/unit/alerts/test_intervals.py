"""Time intervals against the calendar, spelled out day by day."""

from __future__ import annotations

from calendar import day_name, month_name, monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.intervals import (
    Interval,
    clock_range,
    containing,
    day_of_month_range,
    month_range,
    weekday_range,
    year_range,
)

BERLIN = ZoneInfo("Europe/Berlin")
Parser = Callable[[str], tuple[int, int]]
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
WEEK = [day_name[(day - 1) % 7].lower() for day in range(7)]
YEAR = [month_name[month].lower() for month in range(1, 13)]


def pairs(most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, most), st.integers(0, most)).map(lambda pair: (min(pair), max(pair)))


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    hours=st.none() | st.lists(pairs(24).filter(lambda pair: pair[0] < pair[1]), max_size=2),
    weekdays=st.none() | st.lists(pairs(6), max_size=2),
    days=st.none() | st.lists(pairs(27), max_size=2),
    from_end=st.booleans(),
    months=st.none() | st.lists(pairs(11), max_size=2),
    years=st.none() | st.lists(pairs(12), max_size=2),
)
def test_intervals_are_what_the_calendar_says(
    at: datetime,
    zone: str,
    hours: list[tuple[int, int]] | None,
    weekdays: list[tuple[int, int]] | None,
    days: list[tuple[int, int]] | None,
    from_end: bool,
    months: list[tuple[int, int]] | None,
    years: list[tuple[int, int]] | None,
) -> None:
    def built(
        ranges: list[tuple[int, int]] | None, make: Parser, name: Callable[[int], object]
    ) -> list[tuple[int, int]] | None:
        return None if ranges is None else [make(f"{name(begin)}:{name(end)}") for begin, end in ranges]

    interval = Interval(
        times=None if hours is None else [clock_range(f"{begin:02}:00", f"{end:02}:00") for begin, end in hours],
        weekdays=built(weekdays, weekday_range, WEEK.__getitem__),
        days_of_month=built(days, day_of_month_range, lambda n: n - 28 if from_end else n + 1),
        months=built(months, month_range, YEAR.__getitem__),
        years=built(years, year_range, lambda n: 2020 + n),
        location=ZoneInfo(zone),
    )
    wall = at.astimezone(ZoneInfo(zone))
    month = list(range(1, monthrange(wall.year, wall.month)[1] + 1))
    calendar = [*month[-28:], None] if from_end else [*month, None]
    wanted = [
        hours is None or any(wall.hour in range(begin, end) for begin, end in hours),
        weekdays is None or any(wall.strftime("%A").lower() in WEEK[begin : end + 1] for begin, end in weekdays),
        days is None or any(wall.day in calendar[begin : end + 1] for begin, end in days),
        months is None or any(wall.strftime("%B").lower() in YEAR[begin : end + 1] for begin, end in months),
        years is None or any(wall.year - 2020 in range(begin, end + 1) for begin, end in years),
    ]
    assert interval.contains(at) is all(wanted)


@pytest.mark.parametrize("night", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
def test_a_change_of_the_clock_lengthens_or_shortens_the_night(night: datetime) -> None:
    """From 01:30 to 03:30: an hour when the clock is put forward, three when it is put back."""
    interval = Interval(times=[clock_range("01:30", "03:30")], location=BERLIN)
    minutes = sum(interval.contains(night + timedelta(minutes=minute)) for minute in range(12 * 60))
    assert minutes == (60 if night.month == 3 else 180)


def test_the_last_days_of_a_month_in_which_the_clock_changes() -> None:
    """October is an hour longer than 31 days, March an hour shorter: their last day is the 31st all the same."""
    last = Interval(days_of_month=[day_of_month_range("-1")], location=BERLIN)
    for month in (3, 10):
        assert not last.contains(datetime(2026, month, 30, 12, tzinfo=BERLIN))
        assert last.contains(datetime(2026, month, 31, 12, tzinfo=BERLIN))


def test_a_day_that_the_month_does_not_have() -> None:
    thirty_first = Interval(days_of_month=[day_of_month_range("31")])
    assert not any(thirty_first.contains(datetime(2026, 2, day, tzinfo=UTC)) for day in range(1, 29))
    to_the_end = Interval(days_of_month=[day_of_month_range("25:31")])
    assert to_the_end.contains(datetime(2026, 2, 28, tzinfo=UTC))


@pytest.mark.parametrize(
    ("make", "text", "expected"),
    [
        (weekday_range, "Monday:Friday", (1, 5)),
        (weekday_range, "saturday", (6, 6)),
        (month_range, "1:march", (1, 3)),
        (year_range, "2026", (2026, 2026)),
        (day_of_month_range, "1:-1", (1, -1)),
    ],
)
def test_words(make: Parser, text: str, expected: tuple[int, int]) -> None:
    assert make(text) == expected


@pytest.mark.parametrize(
    ("make", "text", "fault"),
    [
        (weekday_range, "friday:monday", "ends before it begins"),
        (weekday_range, "mon", "is no day of the week"),
        (month_range, "13", "is no month"),
        (month_range, "march:january", "ends before it begins"),
        (year_range, "MMXXVI", "is no year"),
        (day_of_month_range, "0", "is no day of a month"),
        (day_of_month_range, "1:2:3", "is no day of a month"),
        (day_of_month_range, "-3:2", "the end must be negative, too"),
        (day_of_month_range, "-1:-3", "ends before it begins"),
        (day_of_month_range, "29:-1", "ends before it begins"),
    ],
)
def test_faults(make: Parser, text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        make(text)


@pytest.mark.parametrize(
    ("start", "end"), [("9:00", "17:00"), ("17:00", "09:00"), ("09:00", "09:00"), ("24:01", "24:02")]
)
def test_times_of_day_that_are_none(start: str, end: str) -> None:
    with pytest.raises(ValueError, match=r"is no time of day|is not before"):
        clock_range(start, end)


def test_containing_names_those_that_do() -> None:
    intervals = {"always": [Interval()], "never": [Interval(years=[])], "either": [Interval(years=[]), Interval()]}
    at = datetime(2026, 11, 26, tzinfo=UTC)
    assert containing(["never", "always", "gone", "either"], at, intervals) == ("always", "either")
