"""The flow from events to alerts: load a state, let alerts/ decide, keep state and reasons together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from .alerts import external
from .alerts.decide import Decision, Reason, decide, in_order
from .alerts.external import Posted
from .alerts.model import AlertState, CheckResult, HumanEvent, Measurement, Status, Tick
from .alerts.names import CheckKind, check_kind
from .insight.freshness import vanished
from .insight.states import CheckState, Policy, settle
from .insight.states import Reason as StateReason
from .store import Transaction, alerts, checks, episodes, silences
from .times import moment, stamp

# Decisions that repeat what was known before would drown a timeline.
_QUIET = {Reason.UNCHANGED, Reason.STILL_OK, Reason.NOTHING_OPEN, Reason.STALE}

# What happens to an open alert while alerting itself sees nothing new.
_TOLD_BY_STATES = {StateReason.RECOVERING, StateReason.RELAPSED, StateReason.FLAPPED}


def states_of(tx: Transaction, host: str) -> dict[str, AlertState]:
    """The host's alerts by fingerprint; rounds know nothing of those that others have posted."""
    found = map(AlertState.from_dict, alerts.of_host(tx, host))
    return {state.fingerprint: state for state in found if not state.labels}


def settled(tx: Transaction, host: str, events: Sequence[Measurement], now: datetime) -> list[Measurement]:
    """What alerting shall see of one ledger entry's events, and the newest result of each check kept."""
    known = {row["check"]: row for row in checks.known(tx, host)}
    shown = [one for event in events if (one := _settled(tx, event, known.get(event.check), now)) is not None]
    swept = next((event for event in events if event.check == CheckKind.HEALTH), None)
    if isinstance(swept, CheckResult) and swept.status is Status.OK:
        seen = {check: moment(row["seen_at"]) for check, row in known.items()}
        checks.forget(tx, host, vanished(seen, {event.check for event in events}, min(swept.at, now)))
    return shown


def _settled(tx: Transaction, event: Measurement, row: Mapping[str, Any] | None, now: datetime) -> Measurement | None:
    if check_kind(event.check) is not CheckKind.MEASURED:
        return event
    before = CheckState.from_dict(row["state"]) if row else None
    policy = Policy.of(event.evidence) if isinstance(event, CheckResult) else Policy()
    after = settle(before, event, policy, now)
    if after.state is None or after.state == before:
        return after.shown
    state = after.state.to_dict()
    if isinstance(event, CheckResult):
        seen_at = stamp(after.state.seen_at)
        checks.save_result(tx, event.host, event.check, result=event.evidence, seen_at=seen_at, state=state)
    else:
        checks.save_state(tx, event.host, event.check, state)
    if after.reason in _TOLD_BY_STATES and before is not None and before.reason is not after.reason:
        alerts.note(tx, event.fingerprint, stamp(now), after.reason, after.sentence, event.run)
    return after.shown


def measure(
    tx: Transaction, states: dict[str, AlertState], events: Sequence[Measurement], now: datetime
) -> list[Decision]:
    """Decide on one host's events; `states` follows along."""
    decisions = []
    for event in in_order(list(events)):
        state = states.get(event.fingerprint)
        decision = decide(state, event, now)
        if decision.state is not None:
            states[event.fingerprint] = decision.state
        if decision.state != state:
            _keep(tx, decision, event.run, now)
        decisions.append(decision)
    return decisions


def respond(tx: Transaction, state: AlertState, event: HumanEvent, now: datetime) -> Decision:
    """Decide on what a person did to one alert. A refused decision changes nothing."""
    decision = decide(state, event, now)
    if not decision.refused:
        _keep(tx, decision, None, now)
    return decision


def pass_time(tx: Transaction, now: datetime) -> None:
    """End the acknowledgements that are over."""
    for row in alerts.acknowledged(tx):
        state = AlertState.from_dict(row)
        decision = decide(state, Tick(now), now)
        if decision.state != state:
            _keep(tx, decision, None, now)


def receive(tx: Transaction, posts: Sequence[Posted], now: datetime) -> None:
    """Decide on alerts that somebody outside has posted."""
    known = alerts.these(tx, {posted.fingerprint for posted in posts})
    states = {row["fingerprint"]: AlertState.from_dict(row) for row in known}
    while posts:
        first: dict[str, Posted] = {}
        again = []
        for posted in posts:
            name = posted.fingerprint
            if name in first:
                again.append(posted)
            else:
                first[name] = posted
        decided = [(states.get(name), external.receive(states.get(name), one, now)) for name, one in first.items()]
        _keep_all(tx, decided, states.keys(), now)
        states |= {decision.state.fingerprint: decision.state for _, decision in decided if decision.state}
        posts = again


def expire(tx: Transaction, now: datetime) -> None:
    """End what was posted and is not said again. Only for those who listen: others cannot know what was said."""
    states = [AlertState.from_dict(row) for row in alerts.expiring(tx, now)]
    decided = [(state, external.expired(state, now)) for state in states]
    _keep_all(tx, decided, {state.fingerprint for state in states}, now)


def hold(tx: Transaction, until: datetime) -> None:
    """Nobody has listened for a while: what was posted may be said again until then, before it counts as over."""
    for row in alerts.expiring(tx):
        state = AlertState.from_dict(row)
        if state.expires_at is not None and state.expires_at < until:
            alerts.save(tx, replace(state, expires_at=until).to_dict())


def _keep(tx: Transaction, decision: Decision, run: str | None, now: datetime) -> None:
    if decision.state is None:
        return
    alerts.save(tx, decision.state.to_dict())
    if decision.reason not in _QUIET:
        alerts.note(tx, decision.state.fingerprint, stamp(now), decision.reason, decision.sentence, run)
        episodes.record(tx, decision.state.to_dict())
    if decision.reason is Reason.RESOLVED:
        silences.end_with(tx, decision.state.fingerprint, now)


def _keep_all(
    tx: Transaction, decided: Sequence[tuple[AlertState | None, Decision]], known: Collection[str], now: datetime
) -> None:
    """As `_keep`, of many at once: who comes back after an outage posts all there is. `known` are fingerprints."""
    changed = [one for before, one in decided if one.state is not None and one.state != before]
    states = {one.state.fingerprint: one.state.to_dict() for one in changed if one.state}
    alerts.save_all(tx, states.values(), known)
    told = {one.state.fingerprint: one for one in changed if one.state and one.reason not in _QUIET}
    alerts.note_all(tx, [(name, stamp(now), one.reason, one.sentence) for name, one in told.items()])
    episodes.record_all(tx, [states[name] for name in told])
    for name in silences.waiting_for(tx, now):
        if name in told and told[name].reason is Reason.RESOLVED:
            silences.end_with(tx, name, now)
