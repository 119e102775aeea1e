"""decide(state, event, now) -> (state, effects, reason): the whole life of an alert, as a pure function.

`told` in the state is what people know. Whatever is worse than that is worth a notification, now or, when another
alert inhibits this one, with the first later result that nothing inhibits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from roundsman.alerts.acknowledgement import acknowledged, end_of, not_of_the_future, unacknowledged
from roundsman.alerts.model import (
    Acknowledge,
    AlertState,
    CheckResult,
    Effect,
    Event,
    HumanEvent,
    Measurement,
    NoData,
    Notify,
    NotifyKind,
    Phase,
    Resolve,
    Status,
    Tick,
    Unacknowledge,
)
from roundsman.alerts.names import REACHABLE, fingerprint


class Reason(StrEnum):
    """Why a decision fell as it did; shown to people."""

    OPENED = "opened"
    REOPENED = "reopened"
    WORSENED = "worsened"
    NO_LONGER_INHIBITED = "no_longer_inhibited"
    INHIBITED = "inhibited"
    UNCHANGED = "unchanged"
    IMPROVED = "improved"
    NO_DATA = "no_data"
    RESOLVED = "resolved"
    RESOLVED_SILENTLY = "resolved_silently"
    STILL_OK = "still_ok"
    NOTHING_OPEN = "nothing_open"
    STALE = "stale"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGEMENT_EXPIRED = "acknowledgement_expired"
    REFUSED_NO_ALERT = "refused_no_alert"
    REFUSED_RESOLVED = "refused_resolved"
    REFUSED_ACKNOWLEDGED = "refused_acknowledged"
    REFUSED_NOT_ACKNOWLEDGED = "refused_not_acknowledged"


@dataclass(frozen=True)
class Decision:
    """The new state, what to do, and why. `state` is None only where there was none and none was needed."""

    state: AlertState | None
    effects: tuple[Effect, ...]
    reason: Reason
    sentence: str

    @property
    def refused(self) -> bool:
        """True when a person asked for what the alert's phase does not allow; nothing was changed."""
        return self.reason.startswith("refused_")


def decide(state: AlertState | None, event: Event, now: datetime, *, inhibited_by: str | None = None) -> Decision:
    """Decide what `event` means for the alert in `state`.

    `state` is the alert of the event's fingerprint, None when it never opened. `inhibited_by` is what `inhibitor`
    returned for the host; an alert never inhibits itself. A time later than `now` counts as `now`, or a controller
    whose clock ran ahead would make everything after it stale. For the same reason nothing is older than a state that
    is later than `now`.
    """
    if isinstance(event, Acknowledge | Unacknowledge | Resolve):
        return _human(state, event, min(event.at, now))
    if isinstance(event, Tick):
        return _time_passed(state, min(event.at, now))
    at = min(event.at, now)
    if state is not None and at < state.updated_at <= now:
        return Decision(state, (), Reason.STALE, f"the event of {at} is older than the state of {state.updated_at}")
    by = None if inhibited_by == event.fingerprint else inhibited_by
    if isinstance(event, NoData):
        return _no_data(state, event, at, by)
    if event.status is Status.OK:
        return _ok(state, event, at)
    return _not_ok(state, event, at, by)


def inhibitor(host: str, states: Mapping[str, AlertState]) -> str | None:
    """Fingerprint of the host's open `reachable` alert: while it is open, the host's other alerts are not notified."""
    alert = states.get(fingerprint(host, REACHABLE))
    return alert.fingerprint if alert is not None and alert.is_open else None


def in_order(events: Iterable[Measurement]) -> list[Measurement]:
    """The events of a batch, oldest first and reachability before the rest, so that inhibition is known in time."""
    return sorted(events, key=lambda event: (event.at, event.check != REACHABLE))


