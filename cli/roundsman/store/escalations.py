"""How far each alert's escalation has come: alerts.escalation.Escalation as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..times import stamp
from .database import Transaction
from .schema import escalations

State = Mapping[str, Any]
Key = tuple[str, str]  # fingerprint and receiver


def every(tx: Transaction) -> dict[Key, State]:
    """All whose end has not been told."""
    return {(row.fingerprint, row.receiver): row.state for row in tx.execute(sa.select(escalations))}


def of_alert(tx: Transaction, fingerprint: str) -> dict[str, State]:
    """By the receivers' names."""
    wanted = sa.select(escalations).where(escalations.c.fingerprint == fingerprint).order_by(escalations.c.receiver)
    return {row.receiver: row.state for row in tx.execute(wanted)}


def next_due(tx: Transaction) -> str | None:
    """When the next step is due; None without any."""
    due: str | None = tx.scalar(sa.select(sa.func.min(escalations.c.due_at)))
    return due


def save(tx: Transaction, receiver: str, state: State) -> None:
    due_at = state["due_at"] and stamp(datetime.fromisoformat(state["due_at"]))
    values = {"due_at": due_at, "state": state}
    this = _this(state["fingerprint"], receiver)
    if not tx.execute(sa.update(escalations).where(this).values(values)).rowcount:
        tx.execute(sa.insert(escalations).values(fingerprint=state["fingerprint"], receiver=receiver, **values))


def remove(tx: Transaction, fingerprint: str, receiver: str) -> None:
    tx.execute(sa.delete(escalations).where(_this(fingerprint, receiver)))


def _this(fingerprint: str, receiver: str) -> sa.ColumnElement[bool]:
    return (escalations.c.fingerprint == fingerprint) & (escalations.c.receiver == receiver)
