"""Acknowledgements: somebody is on it, and for how long that counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from roundsman.alerts.model import Acknowledge, AlertState, Phase

# Half a shift: long enough to repair most things, short enough that what was forgotten is seen by the same people.
ACKNOWLEDGED_FOR = timedelta(hours=4)


def acknowledged(state: AlertState, event: Acknowledge, at: datetime) -> AlertState:
    """Who acknowledges has seen the worst of what is shown, so only what is worse than that is told from now on.

    `updated_at` stays: a result measured before the acknowledgement and read after it still counts.
    """
    seen = [status for status in (state.status, state.last_known) if status is not None]
    return replace(
        state,
        phase=Phase.ACKNOWLEDGED,
        acknowledged_by=event.by,
        acknowledged_at=at,
        acknowledged_until=event.until or at + ACKNOWLEDGED_FOR,
        acknowledged_status=max(seen, key=lambda status: status.rank),
        expired_at=None,
    )


def unacknowledged(state: AlertState) -> AlertState:
    return replace(
        state,
        phase=Phase.OPEN,
        acknowledged_by=None,
        acknowledged_at=None,
        acknowledged_until=None,
        acknowledged_status=None,
    )


def end_of(state: AlertState) -> datetime | None:
    """When the acknowledgement ends; None when there is none. Every one has an end, whoever wrote the state."""
    if state.phase is not Phase.ACKNOWLEDGED or state.acknowledged_at is None:
        return None
    return state.acknowledged_until or state.acknowledged_at + ACKNOWLEDGED_FOR


def not_of_the_future(state: AlertState, now: datetime) -> AlertState:
    """The clock was ahead and is right now: what was granted is a length of time, not a year of the future."""
    end = end_of(state)
    if end is None or state.acknowledged_at is None or state.acknowledged_at <= now:
        return state
    return replace(state, acknowledged_at=now, acknowledged_until=now + (end - state.acknowledged_at))
