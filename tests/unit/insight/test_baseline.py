from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundsman.insight.baseline import Usual, baseline, unusual

BERLIN = ZoneInfo("Europe/Berlin")
# A Monday.
START = datetime(2026, 10, 5, 0, 0, tzinfo=UTC)
Points = list[tuple[datetime, float]]


def office(days: float = 28, every: timedelta = timedelta(minutes=30), since: datetime = START) -> Points:
    """Requests of an office in Berlin: 100 a second from 9 to 17 h on weekdays, 10 otherwise."""
    points = []
    when = since
    while when <= since + timedelta(days=days):
        local = when.astimezone(BERLIN)
        busy = local.weekday() < 5 and 9 <= local.hour < 17
        points.append((when, 100.0 if busy else 10.0))
        when += every
    return points


def local(month: int, day: int, hour: int, minute: int = 20) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


def words(value: float, when: datetime, points: Points | None = None) -> str | None:
    known = baseline(points or office(), BERLIN)
    assert known is not None
    return unusual(value, known.at(when))


TUESDAY, SUNDAY = local(11, 3, 14), local(11, 8, 14)


@pytest.mark.parametrize(
    ("value", "when", "said"),
    [
        (320, TUESDAY, "3.2 times what is usual on Tuesdays at 14 h"),
        (110, TUESDAY, None),
        (30, TUESDAY, "only 30 % of what is usual on Tuesdays at 14 h"),
        (0, TUESDAY, "0, where 100 is usual on Tuesdays at 14 h"),
        (130, TUESDAY, "130, where 100 is usual on Tuesdays at 14 h"),
        # What is fine on a Tuesday is not on a Sunday.
        (100, SUNDAY, "10.0 times what is usual on Sundays at 14 h"),
        (math.nan, TUESDAY, None),
    ],
)
def test_words(value: float, when: datetime, said: str | None) -> None:
    assert words(value, when) == said


def test_hours_are_those_on_the_wall_through_the_change_of_the_clocks() -> None:
    """The clocks were set back on 25 October: work ended at 15 h UTC, and now it does at 16 h."""
    now = local(11, 3, 16, 30)
    assert words(100, local(10, 20, 16, 30)) is None
    assert words(100, now) is None
    in_utc = baseline(office(), UTC)
    assert in_utc is not None
    assert unusual(100, in_utc.at(now)) is not None


def test_two_weeks_of_hourly_rounds_are_enough() -> None:
    known = baseline(office(14, timedelta(hours=1)), BERLIN)
    assert known is not None
    usual = known.at(local(10, 20, 12))
    assert usual is not None
    assert (round(usual.median, -1), usual.count) == (100, 6)


@pytest.mark.parametrize("points", [[], office(13), [(START, 1.0), (START + timedelta(days=20), 1.0)]])
def test_too_little_history_says_nothing(points: Points) -> None:
    known = baseline(points, BERLIN)
    assert known is None or known.at(START) is None


def test_a_constant_has_room_for_a_twentieth() -> None:
    points = [(START + timedelta(hours=hour), 200.0) for hour in range(24 * 21)]
    assert words(240, TUESDAY, points) is None
    assert words(300, TUESDAY, points) == "1.5 times what is usual on Tuesdays at 14 h"
    assert words(251, TUESDAY, points) == "251, where 200 is usual on Tuesdays at 14 h"


def test_one_bad_night_does_not_become_usual() -> None:
    points = [(when, value * (50 if 20 < (when - START).days < 22 else 1)) for when, value in office()]
    assert words(500, TUESDAY, points) is not None


@settings(max_examples=100)
@given(st.floats(allow_nan=True), st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_whatever_the_value_there_are_words_or_none(value: float, middle: float, spread: float) -> None:
    said = unusual(value, Usual(middle, spread, 6, "on Mondays at 0 h"))
    assert said is None or said.endswith("usual on Mondays at 0 h")
