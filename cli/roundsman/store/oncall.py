"""Overrides of on-call schedules."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ..alerts.oncall import Override
from ..times import moment, stamp
from .database import Transaction
from .schema import overrides


def add(tx: Transaction, one: Override) -> int:
    """Keep an override; its id."""
    times = {"start_at": stamp(one.start), "end_at": stamp(one.end), "made_at": stamp(one.made_at)}
    values = {"schedule": one.schedule, "person": one.person, "why": one.why, "by": one.by, **times}
    return int(tx.execute(sa.insert(overrides).values(values).returning(overrides.c.id)).scalar_one())


def remove(tx: Transaction, number: int) -> bool:
    """Whether there was one."""
    return bool(tx.execute(sa.delete(overrides).where(overrides.c.id == number)).rowcount)


def since(tx: Transaction, begin: datetime) -> dict[int, Override]:
    """Those that are not over by then, by id, the first to begin first."""
    wanted = sa.select(overrides).where(overrides.c.end_at > stamp(begin))
    return {row.id: _override(row) for row in tx.execute(wanted.order_by(overrides.c.start_at, overrides.c.id))}


def _override(row: sa.Row[tuple[object, ...]]) -> Override:
    start, end, made_at = (moment(at) for at in (row.start_at, row.end_at, row.made_at))
    return Override(row.schedule, row.person, start, end, row.why, row.by, made_at)
