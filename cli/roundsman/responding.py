"""The flow of what people do about alerts beside answering them: who deals with it, notes, and how long all takes."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime

from .alerts import figures
from .alerts.model import AlertState
from .store import Transaction, alerts, episodes
from .times import moment, stamp

_TIMES = ("opened_at", "acknowledged_at", "resolved_at")


def assign(tx: Transaction, state: AlertState, who: str, by: str, now: datetime) -> None:
    """Whoever was assigned before is no more; the timeline keeps both."""
    after = replace(state, assigned_to=who).to_dict()
    alerts.save(tx, after)
    episodes.record(tx, after)
    alerts.note(tx, state.fingerprint, stamp(now), "assigned", f"assigned to {who} by {by}")


def note(tx: Transaction, state: AlertState, text: str, by: str, now: datetime) -> None:
    alerts.note(tx, state.fingerprint, stamp(now), "note", f"{by}: {text}")


def statistics(tx: Transaction, since: datetime, now: datetime) -> figures.Statistics:
    known = [field.name for field in fields(figures.Episode)]
    found = []
    for row in episodes.since(tx, since):
        times = {name: moment(row[name]) if row[name] else None for name in _TIMES}
        found.append(figures.Episode(**{**{name: row[name] for name in known}, **times}))
    return figures.statistics(found, since, now)
