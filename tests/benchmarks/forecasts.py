"""A backtest of forecasts on series whose future is known, beside a least squares line with its 95 % interval.

Run it anywhere: python -m tests.benchmarks.forecasts

Every family of series is drawn many times with other sizes, paces, noises and lengths of history. The forecaster sees
what was before a moment; what came after it says how right it was.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from roundsman.insight.forecast import forecast

from .series import FILLS, HORIZON_D, LIMIT, NEVER, NOW, Make, Series

Range = tuple[float, float]


def ours(series: Series) -> Range | None:
    found = forecast(series.points, LIMIT, NOW)
    if found is None:
        return None
    return (found.earliest - NOW) / timedelta(days=1), (found.latest - NOW) / timedelta(days=1)


def least_squares(series: Series) -> Range | None:
    """A line through all points; the 95 % interval of its slope gives the range."""
    xs = [(when - NOW) / timedelta(days=1) for when, _ in series.points]
    ys = [value for _, value in series.points]
    slope, intercept = statistics.linear_regression(xs, ys)
    middle = statistics.fmean(xs)
    square = sum((x - middle) ** 2 for x in xs)
    rest = sum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    margin = 1.96 * math.sqrt(rest / (len(xs) - 2) / square)
    if slope <= margin or (LIMIT - intercept) / slope > HORIZON_D:
        return None
    return max(0.0, (LIMIT - intercept) / (slope + margin)), max(0.0, (LIMIT - intercept) / (slope - margin))


@dataclass
class Score:
    series: int = 0
    given: int = 0
    inside: int = 0
    errors: list[float] | None = None
    widths: list[float] | None = None

    def add(self, full_after_d: float | None, found: Range | None) -> None:
        self.series += 1
        if found is None:
            return
        self.given += 1
        if full_after_d is None:
            return
        earliest, latest = found
        # An hour of grace: that is how exactly the truth is known.
        self.inside += earliest - 1 / 24 <= full_after_d <= latest + 1 / 24
        self.errors = [*(self.errors or []), abs((earliest + latest) / 2 - full_after_d) / full_after_d]
        self.widths = [*(self.widths or []), (latest - earliest) / full_after_d]

    def of_fills(self) -> str:
        if not self.given:
            return "0 % | - | - | -"
        error, width = (100 * statistics.median(one or [0.0]) for one in (self.errors, self.widths))
        return f"{share(self.given, self.series)} | {share(self.inside, self.given)} | {error:.0f} % | {width:.0f} %"


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"


def drawn(make: Make, name: str, count: int, seed: int, *, fills: bool) -> Iterator[Series]:
    rng = random.Random(f"{seed} {name}")
    while count:
        series = make(rng)
        first_full = series.full_after_d
        if (first_full is None) != fills and (first_full is None or first_full > 0.25) and series.points[-1][1] < LIMIT:
            count -= 1
            yield series


def tables(count: int, seed: int) -> Iterator[str]:
    contenders = {"forecast": ours, "least squares": least_squares}
    yield "| fills up | by | given | true time within range | median error | median width |\n|---|---|---|---|---|---|"
    total = {name: Score() for name in contenders}
    for family, make in FILLS.items():
        every = list(drawn(make, family, count, seed, fills=True))
        for name, look in contenders.items():
            score = Score()
            for series in every:
                found = look(series)
                score.add(series.full_after_d, found)
                total[name].add(series.full_after_d, found)
            yield f"| {family} | {name} | {score.of_fills()} |"
    for name, score in total.items():
        yield f"| **all** | {name} | {score.of_fills()} |"
    yield "\n| never fills up | forecast: false alarms | least squares: false alarms |\n|---|---|---|"
    alarms = dict.fromkeys(contenders, 0)
    for family, make in NEVER.items():
        every = list(drawn(make, family, count, seed, fills=False))
        counts = {name: sum(look(series) is not None for series in every) for name, look in contenders.items()}
        alarms = {name: alarms[name] + counts[name] for name in contenders}
        yield f"| {family} | " + " | ".join(share(each, count) for each in counts.values()) + " |"
    yield "| **all** | " + " | ".join(share(each, count * len(NEVER)) for each in alarms.values()) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200, help="of each family")
    parser.add_argument("--seed", type=int, default=1, help="of the draws")
    arguments = parser.parse_args()
    started = time.perf_counter()
    for line in tables(arguments.series, arguments.seed):
        print(line)
    print(f"\n{arguments.series} series of each family, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
