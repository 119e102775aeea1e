"""Runs and what their ledgers said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..times import stamp
from .database import Row, Transaction, rows
from .schema import entries, runs

# Each command thins more than it adds; a backlog must not keep a person waiting.
RUNS_PER_TURN = 20


def register(
    tx: Transaction, run_id: str, *, command: str, playbook: str, pattern: str, check_mode: bool, started_at: str
) -> None:
    """Note a run before it starts, so that even one that dies at once is known."""
    tx.execute(
        sa.insert(runs).values(
            id=run_id, command=command, playbook=playbook, pattern=pattern, check_mode=check_mode, status="running",
            started_at=started_at, hosts=[], message="", seq=0, offset_bytes=0, closed=False,
        )
    )  # fmt: skip


def get(tx: Transaction, run_id: str) -> Row | None:
    return next(iter(rows(tx.execute(sa.select(runs).where(runs.c.id == run_id)))), None)


def find(tx: Transaction, prefix: str) -> list[Row]:
    """Runs whose id starts or ends with the text, newest first."""
    wanted = sa.or_(runs.c.id.startswith(prefix, autoescape=True), runs.c.id.endswith(prefix, autoescape=True))
    return rows(tx.execute(sa.select(runs).where(wanted).order_by(runs.c.id.desc())))


def newest(tx: Transaction, limit: int | None) -> list[Row]:
    return rows(tx.execute(sa.select(runs).order_by(runs.c.started_at.desc()).limit(limit)))


def closed(tx: Transaction) -> list[Row]:
    """Runs that are over, with how far their ledgers were read."""
    return rows(tx.execute(sa.select(runs.c.id, runs.c.offset_bytes).where(runs.c.closed)))


def update(tx: Transaction, run_id: str, **values: Any) -> None:
    tx.execute(sa.update(runs).where(runs.c.id == run_id).values(**values))


def add_entry(tx: Transaction, entry: Mapping[str, Any]) -> None:
    tx.execute(
        sa.insert(entries).values(
            run_id=entry["run"], seq=entry["seq"], time=entry["time"], kind=entry["kind"], host=entry.get("host"),
            item=entry.get("item"), ok=entry.get("ok"), changed=entry.get("changed"), msg=entry.get("msg"),
            data=entry.get("data", {}),
        )
    )  # fmt: skip


def entries_of(tx: Transaction, run_id: str) -> list[Row]:
    return rows(tx.execute(sa.select(entries).where(entries.c.run_id == run_id).order_by(entries.c.seq)))


def newest_of_each_host(tx: Transaction, kind: str) -> dict[str, Row]:
    """Each host's newest good entry of a kind, whoever made it."""
    good = sa.and_(entries.c.kind == kind, entries.c.ok)
    newest = sa.select(entries.c.host, sa.func.max(entries.c.time).label("time")).where(good).group_by(entries.c.host)
    last = newest.subquery()
    query = sa.select(entries).join(last, sa.and_(entries.c.host == last.c.host, entries.c.time == last.c.time))
    return {row["host"]: row for row in rows(tx.execute(query.where(good)))}


def entries_since(tx: Transaction, since: datetime, kinds: Sequence[str]) -> list[Row]:
    """Entries of these kinds, of runs that were more than a check, oldest first."""
    query = sa.select(entries).join(runs, runs.c.id == entries.c.run_id).where(~runs.c.check_mode)
    query = query.where(entries.c.kind.in_(kinds), entries.c.time >= stamp(since))
    return rows(tx.execute(query.order_by(entries.c.time)))


def sweeps_of(tx: Transaction, host: str, number: int) -> list[str]:
    """When the newest health sweeps of a host were recorded."""
    query = sa.select(entries.c.time).where(entries.c.host == host, entries.c.kind == "health")
    return list(tx.scalars(query.order_by(entries.c.time.desc()).limit(number)))


def last_sweep(tx: Transaction, by: datetime) -> str | None:
    """When any host was last swept; None when none ever was. What is later was dated by a clock that was ahead."""
    query = sa.select(sa.func.max(entries.c.time)).join(runs, runs.c.id == entries.c.run_id)
    query = query.where(entries.c.kind == "health", ~runs.c.check_mode, entries.c.time <= stamp(by))
    last: str | None = tx.scalar(query)
    return last


def last_whole_sweep(tx: Transaction, host: str) -> tuple[str, set[str]]:
    """When a run of ours last asked a host for all its checks, and which gave a result; ("", none) if none did.

    A playbook of one's own, run by ansible-playbook, may look at some checks only.
    """
    query = sa.select(entries.c.time, entries.c.data).join(runs, runs.c.id == entries.c.run_id)
    query = query.where(entries.c.host == host, entries.c.kind == "health", entries.c.ok)
    query = query.where(runs.c.command.startswith("roundsman "), ~runs.c.check_mode, ~runs.c.thinned)
    newest = tx.execute(query.order_by(entries.c.time.desc()).limit(1)).first()
    return (newest.time, {check["id"] for check in newest.data["checks"]}) if newest else ("", set())


def thin(tx: Transaction, before: datetime, most: int = RUNS_PER_TURN) -> None:
    """Of the health records of runs that began before then, keep only what was amiss; history has the rest.

    Rounds every few minutes would else fill a disk with checks that were well.
    """
    old = sa.select(runs.c.id).where(runs.c.closed, ~runs.c.thinned, runs.c.started_at < stamp(before))
    for run_id in list(tx.scalars(old.order_by(runs.c.started_at).limit(most))):
        health = sa.select(entries.c.seq, entries.c.data).where(entries.c.run_id == run_id, entries.c.kind == "health")
        for one in tx.execute(health).all():
            this = sa.and_(entries.c.run_id == run_id, entries.c.seq == one.seq)
            tx.execute(sa.update(entries).where(this).values(data=_amiss(one.data)))
        update(tx, run_id, thinned=True)


def _amiss(data: Any) -> Any:
    """What is left of a record; one that nobody understood is of no use any more."""
    checks = data.get("checks") if isinstance(data, dict) else None
    if not isinstance(checks, list):
        return data if checks is None else {}
    return {**data, "checks": [one for one in checks if isinstance(one, dict) and one.get("status") != "OK"]}
