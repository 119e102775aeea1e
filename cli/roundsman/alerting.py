"""The flow from events to alerts: load a state, let alerts/ decide, keep state and reasons together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Decided:
    """What was decided about an alert that was like `before`, by what a run found or by something else."""

    before: AlertState | None
    decision: Decision
    run: str | None = None

    @property
    def changes(self) -> bool:
        return self.decision.state not in (None, self.before)

    @property
    def state(self) -> AlertState:
        assert self.decision.state is not None  # noqa: S101 - asked only of what changes
        return self.decision.state

    @property
    def fingerprint(self) -> str:
        return self.state.fingerprint


def states_of(tx: Transaction, host: str) -> dict[str, AlertState]:
    """The host's alerts by fingerprint; rounds know nothing of those that others have posted."""
    found = map(AlertState.from_dict, alerts.of_host(tx, host))
    return {state.fingerprint: state for state in found if not state.labels}


def settled(tx: Transaction, host: str, events: Sequence[Measurement], now: datetime) -> list[Measurement]:
    """What alerting shall see of one ledger entry's events, and the newest result of each check kept."""
    known = {row["check"]: row for row in checks.known(tx, host)}
    shown: list[Measurement] = []
    changed: dict[str, dict[str, Any]] = {}
    notes: list[alerts.Note] = []
    for event in events:
        if check_kind(event.check) is not CheckKind.MEASURED:
            shown.append(event)
            continue
        before = CheckState.from_dict(known[event.check]["state"]) if event.check in known else None
        policy = Policy.of(event.evidence) if isinstance(event, CheckResult) else Policy()
        after = settle(before, event, policy, now)
        if after.shown is not None:
            shown.append(after.shown)
        if after.state is None or after.state == before:
            continue
        changed[event.check] = {"state": after.state.to_dict()}
        if isinstance(event, CheckResult):
            changed[event.check] |= {"result": event.evidence, "seen_at": stamp(after.state.seen_at)}
        if after.reason in _TOLD_BY_STATES and before is not None and before.reason is not after.reason:
            notes.append((event.fingerprint, stamp(now), after.reason, after.sentence, event.run))
    checks.save_all(tx, host, changed, known)
    alerts.note_all(tx, notes)
    swept = next((event for event in events if event.check == CheckKind.HEALTH), None)
    if isinstance(swept, CheckResult) and swept.status is Status.OK:
        seen = {check: moment(row["seen_at"]) for check, row in known.items()}
        checks.forget(tx, host, vanished(seen, {event.check for event in events}, min(swept.at, now)))
    return shown


def measure(
    tx: Transaction, states: dict[str, AlertState], events: Sequence[Measurement], now: datetime
) -> list[Decision]:
    """Decide on one host's events; `states`, all that is known of it, follows along."""
    decided = []
    for event in in_order(list(events)):
        before = states.get(event.fingerprint)
        decision = decide(before, event, now)
        if decision.state is not None:
            states[event.fingerprint] = decision.state
        decided.append(Decided(before, decision, event.run))
    _keep(tx, decided, now)
    return [one.decision for one in decided]


def respond(tx: Transaction, state: AlertState, event: HumanEvent, now: datetime) -> Decision:
    """Decide on what a person did to one alert. A refused decision changes nothing."""
    decision = decide(state, event, now)
    if not decision.refused:
        _keep(tx, [Decided(state, decision)], now)
    return decision


def pass_time(tx: Transaction, now: datetime) -> None:
    """End the acknowledgements that are over."""
    states = map(AlertState.from_dict, alerts.acknowledged(tx))
    _keep(tx, [Decided(state, decide(state, Tick(now), now)) for state in states], now)


def receive(tx: Transaction, posts: Sequence[Posted], now: datetime) -> None:
    """Decide on alerts that somebody outside has posted."""
    known = map(AlertState.from_dict, alerts.these(tx, {posted.fingerprint for posted in posts}))
    states = {state.fingerprint: state for state in known}
    decided = []
    for posted in posts:
        before = states.get(posted.fingerprint)
        decision = external.receive(before, posted, now)
        if decision.state is not None:
            states[posted.fingerprint] = decision.state
        decided.append(Decided(before, decision))
    _keep(tx, decided, now)


def expire(tx: Transaction, now: datetime) -> None:
    """End what was posted and is not said again. Only for those who listen: others cannot know what was said."""
    states = map(AlertState.from_dict, alerts.expiring(tx, now))
    _keep(tx, [Decided(state, external.expired(state, now)) for state in states], now)


def hold(tx: Transaction, until: datetime) -> None:
    """Nobody has listened for a while: what was posted may be said again until then, before it counts as over."""
    for row in alerts.expiring(tx):
        state = AlertState.from_dict(row)
        if state.expires_at is not None and state.expires_at < until:
            alerts.save(tx, replace(state, expires_at=until).to_dict())


def _keep(tx: Transaction, decided: Iterable[Decided], now: datetime) -> None:
    """Keep what was decided, all at once: a sweep finds much amiss, and who comes back after an outage posts all."""
    left = [one for one in decided if one.changes]
    while left:
        # One decision of each alert: a later one follows from what it left.
        turn: dict[str, Decided] = {}
        for one in left:
            turn.setdefault(one.fingerprint, one)
        _keep_turn(tx, turn, now)
        left = [one for one in left if turn[one.fingerprint] is not one]


def _keep_turn(tx: Transaction, turn: Mapping[str, Decided], now: datetime) -> None:
    states = {name: one.state.to_dict() for name, one in turn.items()}
    alerts.save_all(tx, states.values(), {name for name, one in turn.items() if one.before is not None})
    told = {name: one.decision for name, one in turn.items() if one.decision.reason not in _QUIET}
    at = stamp(now)
    alerts.note_all(tx, [(name, at, one.reason, one.sentence, turn[name].run) for name, one in told.items()])
    episodes.record_all(tx, [states[name] for name in told])
    over = {name for name, one in told.items() if one.reason is Reason.RESOLVED}
    for name in over & silences.waiting_for(tx, now) if over else ():
        silences.end_with(tx, name, now)
