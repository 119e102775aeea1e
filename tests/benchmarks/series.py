"""Families of series whose future is known: what fills up some day, and what never does."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIMIT = 100.0
HORIZON_D = 90.0

Level = Callable[[float], float]  # the true level at a day, 0 being now
Make = Callable[[random.Random], "Series"]


@dataclass(frozen=True)
class Series:
    points: Sequence[tuple[datetime, float]]
    full_after_d: float | None  # None: not within the horizon

    @classmethod
    def of(cls, rng: random.Random, level: Level, *, noise: float = 0.3, step_h: float = 1.0) -> Series:
        days = rng.uniform(3, 30)
        steps = range(-int(days * 24 / step_h), 1)
        points = [(step * step_h / 24, level(step * step_h / 24) + rng.gauss(0, noise)) for step in steps]
        future = (hour / 24 for hour in range(int(HORIZON_D * 24)))
        full = next((day for day in future if level(day) >= LIMIT), None)
        return cls([(NOW + timedelta(days=day), value) for day, value in points], full)

    def without(self, dropped: Callable[[int], bool]) -> Series:
        return Series([one for index, one in enumerate(self.points) if not dropped(index)], self.full_after_d)

    def with_values(self, changed: Callable[[int, float], float]) -> Series:
        points = [(when, changed(index, value)) for index, (when, value) in enumerate(self.points)]
        return Series(points, self.full_after_d)


def growth(rng: random.Random) -> tuple[float, float]:
    """(level now, pace a day): full within some days to some weeks."""
    level = rng.uniform(50, 92)
    return level, (LIMIT - level) / math.exp(rng.uniform(math.log(2), math.log(40)))


def wave(day: float) -> float:
    return math.sin(2 * math.pi * day)


def linear(rng: random.Random) -> Series:
    level, pace = growth(rng)
    return Series.of(rng, lambda day: level + pace * day, noise=rng.uniform(0, 1))


def daily_cycle_and_growth(rng: random.Random) -> Series:
    level, pace = growth(rng)
    height, phase = rng.uniform(1, 8), rng.random()
    return Series.of(rng, lambda day: level - height + pace * day + height * wave(day + phase))


def weekdays_only(rng: random.Random) -> Series:
    level, pace = growth(rng)
    start = rng.randrange(7)

    def worked(day: float) -> float:
        weeks, rest = divmod(day + start, 7)
        return 5 * weeks + min(rest, 5)

    return Series.of(rng, lambda day: level + pace * 7 / 5 * (worked(day) - worked(0)))


def nightly_dumps(rng: random.Random) -> Series:
    level, pace = growth(rng)
    hour = rng.random()
    return Series.of(rng, lambda day: level + pace * math.floor(day + hour))


def nightly_cleanup_and_growth(rng: random.Random) -> Series:
    level, pace = growth(rng)
    height, hour = rng.uniform(2, 15), rng.random()
    return Series.of(rng, lambda day: level - height + pace * day + height * ((day + hour) % 1))


def accelerating(rng: random.Random) -> Series:
    level, pace = growth(rng)
    doubling_d = rng.uniform(10, 40)
    rate = math.log(2) / doubling_d
    return Series.of(rng, lambda day: level + pace / rate * (math.exp(rate * day) - 1))


def gaps(rng: random.Random) -> Series:
    whole = linear(rng)
    holes = [(rng.random(), rng.uniform(0.02, 0.15)) for _ in range(3)]
    count = len(whole.points)
    return whole.without(lambda index: any(0 < index / count - hole < length for hole, length in holes))


def outliers(rng: random.Random) -> Series:
    return linear(rng).with_values(lambda _, value: rng.uniform(0, 300) if rng.random() < 0.03 else value)


def restarts(rng: random.Random) -> Series:
    """After each boot the disk is not mounted for a moment: 0, or nothing at all."""
    whole = daily_cycle_and_growth(rng)
    boots = {rng.randrange(len(whole.points)) for _ in range(3)}
    return whole.without(lambda index: index - 2 in boots).with_values(
        lambda index, value: 0.0 if index in boots else value
    )


def flat(rng: random.Random) -> Series:
    level = rng.uniform(50, 95)
    return Series.of(rng, lambda _: level, noise=rng.uniform(0, 2))


def daily_cycle(rng: random.Random) -> Series:
    height, phase = rng.uniform(1, 15), rng.random()
    level = rng.uniform(50, 98 - height)
    return Series.of(rng, lambda day: level + height * wave(day + phase))


def sawtooth(rng: random.Random, period_d: float) -> Series:
    height = rng.uniform(5, 40)
    low, phase = rng.uniform(30, 98 - height), rng.random()
    return Series.of(rng, lambda day: low + height * ((day / period_d + phase) % 1))


def step(rng: random.Random) -> Series:
    height = rng.uniform(5, 30)
    low, when = rng.uniform(40, 98 - height), rng.uniform(-20, 0)
    return Series.of(rng, lambda day: low + height * (day >= when))


def plateau(rng: random.Random) -> Series:
    level, since = rng.uniform(60, 97), rng.uniform(-15, -1)
    pace = rng.uniform(0.5, 4)
    return Series.of(rng, lambda day: level + pace * min(0.0, day - since))


def wandering(rng: random.Random) -> Series:
    """It drifts about a level, without any aim."""
    steps, level = [0.0], rng.uniform(50, 85)
    for _ in range(31 * 24):
        steps.append(0.995 * steps[-1] + rng.gauss(0, 0.3))
    return Series.of(rng, lambda day: level + (steps[min(0, int(day * 24)) - 1] if day <= 0 else 0.0), noise=0.1)


def shrinking(rng: random.Random) -> Series:
    level, pace = rng.uniform(50, 95), rng.uniform(0.1, 2)
    return Series.of(rng, lambda day: level - pace * day, noise=rng.uniform(0, 1))


FILLS: dict[str, Make] = {
    "linear growth, noise": linear,
    "daily cycle and growth": daily_cycle_and_growth,
    "growth on weekdays only": weekdays_only,
    "nightly dumps (stairs)": nightly_dumps,
    "nightly cleanup and growth": nightly_cleanup_and_growth,
    "accelerating growth": accelerating,
    "growth, gaps": gaps,
    "growth, 3 % outliers": outliers,
    "growth, reboots": restarts,
}
NEVER: dict[str, Make] = {
    "flat, noise": flat,
    "daily cycle": daily_cycle,
    "sawtooth, nightly": lambda rng: sawtooth(rng, 1),
    "sawtooth, weekly": lambda rng: sawtooth(rng, 7),
    "sawtooth, 3 to 12 days": lambda rng: sawtooth(rng, rng.uniform(3, 12)),
    "step (one big copy)": step,
    "plateau after growth": plateau,
    "wandering": wandering,
    "shrinking": shrinking,
}
