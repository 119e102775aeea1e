"""What the repositories hold, as far as runs have told, and the evidence for each snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ..backups.evidence import standing
from .database import Row, Transaction, rows
from .schema import snapshots


def _this(host: str, source: str, snapshot: str) -> sa.ColumnElement[bool]:
    return sa.and_(snapshots.c.host == host, snapshots.c.source == source, snapshots.c.id == snapshot)


def record_backup(tx: Transaction, host: str, backup: Mapping[str, Any]) -> None:
    """Bring one host's source up to date with what its repository holds after a backup.

    A snapshot that no record tells of (its run was killed before the ledger line) is adopted; one that is gone
    from the repository is kept, marked as no longer present.
    """
    source, held = backup["source"], backup.get("snapshots")
    if not held:
        # It failed before it had listed the repository, which says nothing about what that holds.
        return
    tx.execute(
        sa.update(snapshots)
        .where(snapshots.c.host == host, snapshots.c.source == source)
        .where(snapshots.c.repository == backup["repository"])
        .values(present=False)
    )
    for snapshot in held:
        own = snapshot["id"] == backup.get("snapshot")
        values = {
            "time": snapshot["time"],
            "repository": backup["repository"],
            "manifest_sha256": snapshot.get("manifest_sha256"),
            "complete": snapshot.get("complete", True),
            "present": True,
        }
        if own:
            values["backup"] = {key: value for key, value in backup.items() if key != "snapshots"}
        this = _this(host, source, snapshot["id"])
        if not tx.execute(sa.update(snapshots).where(this).values(values)).rowcount:
            tx.execute(sa.insert(snapshots).values(host=host, source=source, id=snapshot["id"], **values))


def record_verification(tx: Transaction, host: str, verification: Mapping[str, Any]) -> None:
    """Note what is now known to hold of a snapshot."""
    this = _this(host, verification["source"], verification["snapshot"])
    for known in rows(tx.execute(sa.select(snapshots).where(this))):
        values = standing(known, verification)
        if verification.get("restore_s") is not None:
            values["restore_s"] = verification["restore_s"]
        tx.execute(sa.update(snapshots).where(this).values(values))


def held(tx: Transaction, hosts: Sequence[str] | None = None) -> list[Row]:
    """Snapshots present in repositories, by host and source, newest first."""
    query = sa.select(snapshots).where(snapshots.c.present)
    if hosts is not None:
        query = query.where(snapshots.c.host.in_(hosts))
    return rows(tx.execute(query.order_by(snapshots.c.host, snapshots.c.source, snapshots.c.time.desc())))


def remove(tx: Transaction, host: str, source: str, gone: Sequence[str]) -> None:
    """Note that a prune removed these snapshots."""
    for snapshot in gone:
        tx.execute(sa.update(snapshots).where(_this(host, source, snapshot)).values(present=False))


def of_id(tx: Transaction, beginning: str, hosts: Sequence[str] | None = None) -> list[Row]:
    """Snapshots whose id begins so, of hosts (by default of all)."""
    query = sa.select(snapshots).where(snapshots.c.id.startswith(beginning, autoescape=True))
    if hosts is not None:
        query = query.where(snapshots.c.host.in_(hosts))
    return rows(tx.execute(query.order_by(snapshots.c.host, snapshots.c.time)))
