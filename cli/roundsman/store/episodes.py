"""Every time that an alert was open, and when people answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..alerts.model import Status
from ..times import moment, stamp
from .database import Row, Transaction, rows
from .schema import episodes


def record(tx: Transaction, state: Mapping[str, Any]) -> None:
    """Follow an alert as it is after a decision; recording the same state again changes nothing."""
    this = (episodes.c.fingerprint == state["fingerprint"]) & (episodes.c.episode == state["episode"])
    known = tx.execute(sa.select(episodes).where(this)).mappings().first()
    before = dict(known or {"severity": Status.OK, "acknowledged_at": None, "acknowledged_by": None})
    values = {
        "severity": max(before["severity"], state["status"], key=lambda one: Status(one).rank),
        "assignee": state.get("assigned_to"),
        "acknowledged_at": before["acknowledged_at"] or _stamped(state.get("acknowledged_at")),
        "acknowledged_by": before["acknowledged_by"] or state.get("acknowledged_by"),
        "resolved_at": _stamped(state.get("resolved_at")),
        "resolved_by": state.get("resolved_by"),
    }
    if known is not None:
        tx.execute(sa.update(episodes).where(this).values(values))
        return
    opened_at = _stamped(state["opened_at"])
    fixed = {key: state[key] for key in ("fingerprint", "episode", "host", "check")}
    tx.execute(sa.insert(episodes).values(**fixed, **values, opened_at=opened_at, receivers=[]))


def told(tx: Transaction, fingerprint: str, episode: int, receiver: str) -> None:
    """A receiver is told that the alert fires."""
    this = (episodes.c.fingerprint == fingerprint) & (episodes.c.episode == episode)
    known = tx.scalar(sa.select(episodes.c.receivers).where(this))
    if known is not None and receiver not in known:
        tx.execute(sa.update(episodes).where(this).values(receivers=[*known, receiver]))


def since(tx: Transaction, begin: datetime) -> list[Row]:
    """Those that were open at some time since then, oldest first."""
    open_then = episodes.c.resolved_at.is_(None) | (episodes.c.resolved_at >= stamp(begin))
    return rows(tx.execute(sa.select(episodes).where(open_then).order_by(episodes.c.opened_at)))


def _stamped(at: str | None) -> str | None:
    return stamp(moment(at)) if at else None
