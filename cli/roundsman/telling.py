"""The flow from alerts to the outbox: all that fires meets the routes, and news of each group goes to its receiver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .alerts.grouping import Group, worst_first
from .alerts.groups import GroupState
from .alerts.model import AlertState, NotifyKind
from .alerts.own import ISOLATION_EXPLAINS
from .alerts.silencing import RunSilence, Silence, Silencer
from .alerts.topology import Topology
from .alerts.turn import Rules, Turned, free, turn
from .config import Settings
from .escalating import Now, Plan, escalate, fingerprints
from .store import Transaction, alerts, episodes, groups, hosts, outbox, silences
from .times import stamp


@dataclass(frozen=True)
class Telling:
    """Who is told by which rules, and each receiver's channels by name."""

    rules: Rules
    channels: Mapping[str, Collection[str]]
    escalation: Plan | None = None


def tell(
    tx: Transaction,
    telling: Telling,
    now: datetime,
    hurry: Callable[[AlertState], bool] = lambda _: False,
    run_id: str | None = None,
) -> None:
    """Put in the outbox what people are to be told by now.

    `hurry` says of which alerts there is nothing to wait for; `run_id` is the run in whose course this is told.
    """
    known = {state.id: state for state in map(GroupState.from_dict, groups.every(tx))}
    told = {name for group in known.values() for name in group.told} | fingerprints(tx)
    states = [AlertState.from_dict(row) for row in alerts.of_interest(tx, told)]
    hurried = {state.fingerprint for state in states if hurry(state)}
    found = turn(states, known, telling.rules, now, hurried)
    for turned in found:
        _keep(tx, turned, telling, now, run_id)
    if telling.escalation:
        seen = Now(
            {state.fingerprint: state for state in states},
            [GroupState.from_dict(row) for row in groups.every(tx)],
            free(states, telling.rules, now),
            _worse(found),
        )
        escalate(tx, telling.escalation, seen, telling.channels, now, run_id)


def _worse(found: Sequence[Turned]) -> set[tuple[str, str]]:
    return {
        (turned.before.receiver, news.alert.fingerprint)
        for turned in found
        for news in turned.flushed.news
        if news.kind is NotifyKind.WORSENED
    }


def _keep(tx: Transaction, turned: Turned, telling: Telling, now: datetime, run_id: str | None) -> None:
    before, after, news = turned.before, turned.flushed.group, turned.flushed.news
    if after is None:
        groups.remove(tx, before.id)
    else:
        groups.save(tx, after.id, after.flush_at, after.to_dict())
    for note in turned.flushed.notes:
        alerts.note(tx, note.fingerprint, stamp(now), note.reason, note.sentence, run_id)
    if not news:
        return
    for one in news:
        if one.kind is not NotifyKind.RESOLVED:
            episodes.told(tx, one.alert.fingerprint, one.alert.episode, before.receiver)
    told = Group(before.receiver, before.key, before.labels, worst_first(news))
    for channel in telling.channels.get(before.receiver, ()):
        outbox.add(tx, channel=channel, group=told, run_id=run_id, now=now)


def rules_of(tx: Transaction, settings: Settings, now: datetime) -> Rules | None:
    """By which rules people are told now; None while nobody is to be told."""
    route = settings.alerts.tree()
    if route is None:
        return None
    known = hosts.every(tx)
    written = settings.alerts.rules
    intervals = written.intervals()
    return Rules(
        route=route,
        intervals=intervals,
        inhibit=(ISOLATION_EXPLAINS, *written.inhibition()),
        silencer=Silencer(map(Silence.from_dict, silences.listed(tx, now)), now, intervals),
        run_silences=[RunSilence.from_dict(row) for row in silences.of_runs(tx, now)],
        topology=Topology({row["host"]: row["depends_on"] for row in known}),
        host_labels={row["host"]: row["labels"] for row in known},
    )
