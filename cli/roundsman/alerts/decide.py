"""decide(state, event, now) -> (state, reason): the whole life of one alert, as a pure function.

Who is told of it, and when, is decided afterwards for whole groups of alerts (groups.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from roundsman.alerts.acknowledgement import acknowledged, end_of, not_of_the_future, unacknowledged
from roundsman.alerts.model import (
    Acknowledge,
    AlertState,
    CheckResult,
    Event,
    HumanEvent,
    Measurement,
    NoData,
    Phase,
    Resolve,
    Status,
    Tick,
    Unacknowledge,
)
from roundsman.alerts.names import REACHABLE


class Reason(StrEnum):
    """Why a decision fell as it did; shown to people."""

    OPENED = "opened"
    REOPENED = "reopened"
    WORSENED = "worsened"
    UNCHANGED = "unchanged"
    IMPROVED = "improved"
    NO_DATA = "no_data"
    RESOLVED = "resolved"
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
    """The new state, and why. `state` is None only where there was none and none was needed."""

    state: AlertState | None
    reason: Reason
    sentence: str

    @property
    def refused(self) -> bool:
        """True when a person asked for what the alert's phase does not allow; nothing was changed."""
        return self.reason.startswith("refused_")


def decide(state: AlertState | None, event: Event, now: datetime) -> Decision:
    """Decide what `event` means for the alert in `state`, which is None when it never opened.

    A time later than `now` counts as `now`, or a controller whose clock ran ahead would make everything after it
    stale. For the same reason nothing is older than a state that is later than `now`.
    """
    at = min(event.at, now)
    if isinstance(event, Acknowledge | Unacknowledge | Resolve):
        return _human(state, event, at)
    if isinstance(event, Tick):
        return _time_passed(state, at)
    if state is not None and at < state.updated_at <= now:
        return Decision(state, Reason.STALE, f"the event of {at} is older than the state of {state.updated_at}")
    if isinstance(event, NoData):
        return _no_data(state, event, at)
    return _ok(state, event, at) if event.status is Status.OK else _not_ok(state, event, at)


def in_order(events: Iterable[Measurement]) -> list[Measurement]:
    """The events of a batch, oldest first and reachability before the rest, so that inhibition is known in time."""
    return sorted(events, key=lambda event: (event.at, event.check != REACHABLE))


def _not_ok(state: AlertState | None, event: CheckResult, at: datetime) -> Decision:
    """A non-OK result: open, reopen or update. What is worse than what was acknowledged ends the acknowledgement."""
    opening = state is None or not state.is_open
    before = _opening(state, event, at) if state is None or opening else state
    after = replace(
        before,
        status=event.status,
        last_known=event.status if event.status is not Status.UNKNOWN else before.last_known,
        message=event.message,
        evidence=event.evidence,
        no_data=None,
        run=event.run,
        updated_at=at,
    )
    if opening and after.episode > 1:
        return Decision(after, Reason.REOPENED, f"{event.status} again, opened for the {after.episode}. time")
    if opening:
        return Decision(after, Reason.OPENED, f"{event.status} for the first time")
    was = before.acknowledged_status or before.known_status
    if event.status.rank > was.rank:
        held = before.phase is Phase.ACKNOWLEDGED
        ended = f"; this ends the acknowledgement by {before.acknowledged_by}" if held else ""
        # Who was told of as much before, and not of the improvement, is to be told all the same.
        after = replace(unacknowledged(after), expired_at=at if held else after.expired_at)
        return Decision(after, Reason.WORSENED, f"{was} became {event.status}{ended}")
    return _not_worse(after, was)


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


def _not_worse(after: AlertState, was: Status) -> Decision:
    """An acknowledgement follows an improvement down, so that a relapse ends it. UNKNOWN is no improvement."""
    if after.status is Status.UNKNOWN or after.status is was:
        return Decision(after, Reason.UNCHANGED, f"{after.status}, was {was}")
    if after.acknowledged_status is not None:
        after = replace(after, acknowledged_status=after.status)
    return Decision(after, Reason.IMPROVED, f"{was} became {after.status}, still not OK")


