"""The flow from alerts to the outbox: all that fires meets the routes, and news of each group goes to its receiver."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .acknowledging import pass_on
from .alerts.grouping import Group, calmed, worst_first
from .alerts.groups import GroupState
from .alerts.intervals import containing
from .alerts.model import AlertState, NotifyKind
from .alerts.own import ISOLATION_EXPLAINS
from .alerts.routing import Route
from .alerts.silencing import RunSilence, Silence, Silencer
from .alerts.topology import Topology, edges
from .alerts.turn import Rules, Turned, free, turn
from .config import Settings
from .escalating import Escalating, Seen
from .notify.open import told_who_has_it
from .oncall import Duty
from .store import Transaction, alerts, episodes, escalations, groups, hosts, outbox, silences
from .times import stamp
from .withdrawing import redirect, withdraw


@dataclass(frozen=True)
class Telling:
    """Who is told by which rules, the channels of each receiver and person by name, and who escalates."""

    rules: Rules
    channels: Mapping[str, Collection[str]]
    escalating: Escalating | None = None
    acknowledged: Collection[str] = ()  # channels that are told who has an alert
    storm: int = 10  # so many messages to one receiver at one time are not made one


def telling(
    tx: Transaction, settings: Settings, channels: Mapping[str, Collection[str]], duty: Duty, now: datetime
) -> Telling | None:
    """By which rules people are told now; None while nobody is to be told."""
    route = settings.alerts.tree()
    if route is None:
        return None
    rules = rules_with(tx, settings, route, now)

    def is_in(interval: str) -> bool:
        return bool(containing([interval], now, rules.intervals))

    return Telling(
        rules,
        channels,
        Escalating(settings.alerts.policies(), duty, is_in, rules.urgency),
        set().union(*(told_who_has_it(one, channels.get(one.name, ())) for one in settings.alerts.everybody)),
        settings.alerts.storm,
    )


def rules_with(tx: Transaction, settings: Settings, route: Route, now: datetime) -> Rules:
    """The rules with these routes."""
    known = hosts.every(tx)
    written = settings.alerts.rules
    intervals = written.intervals()
    return Rules(
        route=route,
        intervals=intervals,
        inhibit=(ISOLATION_EXPLAINS, *written.inhibition()),
        silencer=Silencer(map(Silence.from_dict, silences.listed(tx, now)), now, intervals),
        run_silences=[RunSilence.from_dict(row) for row in silences.of_runs(tx, now)],
        topology=Topology(edges({row["host"]: (row["address"], row["depends_on"]) for row in known})),
        host_labels={row["host"]: row["labels"] for row in known},
        priorities=[
            one.rule()
            for one in settings.alerts.priorities
            if not one.active_time_intervals or containing(one.active_time_intervals, now, intervals)
        ],
    )


def tell(
    tx: Transaction,
    how: Telling,
    now: datetime,
    hurry: Callable[[AlertState], bool] = lambda _: False,
    run_id: str | None = None,
) -> None:
    """Put in the outbox what people are to be told by now.

    `hurry` says of which alerts there is nothing to wait for; `run_id` is the run in whose course this is told.
    """
    # In the same transaction as all that follows: what is taken back here is told again once nobody has it any more.
    withdraw(tx, now)
    redirect(tx, how.channels, now)
    known = {state.id: state for state in map(GroupState.from_dict, groups.every(tx))}
    escalated = {name for name, _ in escalations.every(tx)}
    told = {name for group in known.values() for name in group.told} | escalated
    states = {row["fingerprint"]: AlertState.from_dict(row) for row in alerts.of_interest(tx, told)}

    posts: dict[str, list[Group]] = defaultdict(list)
    before_this = list(known.values())

    def post(receiver: str, group: Group) -> None:
        posts[receiver].append(group)

    hurried = {name for name, state in states.items() if hurry(state)}
    found = turn(states.values(), known, how.rules, now, hurried)
    _keep(tx, found, now, run_id)
    worse: set[tuple[str, str]] = set()
    for turned in found:
        known.pop(turned.before.id, None)
        if turned.flushed.group:
            known[turned.before.id] = turned.flushed.group
        before, news = turned.before, turned.flushed.news
        worse |= {(one.alert.fingerprint, before.receiver) for one in news if one.kind is NotifyKind.WORSENED}
        if news:
            post(before.receiver, Group(before.receiver, before.key, before.labels, worst_first(news)))
    if how.escalating and (how.escalating.policies or escalated):
        # Groups know what held an alert when they were last flushed; a page must not go out against what holds it now.
        may_tell = free(states.values(), how.rules, now)
        # What has ended is in no group any more, but is told in the place of what still waits for its old one.
        how.escalating.go_on(tx, Seen(states, [*before_this, *known.values()], may_tell, worse), now, post)
    for receiver, messages in posts.items():
        for group, spoken_for in calmed(messages, how.storm):
            for channel in how.channels.get(receiver, ()):
                outbox.add(tx, channel=channel, group=group, run_id=run_id, now=now, instead_of=spoken_for)
    pass_on(tx, how.acknowledged, now)


def _keep(tx: Transaction, found: Sequence[Turned], now: datetime, run_id: str | None) -> None:
    """What the turn changed; all at once, for there may be thousands."""
    after = [turned.flushed.group for turned in found if turned.flushed.group]
    groups.replace(tx, [turned.before.id for turned in found], [(one.id, one.flush_at, one.to_dict()) for one in after])
    notes = [note for turned in found for note in turned.flushed.notes]
    alerts.note_all(tx, [(note.fingerprint, stamp(now), note.reason, note.sentence, run_id) for note in notes])
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    for turned in found:
        for one in turned.flushed.news:
            if one.kind is not NotifyKind.RESOLVED:
                told[one.alert.fingerprint, one.alert.episode].append(turned.before.receiver)
    episodes.told(tx, told)
