"""What sources promise, and what is known beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..backups.objectives import Known
from ..times import moment, stamp
from .database import Row, Transaction, rows
from .schema import evidence, objectives, snapshots


def note_plan(tx: Transaction, run_id: str, host: str, backup: Mapping[str, Any], at: str) -> None:
    """What a backup told of its source's plan; `at` counts when the source was not known before."""
    if "plan" not in backup:
        return
    this = sa.and_(objectives.c.host == host, objectives.c.source == backup["source"])
    values = {"plan": backup["plan"], "run_id": run_id}
    if not tx.execute(sa.update(objectives).where(this).values(values)).rowcount:
        tx.execute(sa.insert(objectives).values(host=host, source=backup["source"], since=at, **values))


def note_prune(tx: Transaction, host: str, prune: Mapping[str, Any], at: str | None) -> None:
    """What a prune told of its source's rules; `at` is when it went well, if it did."""
    this = sa.and_(objectives.c.host == host, objectives.c.source == prune["source"])
    values = {"rules": prune.get("rules"), **({"pruned_at": at} if at else {})}
    tx.execute(sa.update(objectives).where(this).values(values))


def promised(tx: Transaction) -> list[Row]:
    """What sources promise, as their last backups told it: `host, source, plan`, and `since` when they are known."""
    told = (objectives.c.host, objectives.c.source, objectives.c.plan, objectives.c.since)
    return rows(tx.execute(sa.select(*told).order_by(objectives.c.host, objectives.c.source)))


def rules(tx: Transaction) -> dict[tuple[str, str], dict[str, Any] | None]:
    """The rules of retention of each source (host and id); None of those that were never pruned."""
    told = rows(tx.execute(sa.select(objectives.c.host, objectives.c.source, objectives.c.rules)))
    return {(row["host"], row["source"]): row["rules"] for row in told}


def forget_others(tx: Transaction, run_id: str, host: str) -> None:
    """A run backed up all that the inventory says of a host: what it did not name is no longer promised."""
    tx.execute(sa.delete(objectives).where(objectives.c.host == host, objectives.c.run_id != run_id))


def known(tx: Transaction, now: datetime) -> list[Known]:
    """All sources. What is dated in the future says nothing about now, and does not count."""
    newest = _newest_snapshots(tx, stamp(now))
    seen = _verified(tx, stamp(now))
    found = []
    for row in rows(tx.execute(sa.select(objectives).order_by(objectives.c.host, objectives.c.source))):
        key = row["host"], row["source"]
        snapshot = newest.get(key, {})
        found.append(
            Known(
                host=row["host"],
                source=row["source"],
                plan=row["plan"],
                since=moment(row["since"]),
                run=row["run_id"],
                backup_at=moment(snapshot["time"]) if snapshot else None,
                pruned_at=moment(row["pruned_at"]) if row["pruned_at"] else None,
                verified_at=seen.get(key, {}),
                newest_level=snapshot.get("level"),
                newest_failed=bool(snapshot.get("failed_level")),
            )
        )
    return found


def _newest_snapshots(tx: Transaction, upto: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    kept = (snapshots.c.host, snapshots.c.source, snapshots.c.time, snapshots.c.level, snapshots.c.failed_level)
    query = sa.select(*kept).where(snapshots.c.present, snapshots.c.complete, snapshots.c.time <= upto)
    return {(row["host"], row["source"]): row for row in rows(tx.execute(query.order_by(snapshots.c.time)))}


def _verified(tx: Transaction, upto: str) -> dict[tuple[str, str], dict[str, datetime]]:
    """By the level that was asked for: files, which no application is started from, are drilled when restored."""
    by = (evidence.c.host, evidence.c.source, evidence.c.wanted)
    query = sa.select(*by, sa.func.max(evidence.c.time).label("at")).where(evidence.c.outcome == "ok")
    found: dict[tuple[str, str], dict[str, datetime]] = {}
    for row in rows(tx.execute(query.where(evidence.c.time <= upto).group_by(*by))):
        found.setdefault((row["host"], row["source"]), {})[row["wanted"]] = moment(row["at"])
    return found
