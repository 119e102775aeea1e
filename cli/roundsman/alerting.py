"""The flow from events to the outbox: load a state, let alerts/ decide, keep state, reasons and effects together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .alerts.decide import Decision, Reason, decide, in_order, inhibitor
from .alerts.model import AlertState, CheckResult, HumanEvent, Measurement, Notify, Status, Tick
from .alerts.names import CheckKind, check_kind
from .insight.freshness import vanished
from .insight.states import CheckState, Policy, settle
from .insight.states import Reason as StateReason
from .store import Transaction, alerts, checks, outbox
from .times import moment, stamp

# Decisions that repeat what was known before would drown a timeline.
_QUIET = {Reason.UNCHANGED, Reason.STILL_OK, Reason.NOTHING_OPEN, Reason.STALE}

# What happens to an open alert while alerting itself sees nothing new.
_TOLD_BY_STATES = {StateReason.RECOVERING, StateReason.RELAPSED, StateReason.FLAPPED}


@dataclass(frozen=True)
class Routing:
    """Where notifications go: the one receiver, its channels, and how long one waits for companions."""

    receiver: str | None = None
    channels: Sequence[str] = field(default_factory=tuple)
    group_wait: timedelta = timedelta(0)


def states_of(tx: Transaction, host: str) -> dict[str, AlertState]:
    """The host's alerts by fingerprint."""
    return {state["fingerprint"]: AlertState.from_dict(state) for state in alerts.of_host(tx, host)}


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
    tx: Transaction, states: dict[str, AlertState], events: Sequence[Measurement], now: datetime, routing: Routing
) -> list[Decision]:
    """Decide on one host's events, in the order that inhibition needs; `states` follows along."""
    decisions = []
    for event in in_order(list(events)):
        state = states.get(event.fingerprint)
        decision = decide(state, event, now, inhibited_by=inhibitor(event.host, states))
        if decision.state is not None:
            states[event.fingerprint] = decision.state
        if decision.state != state or decision.effects:
            _keep(tx, decision, event.run, now, routing)
        decisions.append(decision)
    return decisions


def respond(tx: Transaction, state: AlertState, event: HumanEvent, now: datetime, routing: Routing) -> Decision:
    """Decide on what a person did to one alert. A refused decision changes nothing."""
    decision = decide(state, event, now)
    if not decision.refused:
        _keep(tx, decision, None, now, routing)
    return decision


def pass_time(tx: Transaction, now: datetime, routing: Routing) -> None:
    """What is due by the clock alone: acknowledgements that are over."""
    for state in alerts.acknowledged(tx):
        before = AlertState.from_dict(state)
        decision = decide(before, Tick(now), now)
        if decision.state != before:
            _keep(tx, decision, None, now, routing)


def _keep(tx: Transaction, decision: Decision, run: str | None, now: datetime, routing: Routing) -> None:
    if decision.state is None:
        return
    alerts.save(tx, decision.state.to_dict())
    if decision.reason not in _QUIET:
        alerts.note(tx, decision.state.fingerprint, stamp(now), decision.reason, decision.sentence, run)
    for effect in decision.effects:
        _post(tx, effect, run, now, routing)


def _post(tx: Transaction, effect: Notify, run: str | None, now: datetime, routing: Routing) -> None:
    for channel in routing.channels or (outbox.UNROUTED,):
        outbox.add(
            tx,
            key=f"{effect.key}/{channel}",
            receiver=routing.receiver or "",
            channel=channel,
            group_key=f"{effect.alert.host}/{run or 'person'}",
            run_id=run,
            notification=effect.to_dict(),
            now=now,
            # What a person did is told at once; what a run found waits for what else it finds on that host.
            due_at=now + routing.group_wait if run else now,
        )
