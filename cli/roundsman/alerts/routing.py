"""The tree of routes, as Alertmanager walks it: which receivers an alert has, how it is grouped, when it is muted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from roundsman.alerts.intervals import Intervals, containing
from roundsman.alerts.matchers import Labels, Matchers, text_of

EVERY_LABEL = "..."
# What a route takes from its parent unless it says otherwise; the root takes these.
_INHERITED: Mapping[str, Any] = {
    "receiver": "",
    "group_by": (),
    "group_wait": timedelta(seconds=30),
    "group_interval": timedelta(minutes=5),
    "repeat_interval": timedelta(hours=4),
}


@dataclass(frozen=True)
class Route:
    """One node of the tree, with what it inherits."""

    key: str  # stable: the matchers from the root down to here
    receiver: str
    matchers: Matchers
    group_by: tuple[str, ...]
    group_wait: timedelta
    group_interval: timedelta
    repeat_interval: timedelta
    continues: bool
    mute_time_intervals: tuple[str, ...]
    active_time_intervals: tuple[str, ...]
    routes: tuple[Route, ...]

    def group_labels(self, labels: Labels) -> dict[str, str]:
        """The labels of the group that the alert belongs to; alerts whose are equal go out together."""
        everything = EVERY_LABEL in self.group_by
        # A priority changes with the time of day; the group that an alert is in must not.
        return {
            name: value
            for name, value in sorted(labels.items())
            if name in self.group_by or (everything and name != "priority")
        }

    def group_key(self, labels: Labels) -> str:
        """The group's name, as in Alertmanager's webhooks."""
        group = self.group_labels(labels).items()
        pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in group)
        return f"{self.key}:{{{', '.join(pairs)}}}"

    def muted(self, at: datetime, intervals: Intervals) -> tuple[str, ...]:
        """The time intervals that keep this route from notifying: those that mute it, else those it is active in."""
        muting = containing(self.mute_time_intervals, at, intervals)
        if muting or containing(self.active_time_intervals, at, intervals):
            return muting
        return self.active_time_intervals

    def walk(self) -> Iterator[Route]:
        """This route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


def tree(spec: Mapping[str, Any], parent: Route | None = None, nth: int = 1) -> Route:
    """The route of a specification with all below it.

    It has the keys of Alertmanager's `route`: `matchers` are Matchers, durations are timedeltas, and of what is
    inherited only what is given. `nth` tells siblings with equal matchers apart.
    """
    matchers: Matchers = spec.get("matchers", ())
    inherited = {name: getattr(parent, name) for name in _INHERITED} if parent else _INHERITED
    route = Route(
        key=(f"{parent.key}/" if parent else "") + text_of(matchers) + (f"#{nth}" if nth > 1 else ""),
        matchers=matchers,
        continues=spec.get("continue", False),
        mute_time_intervals=tuple(spec.get("mute_time_intervals", ())),
        active_time_intervals=tuple(spec.get("active_time_intervals", ())),
        routes=(),
        **{name: spec.get(name, inherited[name]) for name in _INHERITED},
    )
    seen: Counter[Matchers] = Counter()
    routes = []
    for child in spec.get("routes", ()):
        seen[child.get("matchers", ())] += 1
        routes.append(tree(child, route, seen[child.get("matchers", ())]))
    return replace(route, routes=tuple(routes))


class Verdict(StrEnum):
    """What became of a route when an alert came by."""

    NOTIFIES = "notifies"
    DESCENDS = "descends"  # it matches, and a route below it notifies
    REFUSED = "refused"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True)
class Step:
    """One route that an alert met, and why it went on from there as it did."""

    route: Route
    depth: int
    verdict: Verdict
    why: str


def paths(root: Route, labels: Labels) -> list[Route]:
    """The routes that notify of an alert; at least one, the root."""
    return [step.route for step in trace(root, labels) if step.verdict is Verdict.NOTIFIES]


def trace(route: Route, labels: Labels, depth: int = 0) -> list[Step]:
    """The way of an alert through the tree: children first, the first that takes it ends it unless it continues, and
    where no child takes it the route itself does.
    """
    refusing = next((matcher for matcher in route.matchers if not matcher.matches(labels)), None)
    if refusing is not None:
        has = f"is {labels[refusing.name]}" if labels.get(refusing.name) else "is not set"
        return [Step(route, depth, Verdict.REFUSED, f"not {refusing}: {refusing.name} {has}")]
    below: list[Step] = []
    taker: Route | None = None
    for child in route.routes:
        if taker is not None and not taker.continues:
            below.append(Step(child, depth + 1, Verdict.NOT_TRIED, "a route before it took the alert"))
            continue
        met = trace(child, labels, depth + 1)
        below += met
        if met[0].verdict is not Verdict.REFUSED:
            taker = child
    matched = " and ".join(map(str, route.matchers)) or "takes every alert"
    if taker is None:
        why = matched + (", no route below takes it" if route.routes else "")
        return [Step(route, depth, Verdict.NOTIFIES, why), *below]
    return [Step(route, depth, Verdict.DESCENDS, matched), *below]
