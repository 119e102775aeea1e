"""Many measurements as few: how many there were in an hour or a day, the least, the greatest, the mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

HOUR_S = 3600
DAY_S = 86400


@dataclass(frozen=True)
class Span:
    """`n` measurements that began at `at`, in seconds of UTC since 1970; one measurement is a span of its own."""

    at: int
    n: int
    low: float
    high: float
    mean: float


def sample(at: int, value: float) -> Span:
    return Span(at, 1, value, value, value)


def downsample(spans: Iterable[Span], step_s: int) -> list[Span]:
    """One span per step that has any, in order. What is down-sampled already may come again, with what came late."""
    in_order = sorted(spans, key=lambda span: (span.at // step_s, span.at, span.n, span.mean))
    return [_joined(step * step_s, list(group)) for step, group in groupby(in_order, lambda span: span.at // step_s)]


def _joined(at: int, spans: list[Span]) -> Span:
    n = sum(span.n for span in spans)
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    # Weights before sums: the sum of large numbers may be none. Rounding must not lead out of the range.
    mean = sum(span.mean * (span.n / n) for span in spans)
    return Span(at, n, low, high, min(max(mean, low), high))
