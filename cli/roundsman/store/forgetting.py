"""Forgets what happened to alerts long ago; never what is open, what is still to be told, or whose end still is."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ..times import stamp
from .database import Transaction
from .schema import (
    alerts,
    deliveries,
    episodes,
    escalations,
    groups,
    outbox,
    outbox_alerts,
    overrides,
    run_silences,
    silences,
    timeline,
)

# Each command forgets more than it adds; a backlog must not keep a person waiting.
ROWS_PER_TURN = 500


def forget(tx: Transaction, before: datetime, most: int = ROWS_PER_TURN) -> None:
    """Of each table at most so many rows; what is left is for the next time. Forgetting again changes nothing."""
    old = stamp(before)
    _messages(tx, old, most)
    _rows(tx, timeline.c.id, (timeline.c.at < old) & ~_is_open(timeline.c.fingerprint), timeline.c.at, most)
    over = sa.select(episodes.c.fingerprint, episodes.c.episode).where(episodes.c.resolved_at < old)
    ended = tx.execute(over.order_by(episodes.c.resolved_at).limit(most)).all()
    this = (episodes.c.fingerprint == sa.bindparam("this")) & (episodes.c.episode == sa.bindparam("nth"))
    if ended:
        tx.execute(sa.delete(episodes).where(this), [{"this": name, "nth": episode} for name, episode in ended])
    _alerts(tx, old, most)
    for key, end in (
        (silences.c.id, silences.c.ends_at),
        (run_silences.c.run, run_silences.c.ends_at),
        (overrides.c.id, overrides.c.end_at),
    ):
        _rows(tx, key, end < old, end, most)


def _rows(
    tx: Transaction, key: sa.Column[str] | sa.Column[int], wanted: sa.ColumnElement[bool], at: sa.Column[str], most: int
) -> None:
    oldest = sa.select(key).where(wanted).order_by(at).limit(most)
    tx.execute(sa.delete(key.table).where(key.in_(oldest)))


def _is_open(fingerprint: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(alerts.c.fingerprint == fingerprint, alerts.c.phase != "resolved")


def _messages(tx: Transaction, old: str, most: int) -> None:
    """With what was said of the attempts to deliver them."""
    about_open = sa.exists().where(outbox_alerts.c.key == outbox.c.key, _is_open(outbox_alerts.c.fingerprint))
    done = (outbox.c.created_at < old) & (outbox.c.status != "pending") & ~about_open
    oldest = sa.select(outbox.c.key, outbox.c.message_id).where(done).order_by(outbox.c.created_at).limit(most)
    rows = tx.execute(oldest).all()
    if not rows:
        return
    keys, messages = [row.key for row in rows], [row.message_id for row in rows]
    tx.execute(sa.delete(deliveries).where(deliveries.c.message_id.in_(messages)))
    tx.execute(sa.delete(outbox_alerts).where(outbox_alerts.c.key.in_(keys)))
    tx.execute(sa.delete(outbox).where(outbox.c.key.in_(keys)))


def _alerts(tx: Transaction, old: str, most: int) -> None:
    """Whose episodes are all forgotten, and of which nobody waits for the end."""
    its = alerts.c.fingerprint
    message = (outbox_alerts.c.fingerprint == its) & (outbox_alerts.c.key == outbox.c.key)
    needed = (
        sa.exists().where(episodes.c.fingerprint == its)
        | sa.exists().where(escalations.c.fingerprint == its)
        | sa.exists().where(message, outbox.c.status == "pending")
    )
    over = (alerts.c.phase == "resolved") & (alerts.c.updated_at < old) & ~needed
    found = list(tx.scalars(sa.select(its).where(over).order_by(alerts.c.updated_at).limit(most)))
    if found:
        told = {name for state in tx.scalars(sa.select(groups.c.state)) for name in state["told"]}
        tx.execute(sa.delete(alerts).where(its.in_(set(found) - told)))
