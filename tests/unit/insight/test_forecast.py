from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundsman.insight.forecast import forecast, why_not

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
Points = list[tuple[datetime, float]]


def history(level: Callable[[float], float], *, days: float = 14, every_h: float = 1, noise: float = 0.2) -> Points:
    """Hourly values; `level` takes a day, 0 being now."""
    rng = random.Random(0)
    hours = [-step * every_h for step in range(int(days * 24 / every_h), -1, -1)]
    return [(NOW + timedelta(hours=hour), level(hour / 24) + rng.gauss(0, noise)) for hour in hours]


def in_days(points: Points, limit: float = 100) -> tuple[float, float]:
    found = forecast(points, limit, NOW)
    assert found is not None, why_not(points, limit, NOW)
    return (found.earliest - NOW) / timedelta(days=1), (found.latest - NOW) / timedelta(days=1)


def wave(day: float) -> float:
    return math.sin(2 * math.pi * day)


@pytest.mark.parametrize(
    ("points", "full_after"),
    [
        (history(lambda day: 80 + 2 * day), 10),
        (history(lambda day: 97 + 2 * day, days=3), 1.5),
        (history(lambda day: 80 + 2 * day, every_h=6), 10),
        (history(lambda day: 80 + 2 * day, every_h=1 / 12, days=4), 10),
        # The peak of the day reaches it first: 15 % below that is room that is not there.
        (history(lambda day: 65 + 2 * day + 15 * wave(day)), 10.25),
        # Rotated every night, and growing.
        (history(lambda day: 60 + 2 * day + 15 * ((day + 0.5) % 1)), 13.5),
        # A cleanup three weeks ago, and steady growth since.
        (history(lambda day: 80 + day if day > -21 else 95, days=40), 20),
    ],
)
def test_steady_growth_is_foretold(points: Points, full_after: float) -> None:
    earliest, latest = in_days(points)
    assert earliest <= full_after + 0.1
    assert full_after - 0.1 <= latest
    assert latest - earliest < 0.6 * full_after + 1


def test_the_slope_is_per_day() -> None:
    found = forecast(history(lambda day: 80 + 2 * day), 100, NOW)
    assert found is not None
    assert found.slope_per_day == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "too little history"),
        (history(lambda day: 80 + 2 * day, days=1), "too little history"),
        (history(lambda day: 80 + 2 * day, days=3, every_h=24), "too little history"),
        (history(lambda day: 101), "reached already"),
        (history(lambda day: 80), "no steady growth"),
        (history(lambda day: 80 - day), "falls from time to time"),
        (history(lambda day: 60 + 20 * wave(day)), "no steady growth"),
        (history(lambda day: 80 + day / 10), "more than 90 days"),
        (history(lambda day: 60 + day, days=2), "more than 16 days"),
        # One big copy, a week ago or yesterday.
        (history(lambda day: 50 + 40 * (day > -7), noise=0), "no steady growth"),
        (history(lambda day: 50 + 40 * (day > -7) + 0.01 * day, noise=0), "jumped once"),
        (history(lambda day: 50 + 40 * (day > -1) + day / 2, noise=0), "jumped once"),
        (history(lambda day: 90 + 4 * min(0, day + 4), noise=0.1), "(levelled off|no steady growth)"),
        # Rotated every week: it will not get much higher than it was.
        (history(lambda day: 50 + 45 * ((day / 7 + 0.9) % 1)), "falls from time to time, last from 9"),
        (history(lambda day: 50 + 45 * ((day / 10 + 0.9) % 1), days=60), "falls from time to time"),
        ([one for one in history(lambda day: 80 + 2 * day) if not -9 < (one[0] - NOW).days < -2], "a gap"),
        ([(when - timedelta(days=5), value) for when, value in history(lambda day: 80 + 2 * day)], "newest value"),
    ],
)  # fmt: skip
def test_nobody_can_tell(points: Points, reason: str) -> None:
    assert forecast(points, 100, NOW) is None
    assert re.search(reason, why_not(points, 100, NOW) or "")


def test_what_cannot_be_a_value_changes_nothing() -> None:
    points = history(lambda day: 80 + 2 * day)
    strange = [(when + timedelta(minutes=1), value) for (when, _), value in zip(
        points, [math.nan, math.inf, -math.inf, 1e300], strict=False
    )]  # fmt: skip
    future = [(NOW + timedelta(hours=1), 99.0)]
    shuffled = points + points + strange + future
    random.Random(1).shuffle(shuffled)
    assert in_days(shuffled) == in_days(points)


def test_outliers_have_no_say() -> None:
    points = history(lambda day: 80 + 2 * day)
    for at in (30, 100, 200, len(points) - 1):
        points[at] = (points[at][0], 250.0)
    earliest, latest = in_days(points)
    assert earliest < 10 < latest


def test_the_hour_that_the_clocks_are_set_back_is_an_hour() -> None:
    now = datetime(2026, 10, 26, 2, 0, tzinfo=UTC)
    points = [(when - (NOW - now), value) for when, value in history(lambda day: 80 + 2 * day)]
    berlin = [(when.astimezone(ZoneInfo("Europe/Berlin")), value) for when, value in points]
    assert forecast(berlin, 100, now.astimezone(ZoneInfo("Europe/Berlin"))) == forecast(points, 100, now)


def test_the_gap_of_one_value_in_five_does_no_harm() -> None:
    points = [one for index, one in enumerate(history(lambda day: 80 + 2 * day)) if index % 5]
    earliest, latest = in_days(points)
    assert earliest < 10.1
    assert latest > 9.9


VALUES = st.one_of(st.floats(), st.floats(0, 100), st.sampled_from([0.0, 50.0, 99.9, 1e17, -1e17]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(VALUES, max_size=80),
    st.lists(st.sampled_from([0, 60, 3600, 7200, 86400]), min_size=1, max_size=5),
    st.one_of(st.floats(), st.floats(1, 200)),
)
def test_whatever_the_points_there_is_a_range_to_come_or_a_reason(
    values: list[float], gaps_s: list[int], limit: float
) -> None:
    when, points = NOW, []
    for position, value in enumerate(values):
        points.append((when, value))
        when -= timedelta(seconds=gaps_s[position % len(gaps_s)])
    found, reason = forecast(points, limit, NOW), why_not(points, limit, NOW)
    assert (found is None) == (reason is not None)
    if found is not None:
        assert NOW <= found.earliest <= found.latest
        assert found.slope_per_day > 0


@settings(max_examples=60, deadline=None)
@given(
    pace=st.floats(0.5, 5), room=st.floats(2, 40), days=st.integers(4, 30), every_h=st.sampled_from([0.5, 1, 3, 6]),
)  # fmt: skip
def test_a_straight_line_is_foretold_exactly(pace: float, room: float, days: int, every_h: float) -> None:
    points = history(lambda day: 100 - room + pace * day, days=days, every_h=every_h, noise=0)
    if room / pace < 8 * min(days - 1, 14):
        earliest, latest = in_days(points)
        assert earliest - 0.3 <= room / pace <= latest + 0.3
