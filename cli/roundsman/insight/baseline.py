"""What is usual at this hour of the week: median and spread of what history has for it, and words for what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from math import isfinite
from statistics import median

HOURS = 7 * 24
# Two of each hour of the week.
LEAST_SPAN = timedelta(days=14)
LEAST_COUNT = 6
LEAST_WEEKS = 2
# What makes the median of absolute deviations comparable to a standard deviation of the normal distribution.
TO_SIGMA = 1.4826
SPREADS = 5
# Values that hardly ever change have no spread; a twentieth of the usual is no news.
LEAST_SPREAD = 0.05
TIMES = 1.5
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True)
class Usual:
    """What is usual in one hour of the week."""

    median: float
    spread: float
    count: int
    when: str  # `on Tuesdays at 14 h`


@dataclass(frozen=True)
class Baseline:
    zone: tzinfo
    hours: Mapping[int, Usual]

    def at(self, moment: datetime) -> Usual | None:
        """What is usual at that moment; None where history has too little for its hour."""
        return self.hours.get(_hour_of_week(moment, self.zone))


def baseline(points: Sequence[tuple[datetime, float]], zone: tzinfo) -> Baseline | None:
    """The baseline of a series by hour of the week in `zone`; None when it spans less than two weeks.

    An hour takes the ones beside it along: rounds come a few minutes early or late, and two weeks of hourly rounds give
    two values an hour. Hours are those on the wall: people and their timers live by them.
    """
    known = {when: value for when, value in points if isfinite(value)}
    if not known or max(known) - min(known) < LEAST_SPAN:
        return None
    by_hour: dict[int, list[tuple[datetime, float]]] = {}
    for when, value in known.items():
        by_hour.setdefault(_hour_of_week(when, zone), []).append((when, value))
    hours = {}
    for hour in by_hour:
        beside = [one for step in (-1, 0, 1) for one in by_hour.get((hour + step) % HOURS, [])]
        weeks = {when.astimezone(zone).isocalendar()[:2] for when, _ in beside}
        if len(beside) >= LEAST_COUNT and len(weeks) >= LEAST_WEEKS:
            hours[hour] = _usual([value for _, value in beside], hour)
    return Baseline(zone, hours)


def unusual(value: float, usual: Usual | None) -> str | None:
    """Words for a value that is far from what is usual, or None."""
    if usual is None or not isfinite(value):
        return None
    spread = max(usual.spread, LEAST_SPREAD * abs(usual.median))
    if abs(value - usual.median) <= SPREADS * spread:
        return None
    if usual.median > 0 and value >= TIMES * usual.median:
        return f"{value / usual.median:.1f} times what is usual {usual.when}"
    if usual.median > 0 and 0 < value <= usual.median / TIMES:
        return f"only {100 * value / usual.median:.0f} % of what is usual {usual.when}"
    return f"{value:.4g}, where {usual.median:.4g} is usual {usual.when}"


def _hour_of_week(moment: datetime, zone: tzinfo) -> int:
    local = moment.astimezone(zone)
    return local.weekday() * 24 + local.hour


def _usual(values: Sequence[float], hour: int) -> Usual:
    middle = median(values)
    spread = TO_SIGMA * median(abs(value - middle) for value in values)
    return Usual(middle, spread, len(values), f"on {_DAYS[hour // 24]} at {hour % 24} h")