def _not_ok(state: AlertState | None, event: CheckResult, at: datetime, by: str | None) -> Decision:
    """A non-OK result: open, reopen or update; notify when it is worse than what people know and nothing inhibits."""
    opening = state is None or not state.is_open
    before = _opening(state, event, at) if state is None or opening else state
    known = event.status if event.status is not Status.UNKNOWN else before.last_known
    after = replace(
        before,
        status=event.status,
        last_known=known,
        message=event.message,
        evidence=event.evidence,
        no_data=None,
        run=event.run,
        updated_at=at,
        inhibited_by=by,
    )
    if before.told is not None and event.status.rank <= before.told.rank:
        return _not_worse(before, after)
    after = unacknowledged(after)
    if by is not None:
        return Decision(after, (), Reason.INHIBITED, f"{event.status}, not notified while alert {by} is open")
    kind = NotifyKind.WORSENED if before.notified else NotifyKind.OPENED
    after = replace(after, told=event.status, notified=True)
    reason, sentence = _why_notified(before, after, opening)
    return Decision(after, (_notify(kind, after, at),), reason, sentence)


def _opening(state: AlertState | None, event: CheckResult, at: datetime) -> AlertState:
    """The first state of a new episode."""
    return AlertState(
        fingerprint=event.fingerprint,
        host=event.host,
        check=event.check,
        phase=Phase.OPEN,
        status=event.status,
        message=event.message,
        run=event.run,
        opened_at=at,
        updated_at=at,
        episode=1 if state is None else state.episode + 1,
    )


def _not_worse(before: AlertState, after: AlertState) -> Decision:
    """No worse than what people know: silent. Knowing follows an improvement down, so that a relapse is told again.

    UNKNOWN is no improvement: CRITICAL, UNKNOWN, CRITICAL is one problem, told once.
    """
    if after.status is Status.UNKNOWN or after.status is before.told:
        return Decision(after, (), Reason.UNCHANGED, f"{after.status} and already known as {before.told}")
    return Decision(
        replace(after, told=after.status), (), Reason.IMPROVED, f"{before.told} became {after.status}, still not OK"
    )


def _why_notified(before: AlertState, after: AlertState, opening: bool) -> tuple[Reason, str]:
    if opening and after.episode > 1:
        return Reason.REOPENED, f"{after.status} again, opened for the {after.episode}. time"
    if opening:
        return Reason.OPENED, f"{after.status} for the first time"
    if before.told is None:
        return Reason.NO_LONGER_INHIBITED, f"{after.status} and nothing inhibits it any more"
    ended = f"; this ends the acknowledgement by {before.acknowledged_by}" if before.phase is Phase.ACKNOWLEDGED else ""
    return Reason.WORSENED, f"{before.told} became {after.status}{ended}"


def _ok(state: AlertState | None, event: CheckResult, at: datetime) -> Decision:
    """An OK result resolves; people hear of it exactly when they heard of the problem."""
    if state is None:
        return Decision(None, (), Reason.NOTHING_OPEN, "OK and nothing is open")
    if not state.is_open:
        return Decision(replace(state, updated_at=at), (), Reason.STILL_OK, "OK and already resolved")
    after = replace(state, status=Status.OK, message=event.message, evidence=event.evidence, run=event.run)
    return _resolved(after, at, None, f"OK: {event.message}")


def _resolved(state: AlertState, at: datetime, person: str | None, sentence: str) -> Decision:
    after = replace(
        state,
        phase=Phase.RESOLVED,
        no_data=None,
        inhibited_by=None,
        resolved_at=at,
        resolved_by=person,
        updated_at=max(at, state.updated_at),
    )
    if not state.notified:
        return Decision(after, (), Reason.RESOLVED_SILENTLY, f"{sentence} (nobody had been notified)")
    return Decision(after, (_notify(NotifyKind.RESOLVED, after, at),), Reason.RESOLVED, sentence)


