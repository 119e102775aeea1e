"""turn(alerts, groups, rules, now): every alert meets the routes, and the groups whose time has come are flushed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from roundsman.alerts.groups import BEHIND, Flush, GroupState, Held, Hold, Member, Timing, first_flush, flush
from roundsman.alerts.inhibition import Inhibitor, Rule
from roundsman.alerts.intervals import Intervals
from roundsman.alerts.labels import labels_of
from roundsman.alerts.matchers import Labels
from roundsman.alerts.model import AlertState, Phase
from roundsman.alerts.priority import Priority, PriorityRule, priority_of
from roundsman.alerts.routing import Route, paths
from roundsman.alerts.silencing import RunSilence, Silencer, silenced_by_run
from roundsman.alerts.topology import Topology


@dataclass(frozen=True)
class Rules:
    """What people have configured: who is told of what, when, and when not."""

    route: Route
    intervals: Intervals = field(default_factory=dict)
    inhibit: Sequence[Rule] = ()
    silencer: Silencer | None = None
    run_silences: Sequence[RunSilence] = ()
    topology: Topology = field(default_factory=lambda: Topology({}))
    host_labels: Mapping[str, Labels] = field(default_factory=dict)
    priorities: Sequence[PriorityRule] = ()  # those that count at this time

    def labels(self, alert: AlertState) -> dict[str, str]:
        """All labels of an alert; a priority that was posted with it stays."""
        labels = labels_of(alert, self.host_labels.get(alert.host))
        return {"priority": priority_of(labels, self.priorities)[0].value, **labels}

    def urgency(self, alert: AlertState) -> int:
        """1 to 5. A priority that was posted in words of others ("high") is a label, and the rules decide."""
        labels = self.labels(alert)
        posted = Priority.__members__.get(labels.pop("priority"))
        return (posted or priority_of(labels, self.priorities)[0]).number

    def inhibitor(self, firing: Mapping[str, Labels]) -> Inhibitor:
        """`firing`: the labels of all that fires, by fingerprint."""
        inhibitor = Inhibitor(self.inhibit, self.topology)
        for name, labels in firing.items():
            inhibitor.fires(name, labels)
        return inhibitor


@dataclass(frozen=True)
class Turned:
    """What became of one group that was looked at."""

    before: GroupState
    flushed: Flush


def turn(
    alerts: Iterable[AlertState],
    groups: Mapping[str, GroupState],
    rules: Rules,
    now: datetime,
    hurried: Collection[str] = (),
) -> list[Turned]:
    """Flush the groups that are due. `alerts` are all that fire and all that some group's receiver was told of.

    `hurried` are fingerprints of alerts that have no companions to wait for: a run is over, or a person acted.
    A new group that is not due yet is told in a Turned without news.
    """
    every = {alert.fingerprint: alert for alert in alerts}
    seen: dict[str, tuple[Route, GroupState, list[Member]]] = {}
    for route, state, member in met(every, rules, now):
        seen.setdefault(state.id, (route, groups.get(state.id, state), []))[2].append(member)
    turned = [_look(*one, groups, every, rules, now, hurried) for one in seen.values()]
    left = [group for name, group in groups.items() if name not in seen]
    turned += [_look(rules.route, group, [], groups, every, rules, now, hurried) for group in left]
    return [one for one in turned if one is not None]


def free(alerts: Iterable[AlertState], rules: Rules, now: datetime) -> set[tuple[str, str]]:
    """Fingerprint and receiver wherever an alert that fires goes to a receiver now, and nothing holds it."""
    every = {alert.fingerprint: alert for alert in alerts}
    members = ((state.receiver, member) for _, state, member in met(every, rules, now))
    return {(member.alert.fingerprint, receiver) for receiver, member in members if member.held is None}


def met(
    every: Mapping[str, AlertState], rules: Rules, now: datetime
) -> Iterator[tuple[Route, GroupState, Member]]:
    """Every alert that fires, in each group that its routes put it into, as one that is not known yet."""
    labels = {name: rules.labels(alert) for name, alert in every.items() if alert.is_open}
    inhibitor = rules.inhibitor(labels)
    for name, its_labels in labels.items():
        for route in paths(rules.route, its_labels):
            held = _held(every[name], its_labels, route, rules, inhibitor, now)
            member = Member(every[name], held, its_labels)
            group = GroupState(route.group_key(its_labels), route.receiver, route.group_labels(its_labels), now)
            yield route, group, member


def _held(
    alert: AlertState, labels: Labels, route: Route, rules: Rules, inhibitor: Inhibitor, now: datetime
) -> Held | None:
    if alert.phase is Phase.ACKNOWLEDGED:
        return Held(Hold.ACKNOWLEDGED, f"acknowledged by {alert.acknowledged_by}")
    if rules.silencer and (silences := rules.silencer.silencing(labels)):
        first = silences[0]
        return Held(Hold.SILENCED, f"silence {first.id[:8]} by {first.author}: {first.comment}")
    if run := silenced_by_run(labels, rules.run_silences, now):
        return Held(Hold.SILENCED, f"run {run} declared it, and is at work there")
    if cause := inhibitor.inhibited_by(alert.fingerprint, labels):
        return Held(Hold.INHIBITED, f"alert {cause.alert} explains it: {cause.sentence}")
    if muting := route.muted(now, rules.intervals):
        return Held(Hold.MUTED, f"the route is muted by {', '.join(muting)}")
    return None


def _look(
    route: Route,
    group: GroupState,
    members: list[Member],
    groups: Mapping[str, GroupState],
    every: Mapping[str, AlertState],
    rules: Rules,
    now: datetime,
    hurried: Collection[str],
) -> Turned | None:
    timing = Timing(route.group_wait, route.group_interval, route.repeat_interval)
    ended = [
        Member(every[name], labels=rules.labels(every[name]))
        for name in group.told
        if name in every and not every[name].is_open
    ]
    present = {name: known for name, known in group.told.items() if name in every}
    concerned = {member.alert.fingerprint for member in (*members, *ended)}
    hurry = not concerned.isdisjoint(hurried)
    if group.id not in groups:
        wait = first_flush(members, timing, now)
        if wait > now and not hurry:
            waiting = replace(group, flush_at=wait)
            return Turned(group, Flush(waiting, (), ()))
    # A time that a clock ahead of now has set would keep the group waiting for as long.
    elif now < group.flush_at <= now + max(timing.group_interval, timing.group_wait) + BEHIND and not hurry:
        return None
    return Turned(group, flush(replace(group, told=present), members, ended, timing, now))
