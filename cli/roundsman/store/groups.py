"""What each receiver knows of each group of alerts: alerts.groups.GroupState as plain values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def replace(tx: Transaction, before: Collection[str], after: Sequence[tuple[str, datetime, State]]) -> None:
    """The groups with these ids are now those: id, when it is looked at next, and state."""
    if before:
        tx.execute(sa.delete(groups).where(groups.c.id == sa.bindparam("this")), [{"this": name} for name in before])
    if after:
        rows = [{"id": name, "flush_at": stamp(at), "state": state} for name, at, state in after]
        tx.execute(sa.insert(groups), rows)
