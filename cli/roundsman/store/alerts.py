"""Alert states, one row each, and the timeline of what was decided about them and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..times import moment, stamp
from .database import Row, Transaction, rows
from .schema import alerts, timeline

State = Mapping[str, Any]
# Fingerprint, time, reason, text, and the run in whose course it happened.
Note = tuple[str, str, str, str, str | None]


def of_host(tx: Transaction, host: str) -> list[State]:
    return list(tx.scalars(sa.select(alerts.c.state).where(alerts.c.host == host)))


def save(tx: Transaction, state: State) -> None:
    values = _values(state)
    this = alerts.c.fingerprint == state["fingerprint"]
    if not tx.execute(sa.update(alerts).where(this).values(values)).rowcount:
        tx.execute(sa.insert(alerts).values(fingerprint=state["fingerprint"], **values))


def save_all(tx: Transaction, states: Collection[State], known: Collection[str]) -> None:
    """Save each of many, of which those with the `known` fingerprints are there."""
    new = [{"fingerprint": one["fingerprint"], **_values(one)} for one in states if one["fingerprint"] not in known]
    old = [{"this": one["fingerprint"], **_values(one)} for one in states if one["fingerprint"] in known]
    if new:
        tx.execute(sa.insert(alerts), new)
    if old:
        tx.execute(sa.update(alerts).where(alerts.c.fingerprint == sa.bindparam("this")), old)


def _values(state: State) -> Row:
    values = {key: state[key] for key in ("host", "phase", "updated_at")} | {"state": state}
    return {**values, "expires_at": stamp(moment(state["expires_at"])) if state.get("expires_at") else None}


def listed(tx: Transaction, *, resolved: bool = False) -> list[State]:
    """Alerts that are open or acknowledged; with `resolved`, all that ever were."""
    query = sa.select(alerts.c.state).order_by(alerts.c.updated_at.desc())
    return list(tx.scalars(query if resolved else query.where(alerts.c.phase != "resolved")))


def acknowledged(tx: Transaction) -> list[State]:
    return list(tx.scalars(sa.select(alerts.c.state).where(alerts.c.phase == "acknowledged")))


def expiring(tx: Transaction, by: datetime | None = None) -> list[State]:
    """Alerts that are not resolved and hold only for a time; with `by`, those whose time is over then."""
    held = (alerts.c.phase != "resolved") & alerts.c.expires_at.is_not(None)
    over = alerts.c.expires_at <= stamp(by) if by else sa.true()
    return list(tx.scalars(sa.select(alerts.c.state).where(held & over)))


def of_interest(tx: Transaction, fingerprints: Collection[str]) -> list[State]:
    """Alerts that are not resolved, and these."""
    found = listed(tx)
    return [*found, *these(tx, set(fingerprints) - {state["fingerprint"] for state in found})]


def these(tx: Transaction, fingerprints: Collection[str]) -> list[State]:
    wanted, found = sorted(fingerprints), list[State]()
    # In parts: databases take so many values in one query, and no more.
    for start in range(0, len(wanted), 500):
        part = alerts.c.fingerprint.in_(wanted[start : start + 500])
        found += tx.scalars(sa.select(alerts.c.state).where(part))
    return found


def find(tx: Transaction, prefix: str) -> list[State]:
    """Alerts whose fingerprint starts with the text."""
    return list(tx.scalars(sa.select(alerts.c.state).where(alerts.c.fingerprint.startswith(prefix, autoescape=True))))


def note(tx: Transaction, fingerprint: str, at: str, reason: str, text: str, run_id: str | None = None) -> None:
    tx.execute(sa.insert(timeline).values(fingerprint=fingerprint, at=at, reason=reason, text=text, run_id=run_id))


def note_all(tx: Transaction, notes: Sequence[Note]) -> None:
    names = ("fingerprint", "at", "reason", "text", "run_id")
    if notes:
        tx.execute(sa.insert(timeline), [dict(zip(names, note, strict=True)) for note in notes])


def timeline_of(tx: Transaction, fingerprint: str) -> list[Row]:
    """What happened to one alert, oldest first."""
    query = sa.select(timeline).where(timeline.c.fingerprint == fingerprint).order_by(timeline.c.id)
    return rows(tx.execute(query))
