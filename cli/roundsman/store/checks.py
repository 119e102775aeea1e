"""The newest result of every check on every host, and what is remembered of the check."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..times import stamp
from .database import Row, Transaction, rows
from .schema import checks


def _this(host: str, check: str) -> sa.ColumnElement[bool]:
    return sa.and_(checks.c.host == host, checks.c.check == check)


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


def save_result(
    tx: Transaction, host: str, check: str, *, result: Mapping[str, Any], seen_at: str, state: Mapping[str, Any]
) -> None:
    values = {"result": result, "seen_at": seen_at, "state": state}
    if not tx.execute(sa.update(checks).where(_this(host, check)).values(values)).rowcount:
        tx.execute(sa.insert(checks).values(host=host, check=check, **values))


def save_state(tx: Transaction, host: str, check: str, state: Mapping[str, Any]) -> None:
    """Something happened to a check other than a result."""
    tx.execute(sa.update(checks).where(_this(host, check)).values(state=state))


def forget(tx: Transaction, host: str, gone: Collection[str]) -> None:
    tx.execute(sa.delete(checks).where(checks.c.host == host, checks.c.check.in_(gone)))


def forget_unseen(tx: Transaction, before: datetime) -> None:
    """Forget what no round has seen since then: its host has left the inventory."""
    tx.execute(sa.delete(checks).where(checks.c.seen_at < stamp(before)))