def _no_data(state: AlertState | None, event: NoData, at: datetime, by: str | None) -> Decision:
    """Not looked at is not OK: an open alert becomes UNKNOWN and stays open, and nobody is told anything new."""
    if state is None or not state.is_open:
        return Decision(state, (), Reason.NOTHING_OPEN, f"no data ({event.message}) and nothing is open")
    after = replace(state, status=Status.UNKNOWN, no_data=event.message, run=event.run, updated_at=at, inhibited_by=by)
    return Decision(after, (), Reason.NO_DATA, f"no data: {event.message}; stays open as UNKNOWN")


def _human(state: AlertState | None, event: HumanEvent, at: datetime) -> Decision:
    """What a person asked for, or a refusal that says why not."""
    if state is None:
        return Decision(None, (), Reason.REFUSED_NO_ALERT, "there is no such alert")
    if not state.is_open:
        return Decision(state, (), Reason.REFUSED_RESOLVED, f"it is resolved since {state.resolved_at}; nothing to do")
    by = f"{event.by}: {event.note}" if event.note else event.by
    if isinstance(event, Resolve):
        return _resolved(state, at, event.by, f"resolved by {by}")
    if isinstance(event, Acknowledge):
        return _acknowledge(state, event, at, f"acknowledged by {by}")
    return _give_back(state, f"given back by {by}")


def _acknowledge(state: AlertState, event: Acknowledge, at: datetime, sentence: str) -> Decision:
    """Who has it may take it for longer; somebody else is told who has it."""
    if state.phase is Phase.ACKNOWLEDGED and state.acknowledged_by != event.by:
        refusal = f"{state.acknowledged_by} has acknowledged it already, at {state.acknowledged_at}"
        return Decision(state, (), Reason.REFUSED_ACKNOWLEDGED, refusal)
    after = acknowledged(state, event, at)
    return Decision(after, (), Reason.ACKNOWLEDGED, f"{sentence}, until {end_of(after):%Y-%m-%d %H:%M %Z}")


def _give_back(state: AlertState, sentence: str) -> Decision:
    if state.phase is not Phase.ACKNOWLEDGED:
        return Decision(state, (), Reason.REFUSED_NOT_ACKNOWLEDGED, "nobody has acknowledged it")
    told = state.told if state.notified else None
    return Decision(replace(unacknowledged(state), told=told), (), Reason.UNACKNOWLEDGED, sentence)


def _time_passed(state: AlertState | None, now: datetime) -> Decision:
    """An acknowledgement that is over makes the problem everybody's again, and they are told."""
    state = state and not_of_the_future(state, now)
    until = end_of(state) if state else None
    if state is None or until is None or now < until:
        return Decision(state, (), Reason.UNCHANGED, "nothing was to end by now")
    ended = f"the acknowledgement by {state.acknowledged_by} ended at {until:%Y-%m-%d %H:%M %Z}"
    sentence = f"{ended}, still {state.status}"
    after = unacknowledged(state)
    if state.inhibited_by is not None:
        later = f"{sentence}; not notified while alert {state.inhibited_by} is open"
        return Decision(replace(after, told=None), (), Reason.ACKNOWLEDGEMENT_EXPIRED, later)
    kind = NotifyKind.EXPIRED if state.notified else NotifyKind.OPENED
    after = replace(after, notified=True)
    # Who is told shall know whom to ask.
    shown = replace(after, acknowledged_by=state.acknowledged_by)
    return Decision(after, (_notify(kind, shown, until),), Reason.ACKNOWLEDGEMENT_EXPIRED, sentence)


def _notify(kind: NotifyKind, alert: AlertState, at: datetime) -> Notify:
    """The key is the same whenever the same event is decided again; some kinds can happen twice in one episode."""
    key = f"{alert.fingerprint}/{alert.episode}/{kind}"
    if kind in (NotifyKind.WORSENED, NotifyKind.EXPIRED):
        key += f"/{alert.status}/{at.isoformat()}"
    return Notify(kind, alert, key)
