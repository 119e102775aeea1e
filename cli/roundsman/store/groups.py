"""What each receiver knows of each group of alerts: alerts.groups.GroupState as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..times import stamp
from .database import Transaction
from .schema import groups

State = Mapping[str, Any]


def every(tx: Transaction) -> list[State]:
    return list(tx.scalars(sa.select(groups.c.state)))


def next_due(tx: Transaction) -> str | None:
    """When the next group is to be looked at; None without any."""
    due: str | None = tx.scalar(sa.select(sa.func.min(groups.c.flush_at)))
    return due


def save(tx: Transaction, name: str, flush_at: datetime, state: State) -> None:
    values = {"flush_at": stamp(flush_at), "state": state}
    if not tx.execute(sa.update(groups).where(groups.c.id == name).values(values)).rowcount:
        tx.execute(sa.insert(groups).values(id=name, **values))


def remove(tx: Transaction, name: str) -> None:
    tx.execute(sa.delete(groups).where(groups.c.id == name))
