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


def get(tx: Transaction, fingerprint: str, receiver: str) -> State | None:
    state: State | None = tx.scalar(sa.select(escalations.c.state).where(_this(fingerprint, receiver)))
    return state


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
