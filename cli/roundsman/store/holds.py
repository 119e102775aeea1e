"""Holds on snapshots, and what retention has to be told about each host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from .database import Row, Transaction, rows
from .schema import holds, snapshots

_KEY = ("host", "source", "snapshot")
_UNRELEASED = holds.c.released_at.is_(None)


def _this(snapshot: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    wanted = (snapshot["host"], snapshot["source"], snapshot["id"])
    return sa.and_(*(holds.c[name] == value for name, value in zip(_KEY, wanted, strict=True)))


def find(tx: Transaction, beginning: str) -> list[Row]:
    """Snapshots in repositories whose id begins like this."""
    query = sa.select(snapshots).where(snapshots.c.present, snapshots.c.id.startswith(beginning, autoescape=True))
    return rows(tx.execute(query))


def hold(tx: Transaction, snapshot: Mapping[str, Any], *, until: str, why: str, by: str, made_at: str) -> None:
    """Hold a snapshot; a hold that it has is replaced."""
    release(tx, snapshot, at=made_at, by=by, why="another hold took its place")
    key = {"host": snapshot["host"], "source": snapshot["source"], "snapshot": snapshot["id"]}
    tx.execute(sa.insert(holds).values(**key, until=until, why=why, by=by, made_at=made_at))


def release(tx: Transaction, snapshot: Mapping[str, Any], *, at: str, by: str, why: str) -> bool:
    """End a hold, whose row stays; whether there was one."""
    told = {"released_at": at, "released_by": by, "released_why": why}
    return bool(tx.execute(sa.update(holds).where(_this(snapshot), _UNRELEASED).values(told)).rowcount)


def of(tx: Transaction, snapshot: Mapping[str, Any], now: str) -> list[Row]:
    """All holds that a snapshot ever had, oldest first: as in `beside`, and who released it, when and why."""
    kept = [column for column in holds.c if column.name not in ("id", *_KEY)]
    found = rows(tx.execute(sa.select(*kept).where(_this(snapshot)).order_by(holds.c.id)))
    return [{**row, "over": row["until"] <= now} for row in found]


def beside(tx: Transaction, known: Sequence[Row], now: str) -> list[Row]:
    """The snapshots, each with its `hold`: null, or `until, why, by, made_at, over`."""
    kept = sa.select(*(holds.c[name] for name in (*_KEY, "until", "why", "by", "made_at"))).where(_UNRELEASED)
    found = {tuple(row.pop(name) for name in _KEY): row for row in rows(tx.execute(kept))}
    for row in found.values():
        row["over"] = row["until"] <= now
    return [{**one, "hold": found.get((one["host"], one["source"], one["id"]))} for one in known]


def for_retention(tx: Transaction, now: str) -> dict[str, dict[str, Any]]:
    """host -> `holds` that count, and `evidence` (id -> level) of the snapshots that nothing speaks against."""
    told: dict[str, dict[str, Any]] = {}
    for row in rows(tx.execute(sa.select(holds).where(_UNRELEASED, holds.c.until > now))):
        of_host = told.setdefault(row["host"], {"holds": [], "evidence": {}})
        of_host["holds"].append({name: row[name] for name in ("snapshot", "until", "why")})
    good = sa.select(snapshots).where(snapshots.c.present, snapshots.c.level.is_not(None))
    for row in rows(tx.execute(good.where(snapshots.c.failed_level.is_(None)))):
        of_host = told.setdefault(row["host"], {"holds": [], "evidence": {}})
        of_host["evidence"][row["id"]] = row["level"]
    return told
