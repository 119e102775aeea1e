"""Every verification of every snapshot: when, by which run, from where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from .database import Row, Transaction, rows
from .schema import evidence

_KEPT = (
    "source", "snapshot", "wanted", "level", "outcome", "failed_level", "reason", "message", "restore_s", "drill_s",
    "duration_s", "canary_at",
)  # fmt: skip


def record(tx: Transaction, host: str, run_id: str, verification: Mapping[str, Any]) -> None:
    """Keep a verification of docs/records.md; one that found no snapshot is about none."""
    if not verification.get("snapshot"):
        return
    values = {key: verification.get(key) for key in _KEPT}
    place = verification.get("where") or host
    tx.execute(sa.insert(evidence).values(host=host, run_id=run_id, place=place, at=verification["time"], **values))


def of_snapshot(tx: Transaction, host: str, snapshot: str) -> list[Row]:
    """All that was ever found about one snapshot, newest first."""
    this = sa.and_(evidence.c.host == host, evidence.c.snapshot == snapshot)
    return rows(tx.execute(sa.select(evidence).where(this).order_by(evidence.c.at.desc(), evidence.c.id.desc())))


def of_hosts(tx: Transaction, hosts: Sequence[str] | None = None) -> list[Row]:
    """All evidence of hosts (by default of all), by host and source, oldest first."""
    query = sa.select(evidence)
    if hosts is not None:
        query = query.where(evidence.c.host.in_(hosts))
    return rows(tx.execute(query.order_by(evidence.c.host, evidence.c.source, evidence.c.at, evidence.c.id)))
