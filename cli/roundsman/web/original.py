"""The configuration in the words of an alertmanager.yml: `amtool config routes` asks for it. It holds no targets."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import yaml

from roundsman.alerts.inhibition import Rule
from roundsman.alerts.intervals import MONTHS, WEEKDAYS, Interval
from roundsman.alerts.matchers import Matchers
from roundsman.alerts.routing import Route, tree
from roundsman.config import Alerts

# The routes while nobody is to be told.
NOBODY = tree({"receiver": "nobody"})


def original(alerts: Alerts) -> str:
    route = alerts.tree() or NOBODY
    names = dict.fromkeys([*receivers(alerts), *(one.receiver for one in route.walk())])
    document = {
        "route": _route(route),
        "receivers": [{"name": name} for name in names],
        "inhibit_rules": [_rule(rule) for rule in alerts.rules.inhibition()],
        "time_intervals": [
            {"name": name, "time_intervals": [_interval(one) for one in several]}
            for name, several in alerts.rules.intervals().items()
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def receivers(alerts: Alerts) -> list[str]:
    """All names that routes may tell, with or without a target."""
    route = alerts.tree()
    named = [one.receiver for one in route.walk()] if route else []
    return list(dict.fromkeys([*(receiver.name for receiver in alerts.receivers), *named]))


def _route(route: Route) -> dict[str, Any]:
    known = {
        "receiver": route.receiver,
        "matchers": _texts(route.matchers),
        "group_by": list(route.group_by),
        "group_wait": _duration(route.group_wait),
        "group_interval": _duration(route.group_interval),
        "repeat_interval": _duration(route.repeat_interval),
        "continue": route.continues,
        "mute_time_intervals": list(route.mute_time_intervals),
        "active_time_intervals": list(route.active_time_intervals),
        "routes": [_route(one) for one in route.routes],
    }
    return {key: value for key, value in known.items() if value}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "source_matchers": _texts(rule.source),
        "target_matchers": _texts(rule.target),
        "equal": list(rule.equal),
    }


def _texts(matchers: Matchers) -> list[str]:
    return list(map(str, matchers))


def _duration(length: timedelta) -> str:
    """Prometheus knows no fractions."""
    whole, rest = divmod(length, timedelta(seconds=1))
    return f"{round(length / timedelta(milliseconds=1))}ms" if rest else f"{whole}s"


def _interval(interval: Interval) -> dict[str, Any]:
    known: dict[str, Any] = {
        "times": interval.times and [{"start_time": _clock(a), "end_time": _clock(b)} for a, b in interval.times],
        "weekdays": interval.weekdays and [f"{WEEKDAYS[a]}:{WEEKDAYS[b]}" for a, b in interval.weekdays],
        "days_of_month": _ranges(interval.days_of_month),
        "months": interval.months and [f"{MONTHS[a - 1]}:{MONTHS[b - 1]}" for a, b in interval.months],
        "years": _ranges(interval.years),
        "location": str(interval.location) if interval.location is not UTC else None,
    }
    return {key: value for key, value in known.items() if value is not None}


def _ranges(several: Any) -> list[str] | None:
    return None if several is None else [f"{begin}:{end}" for begin, end in several]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
