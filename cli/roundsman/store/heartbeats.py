"""What came of the heartbeats: the last that was heard, and the failures of a week."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from ..times import moment, stamp
from .database import Row, Transaction, rows
from .schema import deliveries

# In the ledger of deliveries, heartbeats are one receiver, channel and message.
NAME = "heartbeat"
_FAILURES_KEPT = timedelta(days=7)
_ours = deliveries.c.channel == NAME


def note(tx: Transaction, at: datetime, *, ok: bool, detail: str) -> None:
    over = deliveries.c.at < stamp(at - _FAILURES_KEPT)
    tx.execute(sa.delete(deliveries).where(_ours, over | deliveries.c.ok if ok else over))
    tx.execute(
        sa.insert(deliveries).values(message_id=NAME, receiver=NAME, channel=NAME, at=stamp(at), ok=ok, detail=detail)
    )


def last_heard(tx: Transaction) -> datetime | None:
    at = tx.scalar(sa.select(sa.func.max(deliveries.c.at)).where(_ours, deliveries.c.ok))
    return moment(at) if at else None


def failures(tx: Transaction) -> list[Row]:
    """Oldest first."""
    return rows(tx.execute(sa.select(deliveries).where(_ours, ~deliveries.c.ok).order_by(deliveries.c.id)))