def _ok(state: AlertState | None, event: CheckResult, at: datetime) -> Decision:
    if state is None:
        return Decision(None, Reason.NOTHING_OPEN, "OK and nothing is open")
    if not state.is_open:
        return Decision(replace(state, updated_at=at), Reason.STILL_OK, "OK and already resolved")
    after = replace(state, status=Status.OK, message=event.message, evidence=event.evidence, run=event.run)
    return _resolved(after, at, None, f"OK: {event.message}")


def _resolved(state: AlertState, at: datetime, person: str | None, sentence: str) -> Decision:
    after = replace(
        state,
        phase=Phase.RESOLVED,
        no_data=None,
        resolved_at=at,
        resolved_by=person,
        updated_at=max(at, state.updated_at),
    )
    return Decision(after, Reason.RESOLVED, sentence)


def _no_data(state: AlertState | None, event: NoData, at: datetime) -> Decision:
    """Not looked at is not OK: an open alert becomes UNKNOWN and stays open, and nobody is told anything new."""
    if state is None or not state.is_open:
        return Decision(state, Reason.NOTHING_OPEN, f"no data ({event.message}) and nothing is open")
    after = replace(state, status=Status.UNKNOWN, no_data=event.message, run=event.run, updated_at=at)
    return Decision(after, Reason.NO_DATA, f"no data: {event.message}; stays open as UNKNOWN")


def _human(state: AlertState | None, event: HumanEvent, at: datetime) -> Decision:
    """What a person asked for, or a refusal that says why not."""
    if state is None:
        return Decision(None, Reason.REFUSED_NO_ALERT, "there is no such alert")
    if not state.is_open:
        return Decision(state, Reason.REFUSED_RESOLVED, f"it is resolved since {state.resolved_at}; nothing to do")
    by = f"{event.by}: {event.note}" if event.note else event.by
    if isinstance(event, Resolve):
        return _resolved(state, at, event.by, f"resolved by {by}")
    if isinstance(event, Acknowledge):
        return _acknowledge(state, event, at, f"acknowledged by {by}")
    if state.phase is not Phase.ACKNOWLEDGED:
        return Decision(state, Reason.REFUSED_NOT_ACKNOWLEDGED, "nobody has acknowledged it")
    return Decision(unacknowledged(state), Reason.UNACKNOWLEDGED, f"given back by {by}")


def _acknowledge(state: AlertState, event: Acknowledge, at: datetime, sentence: str) -> Decision:
    """Who has it may take it for longer; somebody else is told who has it."""
    if state.phase is Phase.ACKNOWLEDGED and state.acknowledged_by != event.by:
        refusal = f"{state.acknowledged_by} has acknowledged it already, at {state.acknowledged_at}"
        return Decision(state, Reason.REFUSED_ACKNOWLEDGED, refusal)
    after = acknowledged(state, event, at)
    return Decision(after, Reason.ACKNOWLEDGED, f"{sentence}, until {end_of(after):%Y-%m-%d %H:%M %Z}")


def _time_passed(state: AlertState | None, now: datetime) -> Decision:
    """An acknowledgement that is over makes the problem everybody's again, and they are told."""
    state = state and not_of_the_future(state, now)
    until = end_of(state) if state else None
    if state is None or until is None or now < until:
        return Decision(state, Reason.UNCHANGED, "nothing was to end by now")
    ended = f"the acknowledgement by {state.acknowledged_by} ended at {until:%Y-%m-%d %H:%M %Z}"
    # Who is told shall know whom to ask.
    after = replace(unacknowledged(state), acknowledged_by=state.acknowledged_by, expired_at=until)
    return Decision(after, Reason.ACKNOWLEDGEMENT_EXPIRED, f"{ended}, still {state.status}")
