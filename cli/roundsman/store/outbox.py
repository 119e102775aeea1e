"""Notifications waiting to be delivered: the write-ahead log of everything that is sent.

A row is the news of one group for one channel. It is written with the decision that caused it, claimed for one attempt
at a time, and marked after the attempt; its message id stays, so that a repeat after a crash is the same message.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from ..alerts.grouping import STORM, Group
from ..times import moment, stamp
from .database import Row, Transaction, rows
from .schema import alerts, deliveries, outbox, outbox_alerts

# Longer than any claim, and than any attempt waits for the next: what is later was written by a clock that was ahead.
_LATEST = timedelta(hours=2)


def add(
    tx: Transaction,
    *,
    channel: str,
    group: Group,
    run_id: str | None,
    now: datetime,
    key: str | None = None,
    instead_of: Collection[str] = (),
) -> None:
    """Put the news of one group for one channel in the outbox, under a key of its own.

    What older news of the group, or of groups that it speaks for (`instead_of`), still waits there is told with it: a
    page must not arrive after its own end. So is a storm that waits, which speaks for many.
    """
    same = (outbox.c.channel == channel) & (outbox.c.status == "pending")
    same &= outbox.c.group_key.in_({group.key, STORM, *instead_of})
    for row in rows(tx.execute(sa.select(outbox).where(same).order_by(outbox.c.created_at.desc()))):
        older = Group.from_dict(row["notification"])
        group = group.after(older)
        if older.key == STORM:
            group = replace(group, key=STORM, labels={})
    tx.execute(sa.update(outbox).where(same).values(status="superseded"))
    key = key or uuid4().hex
    tx.execute(
        sa.insert(outbox).values(
            key=key, receiver=group.receiver, channel=channel, group_key=group.key, run_id=run_id,
            notification=group.to_dict(), acknowledges=group.acknowledges, status="pending", created_at=stamp(now),
            due_at=stamp(now), attempts=0, message_id=key, detail="",
        )
    )  # fmt: skip
    told = {news.alert.fingerprint for news in group.notifications}
    tx.execute(sa.insert(outbox_alerts), [{"key": key, "fingerprint": name} for name in sorted(told)])


def claim(tx: Transaction, now: datetime, lease: timedelta, channels: Collection[str]) -> Row | None:
    """Take one message to one of the channels that is due, for as long as the lease; or nothing."""
    first = sa.select(outbox).where(_due(now, channels)).order_by(outbox.c.due_at, outbox.c.key).limit(1)
    found = rows(tx.execute(first))
    if not found:
        return None
    tx.execute(sa.update(outbox).where(outbox.c.key == found[0]["key"]).values(claimed_until=stamp(now + lease)))
    return found[0]


def due(tx: Transaction, now: datetime, channels: Collection[str]) -> set[str]:
    """Those of the channels for which there is something that could be claimed."""
    return set(tx.scalars(sa.select(outbox.c.channel).where(_due(now, channels)).distinct()))


def _due(now: datetime, channels: Collection[str]) -> sa.ColumnElement[bool]:
    is_time = (outbox.c.due_at <= stamp(now)) | (outbox.c.due_at > stamp(now + _LATEST))
    pending = (outbox.c.status == "pending") & outbox.c.channel.in_(channels) & _unclaimed(now)
    # What newer news took over while another process was sending it must not arrive after them.
    other = outbox.alias()
    same = (other.c.channel == outbox.c.channel) & (other.c.status == "superseded")
    on_its_way = (other.c.claimed_until > stamp(now)) & (other.c.claimed_until <= stamp(now + _LATEST))
    return pending & is_time & ~sa.exists().where(same, on_its_way)


def _unclaimed(now: datetime) -> sa.ColumnElement[bool]:
    over = (outbox.c.claimed_until <= stamp(now)) | (outbox.c.claimed_until > stamp(now + _LATEST))
    return outbox.c.claimed_until.is_(None) | over


def perhaps_outdated(tx: Transaction, now: datetime) -> list[Row]:
    """What waits, is not being sent at this moment, and tells of an acknowledgement, or of an alert that is
    acknowledged or over.
    """
    its = (outbox_alerts.c.key == outbox.c.key) & (alerts.c.fingerprint == outbox_alerts.c.fingerprint)
    quiet = outbox.c.acknowledges | sa.exists().where(its, alerts.c.phase != "open")
    return rows(tx.execute(sa.select(outbox).where(outbox.c.status == "pending", _unclaimed(now), quiet)))


def left_alone(tx: Transaction, by: datetime, now: datetime, channels: Collection[str]) -> list[Row]:
    """What waits for a channel that is none of these, and nobody has sent since it was due by then; oldest first."""
    is_late = (outbox.c.due_at <= stamp(by)) | (outbox.c.due_at > stamp(now + _LATEST))
    here = (outbox.c.status == "pending") & outbox.c.channel.not_in(channels) & _unclaimed(now) & is_late
    return rows(tx.execute(sa.select(outbox).where(here).order_by(outbox.c.created_at, outbox.c.key)))


def told_after(tx: Transaction, channel: str, fingerprints: Collection[str], time: str) -> set[str]:
    """Of which of these alerts a channel was, may have been, or is to be told later than that."""
    later = [row for row in about(tx, channel, fingerprints) if row["created_at"] > time]
    return {news["alert"]["fingerprint"] for row in later for news in row["notification"]["notifications"]}


def newest_about(tx: Transaction, fingerprint: str, channels: Collection[str]) -> list[Row]:
    """The newest message about an alert for each of the channels that were ever to be told of it."""
    about = (outbox_alerts.c.key == outbox.c.key) & (outbox_alerts.c.fingerprint == fingerprint)
    its = sa.select(outbox).join(outbox_alerts, about).where(outbox.c.channel.in_(channels))
    found = rows(tx.execute(its.order_by(outbox.c.created_at, outbox.c.status == "pending")))
    return list({row["channel"]: row for row in found}.values())


def withdraw(tx: Transaction, key: str, why: str) -> None:
    """It is not to be sent any more; the row stays, and says why."""
    tx.execute(sa.update(outbox).where(outbox.c.key == key).values(status="withdrawn", detail=f"withdrawn: {why}"))


def settle(tx: Transaction, message: Row, *, now: datetime, ok: bool, detail: str, retry_at: datetime | None) -> None:
    """Record an attempt: delivered, to be tried again at a time, or given up."""
    values: dict[str, Any] = {
        "status": "delivered" if ok else "pending" if retry_at else "failed",
        "attempts": message["attempts"] + 1,
        "detail": detail,
        "claimed_until": None,
    }
    if retry_at:
        values["due_at"] = stamp(retry_at)
    this = outbox.c.key == message["key"]
    # Newer news may have taken it over meanwhile.
    tx.execute(sa.update(outbox).where(this, outbox.c.status == "pending").values(values))
    tx.execute(sa.update(outbox).where(this).values(claimed_until=None))
    tx.execute(
        sa.insert(deliveries).values(
            message_id=message["message_id"], receiver=message["receiver"], channel=message["channel"], at=stamp(now),
            ok=ok, detail=detail,
        )
    )  # fmt: skip


def waiting(tx: Transaction) -> list[Row]:
    """What is not delivered yet, or was given up, oldest first."""
    unfinished = outbox.c.status.in_(("pending", "failed"))
    return rows(tx.execute(sa.select(outbox).where(unfinished).order_by(outbox.c.due_at)))


def is_there(tx: Transaction, key: str) -> bool:
    return tx.scalar(sa.select(outbox.c.key).where(outbox.c.key == key)) is not None


def waiting_for(tx: Transaction, channel: str, now: datetime) -> list[Row]:
    """What a channel should have been told by now, oldest first."""
    late = (outbox.c.attempts > 0) | (outbox.c.due_at <= stamp(now))
    here = (outbox.c.channel == channel) & (outbox.c.status == "pending")
    return rows(tx.execute(sa.select(outbox).where(here & late).order_by(outbox.c.created_at, outbox.c.key)))


def about(tx: Transaction, channel: str, fingerprints: Collection[str]) -> list[Row]:
    """All that a channel was, may have been, or is to be told of these alerts, in whatever group, oldest first."""
    its = (outbox_alerts.c.key == outbox.c.key) & outbox_alerts.c.fingerprint.in_(fingerprints)
    here = (outbox.c.channel == channel) & sa.exists().where(its)
    told = outbox.c.status.in_(("pending", "delivered", "withdrawn"))
    return rows(tx.execute(sa.select(outbox).where(here & told).order_by(outbox.c.created_at, outbox.c.key)))


def failing_since(tx: Transaction, channel: str) -> datetime | None:
    """When the attempts to deliver to a channel began to fail; None while the last one went well."""
    here = deliveries.c.channel == channel
    good = sa.select(deliveries.c.id).where(here & deliveries.c.ok).order_by(deliveries.c.id.desc()).limit(1)
    since = sa.func.coalesce(good.scalar_subquery(), 0)
    at = tx.scalar(sa.select(deliveries.c.at).where(here, deliveries.c.id > since).order_by(deliveries.c.id).limit(1))
    return moment(at) if at else None


def of_run(tx: Transaction, run_id: str) -> list[Row]:
    return rows(tx.execute(sa.select(outbox).where(outbox.c.run_id == run_id)))


def deliveries_of(tx: Transaction, fingerprint: str) -> list[Row]:
    """Every attempt to deliver a notification of this alert, oldest first."""
    of_alert = sa.select(outbox_alerts.c.key).where(outbox_alerts.c.fingerprint == fingerprint)
    messages = sa.select(outbox.c.message_id).where(outbox.c.key.in_(of_alert))
    query = sa.select(deliveries).where(deliveries.c.message_id.in_(messages)).order_by(deliveries.c.id)
    return rows(tx.execute(query))
