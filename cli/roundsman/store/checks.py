"""The newest result of every check on every host, and what is remembered of the check."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from datetime import datetime

import sqlalchemy as sa

from ..times import stamp
from .database import Row, Transaction, rows
from .schema import checks


def current(tx: Transaction, host: str | None = None) -> list[Row]:
    """`host, check, result, seen_at, state` of each check that is known, by host and check.

    `result` is the check result of docs/records.md that was seen at `seen_at`, `state` is insight.states.CheckState.
    """
    query = sa.select(checks).order_by(checks.c.host, checks.c.check)
    return rows(tx.execute(query if host is None else query.where(checks.c.host == host)))


def known(tx: Transaction, host: str | None = None) -> list[Row]:
    """`current` without the results, which may be large."""
    query = sa.select(checks.c.host, checks.c.check, checks.c.seen_at, checks.c.state)
    return rows(tx.execute(query if host is None else query.where(checks.c.host == host)))


def hosts(tx: Transaction) -> set[str]:
    """Those of which anything was ever measured, and has not been forgotten."""
    return set(tx.scalars(sa.select(checks.c.host).distinct()))


def save_all(tx: Transaction, host: str, changed: Mapping[str, Row], known: Container[str]) -> None:
    """Check -> `state`, and of one that was measured its `result` and `seen_at`. Those that are `known` are there."""
    new = [{"host": host, "check": check, **row} for check, row in changed.items() if check not in known]
    old = [{"this": check, **row} for check, row in changed.items() if check in known]
    if new:
        tx.execute(sa.insert(checks), new)
    this = sa.and_(checks.c.host == host, checks.c.check == sa.bindparam("this"))
    for part in ([row for row in old if "result" in row], [row for row in old if "result" not in row]):
        if part:
            tx.execute(sa.update(checks).where(this), part)


def forget(tx: Transaction, host: str, gone: Collection[str]) -> None:
    tx.execute(sa.delete(checks).where(checks.c.host == host, checks.c.check.in_(gone)))


def forget_unseen(tx: Transaction, before: datetime) -> None:
    """Forget what no round has seen since then: its host has left the inventory."""
    tx.execute(sa.delete(checks).where(checks.c.seen_at < stamp(before)))
