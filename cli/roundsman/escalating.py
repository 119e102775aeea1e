"""The flow of escalation: what receivers that escalate were told goes on to people, until it ends or is taken on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .alerts.escalation import Circumstances, Escalation, Page, Policy, advance, begin, follow
from .alerts.grouping import Group, worst_first
from .alerts.groups import GroupState
from .alerts.intervals import Intervals, containing
from .alerts.model import AlertState, Notify, NotifyKind
from .config import Settings
from .oncall import Duty, duty
from .store import Store, Transaction, alerts, escalations, outbox
from .store import oncall as overrides
from .times import stamp

Key = tuple[str, str]  # fingerprint and receiver


@dataclass(frozen=True)
class Plan:
    """How receivers escalate, and who is on call."""

    policies: Mapping[str, Policy]
    duty: Duty
    intervals: Intervals = field(default_factory=dict)


def plan_of(store: Store, settings: Settings, now: datetime) -> Plan | None:
    """None while nothing escalates, nor waits for its end. Takes time when a calendar has to be fetched."""
    policies = settings.alerts.policies()
    with store.read() as tx:
        if not policies and not escalations.every(tx):
            return None
        known = overrides.since(tx, now)
    return Plan(policies, duty(settings, known, now), settings.alerts.rules.intervals())


@dataclass(frozen=True)
class Now:
    """What a tick has found: all alerts, all groups, who may be told of what, and what became worse."""

    alerts: Mapping[str, AlertState]
    groups: Sequence[GroupState]
    free: Collection[tuple[str, str]]  # receiver and fingerprint
    worse: Collection[tuple[str, str]]


def fingerprints(tx: Transaction) -> set[str]:
    """Of alerts that escalate, or whose end is yet to be told."""
    return {fingerprint for fingerprint, _ in escalations.every(tx)}


def escalate(
    tx: Transaction, plan: Plan, found: Now, channels: Mapping[str, Collection[str]], now: datetime, run_id: str | None
) -> None:
    """Do what is due, and put it in the outbox."""
    known = {key: Escalation.from_dict(state) for key, state in escalations.every(tx).items()}
    groups = {
        (fingerprint, group.receiver): group
        for group in found.groups
        if group.receiver in plan.policies
        for fingerprint in group.told
    }
    news: dict[tuple[str, str], list[Notify]] = defaultdict(list)
    labels: dict[str, Mapping[str, str]] = {}
    for key in sorted({*known, *groups}):
        alert = found.alerts.get(key[0])
        group = groups.get(key)
        pages = _one(tx, plan, found, key, known.get(key), now, run_id) if alert else _gone(tx, key)
        for page in pages:
            group_key = group.key if group else f"escalation/{key[1]}/{page.notify.alert.host}"
            labels[group_key] = group.labels if group else {"host": page.notify.alert.host}
            for name in page.to:
                news[name, group_key].append(page.notify)
    for (name, group_key), told in news.items():
        message = Group(name, group_key, labels[group_key], worst_first(told))
        for channel in channels.get(name, ()):
            outbox.add(tx, channel=channel, group=message, run_id=run_id, now=now)


def _one(
    tx: Transaction, plan: Plan, found: Now, key: Key, known: Escalation | None, now: datetime, run_id: str | None
) -> Sequence[Page]:
    """One alert for one receiver that escalates."""
    fingerprint, receiver = key
    alert, policy = found.alerts[fingerprint], plan.policies.get(receiver)
    if not alert.is_open:
        escalations.remove(tx, fingerprint, receiver)
        return _end(known, alert)
    if policy is None:
        return ()
    here = (receiver, fingerprint)
    after = known or begin(None, alert, policy, NotifyKind.OPENED, now)
    if known is not None and here in found.worse:
        after = begin(known, alert, policy, NotifyKind.WORSENED, now)
    world = Circumstances(
        who=plan.duty.who,
        is_in=lambda name: bool(containing([name], now, plan.intervals)),
        held=here not in found.free,
    )
    done = advance(follow(after, alert, now), alert, policy, now, world)
    if done.escalation != known:
        escalations.save(tx, receiver, done.escalation.to_dict())
    for sentence in done.sentences:
        alerts.note(tx, fingerprint, stamp(now), "escalated", sentence, run_id)
    return done.pages


def _end(known: Escalation | None, alert: AlertState) -> Sequence[Page]:
    """Everybody who was told of the problem is told of its end."""
    if known is None or not known.told:
        return ()
    key = f"{alert.fingerprint}/{alert.episode}/step/{known.begun}.end"
    return [Page(known.told, Notify(NotifyKind.RESOLVED, alert, key))]


def _gone(tx: Transaction, key: Key) -> Sequence[Page]:
    escalations.remove(tx, *key)
    return ()
