"""A line of small blocks: how a measurement went, in the width of a word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-=+*#@"
LEAST_RANGE = 0.1

Points = Sequence[tuple[datetime, float]]


def sparkline(points: Points, width: int, *, plain: bool = False) -> str:
    """The points, oldest first, from their least to their greatest; each place is the mean of its time, or a gap."""
    if not points:
        return ""
    blocks = ASCII if plain else BLOCKS
    start, length_s = points[0][0], (points[-1][0] - points[0][0]).total_seconds()
    places: list[list[float]] = [[] for _ in range(width if length_s > 0 else 1)]
    for when, value in points:
        share = (when - start).total_seconds() / length_s if length_s > 0 else 0
        places[min(int(share * width), width - 1) if length_s > 0 else 0].append(value)
    means = [sum(value / len(place) for value in place) if place else None for place in places]
    known = [mean for mean in means if mean is not None]
    low, high = min(known), max(known)
    return "".join(" " if mean is None else blocks[_level(mean, low, high, len(blocks))] for mean in means)


def _level(value: float, low: float, high: float, levels: int) -> int:
    """Small changes of a large number look small. Halves, because the distance of large numbers may be none."""
    whole = max(high / 2 - low / 2, LEAST_RANGE * max(abs(low), abs(high)) / 2)
    return min(int((value / 2 - low / 2) / whole * levels), levels - 1) if whole else 0
