"""Why somebody is, or is not, told of an alert now: what `turn` would find, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from roundsman.alerts.groups import GroupState, Told
from roundsman.alerts.model import AlertState
from roundsman.alerts.priority import PriorityRule, priority_of
from roundsman.alerts.turn import Rules, met


@dataclass(frozen=True)
class Standing:
    """One alert with one receiver."""

    receiver: str
    route: str  # its key
    group: Mapping[str, str]
    held: str | None  # why the receiver is not told
    told: Told | None  # what the receiver knows
    next_look: datetime | None  # when the group is looked at next; None before its first time


@dataclass(frozen=True)
class Reasons:
    labels: Mapping[str, str]
    priority: PriorityRule  # the rule that gave it
    standings: tuple[Standing, ...]  # with the receivers that it goes to now, then those that know of it from before


def why(
    alert: AlertState, alerts: Iterable[AlertState], groups: Mapping[str, GroupState], rules: Rules, now: datetime
) -> Reasons:
    """`alerts` are all that fire; `groups` are by id."""
    labels = rules.labels(alert)
    every = {one.fingerprint: one for one in alerts}
    now_in = []
    for route, group, member in met(every, rules, now):
        if member.alert.fingerprint == alert.fingerprint:
            known, held = groups.get(group.id, group), member.held.why if member.held else None
            looked_at = known.flush_at if group.id in groups else None
            now_in.append((group.id, _standing(alert, known, route.key, held, looked_at)))
    here = {name for name, _ in now_in}
    before = [
        _standing(alert, group, group.key, "it goes to another group now", group.flush_at)
        for name, group in groups.items()
        if name not in here and alert.fingerprint in group.told
    ]
    bare = {name: value for name, value in labels.items() if name != "priority"}
    _, rule = priority_of(bare, rules.priorities)
    return Reasons(labels, rule, (*(standing for _, standing in now_in), *before))


def _standing(
    alert: AlertState, group: GroupState, route: str, held: str | None, next_look: datetime | None
) -> Standing:
    return Standing(group.receiver, route, group.labels, held, group.told.get(alert.fingerprint), next_look)
