"""How long people take: from an alert's opening to its acknowledgement and to its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Episode:
    """One time that an alert was open."""

    fingerprint: str
    host: str
    check: str
    severity: str
    opened_at: datetime
    receivers: Sequence[str] = ()
    assignee: str | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None


@dataclass(frozen=True)
class Figures:
    """Of some episodes. What nobody has acknowledged, or what is still open, has no time yet and is counted apart."""

    count: int
    acknowledged: int
    resolved: int
    acknowledge_median_s: float | None
    acknowledge_p90_s: float | None
    resolve_median_s: float | None
    resolve_p90_s: float | None


@dataclass(frozen=True)
class Statistics:
    total: Figures
    by_severity: Mapping[str, Figures]
    by_receiver: Mapping[str, Figures]
    by_assignee: Mapping[str, Figures]
    never_acknowledged: Sequence[Episode]  # the longest open first


def statistics(episodes: Iterable[Episode], since: datetime, now: datetime) -> Statistics:
    """Of the episodes that opened since then."""
    counted = [one for one in episodes if since <= one.opened_at <= now]
    return Statistics(
        total=figures(counted),
        by_severity=_by(counted, lambda one: [one.severity]),
        by_receiver=_by(counted, lambda one: one.receivers),
        by_assignee=_by(counted, lambda one: [one.assignee] if one.assignee else []),
        never_acknowledged=sorted(
            (one for one in counted if one.acknowledged_at is None),
            key=lambda one: one.opened_at - (one.resolved_at or now),
        ),
    )


def figures(episodes: Sequence[Episode]) -> Figures:
    acknowledged = [_seconds(one.opened_at, one.acknowledged_at) for one in episodes if one.acknowledged_at]
    resolved = [_seconds(one.opened_at, one.resolved_at) for one in episodes if one.resolved_at]
    return Figures(
        len(episodes), len(acknowledged), len(resolved),
        *_middle_and_most(acknowledged), *_middle_and_most(resolved),
    )  # fmt: skip


def _by(episodes: Sequence[Episode], names: Any) -> dict[str, Figures]:
    groups: dict[str, list[Episode]] = {}
    for one in episodes:
        for name in names(one):
            groups.setdefault(name, []).append(one)
    return {name: figures(groups[name]) for name in sorted(groups)}


def _seconds(start: datetime, end: datetime) -> float:
    # A clock that was set back must not make people faster than light.
    return max(0.0, (end - start).total_seconds())


def _middle_and_most(times: Sequence[float]) -> tuple[float | None, float | None]:
    """The median, and the time within which nine of ten were done (nearest rank: one that really was)."""
    if not times:
        return None, None
    return median(times), sorted(times)[ceil(0.9 * len(times)) - 1]
