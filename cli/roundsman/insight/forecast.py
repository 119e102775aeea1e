"""When will it be full? A range from a robust slope of the daily envelope, or the reason why nobody can tell.

A forecast is shown and recommended, it never alerts. How well it does is measured by tests/benchmarks/forecasts.py.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, floor, log, log1p
from statistics import median, median_low

Points = Sequence[tuple[datetime, float]]

DAY_S = 86400.0
# What grew two weeks ago and no longer does must not count.
WINDOW_S = 14 * DAY_S
# A day to see the peak of the daily cycle, half a day to see that peak grow.
LEAST_SPAN_S = 1.5 * DAY_S
LEAST_POINTS = 12
HOUR_S = 3600.0
NEAR_S = 6 * HOUR_S
# More says nothing new about a slope, and their pairs cost.
MOST_LEVELS = 64
HORIZON_S = 90 * DAY_S
# From two days nobody can tell about three months.
TIMES_THE_SPAN = 8
# A gap, a fall or a jump of this share of the whole is more than noise.
GAP, FALL, JUMP = 0.4, 0.2, 0.4
# What is less than this share of the limit is noise whatever its share of the whole.
SHALLOW = 0.01
LEVELLED_OFF = 0.3
BAD_FIT = 0.15
WIDEST_RANGE = 12
LOW, HIGH = 0.05, 0.95
# No measurement is so large; arithmetic with what is larger might overflow.
ABSURD = 1e18


@dataclass(frozen=True)
class Forecast:
    """The limit is reached between `earliest` and `latest`."""

    earliest: datetime
    latest: datetime
    slope_per_day: float


class _NoForecastError(Exception):
    """Why there is none, in words."""


@dataclass(frozen=True)
class _Envelope:
    """The highest level of the 24 h before each time (in s, 0 is now): no daily cycle, no nightly cleanup."""

    times: Sequence[float]
    levels: Sequence[float]

    @property
    def span_s(self) -> float:
        return self.times[-1] - self.times[0]

    @property
    def range(self) -> float:
        return max(self.levels) - min(self.levels)

    def since(self, start: float) -> _Envelope:
        first = bisect_left(self.times, start)
        return _Envelope(self.times[first:], self.levels[first:])

    def thinned(self) -> _Envelope:
        """Not more than MOST_LEVELS, the newest among them."""
        every = -(-len(self.times) // MOST_LEVELS)
        return _Envelope(self.times[::-1][::every][::-1], self.levels[::-1][::every][::-1])


def forecast(points: Points, limit: float, now: datetime) -> Forecast | None:
    """When the values reach `limit` if they go on as they did, or None: see `why_not`. They count upwards: of what runs
    out, negate values and limit.
    """
    try:
        return _forecast(points, limit, now)
    except _NoForecastError:
        return None


def why_not(points: Points, limit: float, now: datetime) -> str | None:
    """Why there is no forecast, in words; None when there is one."""
    try:
        _forecast(points, limit, now)
    except _NoForecastError as reason:
        return str(reason)
    return None


def _forecast(points: Points, limit: float, now: datetime) -> Forecast:
    whole = _envelope(_clean(points, now))
    _refuse_if(not whole.levels[-1] < limit < ABSURD, "the limit is reached already")
    recent = _without_teeth(whole, limit).thinned()
    _refuse_if(recent.span_s < LEAST_SPAN_S - DAY_S, "there is too little history")
    low, slope, high = _slopes(recent)
    paces = _paces(recent)
    _judge(recent, slope, paces)
    start, level = recent.times[-1], recent.levels[-1]
    fitted = median(level - slope * (when - start) for when, level in _pairs(recent))
    likely = (limit - fitted) / slope
    soonest = (limit - max(fitted, level)) / max(high, paces[-1])
    last = (limit - min(fitted, level)) / low
    if paces[0] < 0.99 * paces[2]:
        soonest = min(soonest, _accelerating(recent, paces, limit - level))
    reach = min(HORIZON_S, TIMES_THE_SPAN * (recent.span_s + DAY_S))
    _refuse_if(likely > reach, f"it would take more than {reach / DAY_S:.0f} days at this pace")
    _refuse_if(last > WIDEST_RANGE * max(soonest, DAY_S / 2), "the pace changes too much")
    earliest, latest = (now + timedelta(seconds=max(0.0, start + after)) for after in (soonest, last))
    return Forecast(earliest, latest, slope * DAY_S)


def _refuse_if(refused: bool, reason: str) -> None:
    if refused:
        raise _NoForecastError(reason)


def _clean(points: Points, now: datetime) -> list[tuple[float, float]]:
    """(s before now, value), in order; one value a time, nothing that is no number or not yet."""
    # In UTC: within one zone Python subtracts what the clocks on the wall said.
    now = now.astimezone(UTC)
    known = {(when.astimezone(UTC) - now).total_seconds(): value for when, value in points if abs(value) < ABSURD}
    series = sorted(item for item in known.items() if item[0] <= 0)
    _refuse_if(len(series) < LEAST_POINTS, "there is too little history")
    span_s = series[-1][0] - series[0][0]
    _refuse_if(span_s < LEAST_SPAN_S, "there is too little history")
    _refuse_if(-series[-1][0] > max(DAY_S, span_s / 4), "the newest value is too old")
    return series


def _envelope(series: Sequence[tuple[float, float]]) -> _Envelope:
    """Medians of an hour and of five, as outliers have no say; then the highest of 24 h. The first day fills up."""
    hours: dict[int, list[float]] = {}
    for when, value in series:
        hours.setdefault(floor(when / HOUR_S), []).append(value)
    times = [min(0.0, (hour + 0.5) * HOUR_S) for hour in hours]
    values = [median(inside) for inside in hours.values()]
    calm = [_calm(times, values, position) for position in range(len(values))]
    first = bisect_left(times, times[0] + DAY_S - HOUR_S)
    starts = [bisect_right(times, when - DAY_S) for when in times[first:]]
    levels = [max(calm[start : first + offset + 1]) for offset, start in enumerate(starts)]
    return _Envelope(times[first:], levels)


def _calm(times: Sequence[float], values: Sequence[float], position: int) -> float:
    """The median of a value and the two on either side of it, so far as they are near; of an even number the lower."""
    near = range(max(0, position - 2), min(len(values), position + 3))
    return median_low(values[one] for one in near if abs(times[one] - times[position]) <= NEAR_S)


def _without_teeth(whole: _Envelope, limit: float) -> _Envelope:
    """The part to go by: the window, unless the values fall now and then, as logs do that are rotated weekly.

    One fall before the window was a cleanup. What fell within the window, or twice, is a sawtooth and will fall again,
    until it is clearly higher than it ever was.
    """
    start = whole.times[-1] - WINDOW_S
    peaks, fallen = _falls(whole, limit)
    risen_past = not fallen or whole.levels[-1] > max(peaks) + FALL / 2 * whole.range
    if not risen_past and (len(fallen) > 1 or fallen[-1] >= start):
        raise _NoForecastError(f"it falls from time to time, last from {max(peaks):.3g}")
    return whole.since(max(start, fallen[-1] if fallen else start))


def _falls(whole: _Envelope, limit: float) -> tuple[list[float], list[float]]:
    """(how high it was before each fall, when it had fallen)."""
    peaks, fallen = [], []
    peak = whole.levels[0]
    deep = max(FALL * whole.range, SHALLOW * abs(limit))
    for (_, before), (when, level) in pairwise(zip(whole.times, whole.levels, strict=True)):
        peak = max(peak, level)
        if level < before and peak - level > deep:
            peaks.append(peak)
            fallen.append(when)
            peak = level
    return peaks, fallen


def _slopes(recent: _Envelope) -> tuple[float, float, float]:
    """(low, median, high) of the slopes between points that are far enough apart for the daily stairs not to matter."""
    apart = min(max(recent.span_s / 4, LEAST_SPAN_S - DAY_S), recent.span_s / 2)
    slopes = sorted(
        (recent.levels[later] - recent.levels[earlier]) / (recent.times[later] - recent.times[earlier])
        for later in range(len(recent.times))
        for earlier in range(later)
        if recent.times[later] - recent.times[earlier] >= apart
    )
    _refuse_if(len(slopes) < LEAST_POINTS, "there is too little history")
    low, high = (slopes[round(share * (len(slopes) - 1))] for share in (LOW, HIGH))
    _refuse_if(low <= 0, "there is no steady growth")
    return low, median(slopes), high


def _paces(recent: _Envelope) -> list[float]:
    """The growth per s in each third."""
    bounds = [recent.times[0] + recent.span_s * part / 3 for part in range(4)]
    levels = [recent.levels[min(bisect_left(recent.times, bound), len(recent.times) - 1)] for bound in bounds]
    return [(later - earlier) / (recent.span_s / 3) for earlier, later in pairwise(levels)]


def _accelerating(recent: _Envelope, paces: Sequence[float], room: float) -> float:
    """How long growth takes to fill the room if its pace goes on to grow, half as fast again as it did."""
    rate = 1.5 * log(paces[2] / max(paces[0], paces[2] / 8)) / (recent.span_s * 2 / 3)
    pace_now = paces[2] * exp(rate * recent.span_s / 6)
    return log1p(rate * room / pace_now) / rate


def _judge(recent: _Envelope, slope: float, paces: Sequence[float]) -> None:
    """Growth that a line does not describe is none to go by."""
    steps = [(later[0] - earlier[0], later[1] - earlier[1]) for earlier, later in pairwise(_pairs(recent))]
    _refuse_if(max(length for length, _ in steps) > GAP * recent.span_s, "there is a gap in the history")
    _refuse_if(max(step for _, step in steps) > JUMP * recent.range, "it jumped once and does not grow")
    _refuse_if(paces[-1] < LEVELLED_OFF * slope, "the growth has levelled off")
    residuals = [level - slope * when for when, level in _pairs(recent)]
    middle = median(residuals)
    unevenness = median(abs(one - middle) for one in residuals)
    _refuse_if(unevenness > BAD_FIT * slope * recent.span_s, "it does not grow evenly")


def _pairs(recent: _Envelope) -> list[tuple[float, float]]:
    return list(zip(recent.times, recent.levels, strict=True))
