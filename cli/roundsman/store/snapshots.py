"""What the repositories hold, as far as runs have told, and the evidence for each snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ..backups.evidence import standing
from .database import Row, Transaction, rows
from .schema import evidence, snapshots

_EVIDENCE = (
    "source", "snapshot", "time", "where", "wanted", "level", "failed_level", "outcome", "reason", "message",
    "canary_at", "restore_s", "drill_s", "duration_s",
)  # fmt: skip


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
    here = sa.and_(snapshots.c.host == host, snapshots.c.repository == backup["repository"])
    tx.execute(sa.update(snapshots).where(here, snapshots.c.source == source).values(present=False))
    for snapshot in held:
        own = {key: value for key, value in backup.items() if key != "snapshots"}
        made = own if snapshot["id"] == backup.get("snapshot") else None
        _hold(tx, host, source, backup["repository"], snapshot, made)


def record_inventory(tx: Transaction, host: str, inventory: Mapping[str, Any]) -> None:
    """Bring all sources of a host up to date with what its repository holds, asked without a backup."""
    here = sa.and_(snapshots.c.host == host, snapshots.c.repository == inventory["repository"])
    tx.execute(sa.update(snapshots).where(here).values(present=False))
    for snapshot in inventory["snapshots"]:
        if snapshot["source"]:
            _hold(tx, host, snapshot["source"], inventory["repository"], snapshot, None)


def _hold(
    tx: Transaction, host: str, source: str, repository: str, snapshot: Mapping[str, Any],
    made: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    """A snapshot is in the repository; `made` is what its own backup said, when this is it."""
    values = {
        "time": snapshot["time"],
        "repository": repository,
        "manifest_sha256": snapshot.get("manifest_sha256"),
        "complete": snapshot.get("complete", True),
        "present": True,
        "tags": snapshot.get("tags", []),
    }
    if made is not None:
        values["backup"] = made
    if not tx.execute(sa.update(snapshots).where(_this(host, source, snapshot["id"])).values(values)).rowcount:
        sizes = {key: snapshot[key] for key in ("total_bytes", "added_bytes") if key in snapshot}
        row = {"backup": sizes or None, **values}
        tx.execute(sa.insert(snapshots).values(host=host, source=source, id=snapshot["id"], **row))
        _weigh(tx, host, source, snapshot["id"])


def record_verification(tx: Transaction, run_id: str, host: str, verification: Mapping[str, Any]) -> None:
    """Keep a verification, and let its snapshot follow from all that are known of it."""
    if not verification.get("source"):
        # The id of a snapshot that is not there: nothing is known to which this could be evidence.
        return
    kept: dict[str, Any] = {key: verification.get(key) for key in _EVIDENCE}
    kept["where"] = kept["where"] or host
    kept["snapshot"] = kept["snapshot"] or ""
    tx.execute(sa.insert(evidence).values(run_id=run_id, host=host, **kept))
    _weigh(tx, host, kept["source"], kept["snapshot"])


def _weigh(tx: Transaction, host: str, source: str, snapshot: str) -> None:
    """Bring a snapshot up to date with all that is known of it."""
    found = evidence_of(tx, host, source, snapshot)
    if not found:
        return
    now = standing(found)
    restored = [one["restore_s"] for one in found if one["restore_s"] is not None]
    tx.execute(
        sa.update(snapshots)
        .where(_this(host, source, snapshot))
        .values(
            level=now.level, verified_at=now.verified_at, failed_level=now.failed_level,
            restore_s=restored[-1] if restored else None,
        )
    )  # fmt: skip


def evidence_of(tx: Transaction, host: str, source: str, snapshot: str) -> list[Row]:
    """The verifications of a snapshot, oldest first."""
    query = sa.select(*(column for column in evidence.c if column.name != "id"))
    query = query.where(evidence.c.host == host, evidence.c.source == source, evidence.c.snapshot == snapshot)
    return rows(tx.execute(query.order_by(evidence.c.time, evidence.c.id)))


def find(tx: Transaction, prefix: str) -> list[Row]:
    """Snapshots whose id starts with the text, also those that are gone, newest first."""
    query = sa.select(snapshots).where(snapshots.c.id.startswith(prefix, autoescape=True))
    return rows(tx.execute(query.order_by(snapshots.c.time.desc())))


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
