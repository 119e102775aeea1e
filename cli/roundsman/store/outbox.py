"""Notifications waiting to be delivered: the write-ahead log of everything that is sent.

A row is written with the decision that caused it, claimed for one attempt at a time, and marked after the attempt.
Rows once claimed together keep their message id, so that a repeat after a crash is the same message.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from ..times import stamp
from .database import Row, Transaction, rows
from .schema import deliveries, outbox

UNROUTED = ""


def add(
    tx: Transaction,
    *,
    key: str,
    receiver: str,
    channel: str,
    group_key: str,
    run_id: str | None,
    notification: Mapping[str, Any],
    now: datetime,
    due_at: datetime,
) -> None:
    """Put one notification for one channel in the outbox; the same key twice is one row.

    What older news of the same alert still waits there is superseded: a page must not arrive after its own end.
    """
    fingerprint = key.partition("/")[0]
    tx.execute(
        sa.update(outbox)
        .where(outbox.c.key.startswith(f"{fingerprint}/", autoescape=True), outbox.c.key != key)
        .where(outbox.c.channel == channel, outbox.c.status == "pending")
        .values(status="superseded")
    )
    if tx.scalar(sa.select(outbox.c.key).where(outbox.c.key == key)) is None:
        tx.execute(
            sa.insert(outbox).values(
                key=key, receiver=receiver, channel=channel, group_key=group_key, run_id=run_id,
                notification=notification, status="pending", created_at=stamp(now), due_at=stamp(due_at), attempts=0,
                detail="",
            )
        )  # fmt: skip


def release(tx: Transaction, run_id: str, now: datetime) -> None:
    """A run is over: what waited for companions need not wait any more."""
    tx.execute(
        sa.update(outbox)
        .where(outbox.c.run_id == run_id, outbox.c.status == "pending", outbox.c.attempts == 0)
        .values(due_at=stamp(now))
    )


def route(tx: Transaction, receiver: str, channels: Sequence[str]) -> None:
    """Address what was decided while no receiver was configured (by a command with another roundsman.yml, perhaps)."""
    for row in rows(tx.execute(sa.select(outbox).where(outbox.c.channel == UNROUTED, outbox.c.status == "pending"))):
        tx.execute(sa.delete(outbox).where(outbox.c.key == row["key"]))
        for channel in channels:
            key = row["key"] + channel
            if tx.scalar(sa.select(outbox.c.key).where(outbox.c.key == key)) is None:
                tx.execute(sa.insert(outbox).values({**row, "key": key, "receiver": receiver, "channel": channel}))


def forget_unrouted(tx: Transaction, before: datetime) -> None:
    """Nobody was configured for a long time: old news is for nobody."""
    tx.execute(sa.delete(outbox).where(outbox.c.channel == UNROUTED, outbox.c.created_at < stamp(before)))


def claim(tx: Transaction, now: datetime, lease: timedelta, channels: Collection[str]) -> list[Row]:
    """Take the rows of one message to one of the channels that is due, for as long as the lease; or nothing."""
    due = (outbox.c.status == "pending") & (outbox.c.due_at <= stamp(now)) & outbox.c.channel.in_(channels)
    free = outbox.c.claimed_until.is_(None) | (outbox.c.claimed_until <= stamp(now))
    first = tx.execute(sa.select(outbox).where(due & free).order_by(outbox.c.due_at, outbox.c.key)).mappings().first()
    if first is None:
        return []
    if first["message_id"] is not None:
        together = (outbox.c.message_id == first["message_id"]) & (outbox.c.status == "pending")
    else:
        same = (outbox.c.channel == first["channel"]) & (outbox.c.group_key == first["group_key"])
        together = same & (outbox.c.status == "pending") & outbox.c.message_id.is_(None)
    message_id = first["message_id"] or uuid4().hex
    tx.execute(
        sa.update(outbox).where(together).values(message_id=message_id, claimed_until=stamp(now + lease))
    )  # fmt: skip
    mine = sa.select(outbox).where(outbox.c.message_id == message_id, outbox.c.status == "pending")
    return rows(tx.execute(mine.order_by(outbox.c.created_at, outbox.c.key)))


def settle(
    tx: Transaction, message: Sequence[Row], *, now: datetime, ok: bool, detail: str, retry_at: datetime | None
) -> None:
    """Record an attempt: delivered, to be tried again at a time, or given up."""
    first = message[0]
    status = "delivered" if ok else "pending" if retry_at else "failed"
    values: dict[str, Any] = {
        "status": status,
        "attempts": first["attempts"] + 1,
        "detail": detail,
        "claimed_until": None,
    }
    if retry_at:
        values["due_at"] = stamp(retry_at)
    still_wanted = (outbox.c.message_id == first["message_id"]) & (outbox.c.status == "pending")
    tx.execute(sa.update(outbox).where(still_wanted).values(values))
    tx.execute(
        sa.insert(deliveries).values(
            message_id=first["message_id"], receiver=first["receiver"], channel=first["channel"], at=stamp(now),
            ok=ok, detail=detail,
        )
    )  # fmt: skip


def waiting(tx: Transaction) -> list[Row]:
    """What is not delivered yet, or was given up, oldest first."""
    unfinished = outbox.c.status.in_(("pending", "failed")) & (outbox.c.channel != UNROUTED)
    return rows(tx.execute(sa.select(outbox).where(unfinished).order_by(outbox.c.due_at)))


def of_run(tx: Transaction, run_id: str) -> list[Row]:
    return rows(tx.execute(sa.select(outbox).where(outbox.c.run_id == run_id)))


def deliveries_of(tx: Transaction, fingerprint: str) -> list[Row]:
    """Every attempt to deliver a notification of this alert, oldest first."""
    # Notification keys begin with the alert's fingerprint (alerts.decide).
    messages = sa.select(outbox.c.message_id).where(outbox.c.key.startswith(fingerprint + "/", autoescape=True))
    query = sa.select(deliveries).where(deliveries.c.message_id.in_(messages)).order_by(deliveries.c.id)
    return rows(tx.execute(query))
