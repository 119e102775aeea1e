"""Every time that an alert was open, and when people answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..alerts.model import Status
from ..times import moment, stamp
from .database import Row, Transaction, rows
from .schema import episodes


def record(tx: Transaction, state: Mapping[str, Any]) -> None:
    """Follow an alert as it is after a decision; recording the same state again changes nothing."""
    record_all(tx, [state])


def record_all(tx: Transaction, states: Sequence[Mapping[str, Any]]) -> None:
    """Each of them another alert."""
    known = {row["fingerprint"]: row for row in _of(tx, [(state["fingerprint"], state["episode"]) for state in states])}
    new, old = [], []
    for state in states:
        name = state["fingerprint"]
        values = _followed(known.get(name), state)
        if name in known:
            old.append({"this": name, "nth": state["episode"], **values})
        else:
            fixed = {key: state[key] for key in ("fingerprint", "episode", "host", "check")}
            new.append({**fixed, **values, "opened_at": _stamped(state["opened_at"]), "receivers": []})
    if new:
        tx.execute(sa.insert(episodes), new)
    _update(tx, old)


def _update(tx: Transaction, values: Sequence[Row]) -> None:
    """Each with `this` and `nth`: the fingerprint and the episode."""
    if values:
        this = (episodes.c.fingerprint == sa.bindparam("this")) & (episodes.c.episode == sa.bindparam("nth"))
        tx.execute(sa.update(episodes).where(this), values)


def _of(tx: Transaction, keys: Sequence[tuple[str, int]]) -> Iterator[Row]:
    # In parts: databases take so many values in one query, and no more.
    for start in range(0, len(keys), 400):
        these = sa.tuple_(episodes.c.fingerprint, episodes.c.episode).in_(keys[start : start + 400])
        yield from rows(tx.execute(sa.select(episodes).where(these)))


def _followed(known: Row | None, state: Mapping[str, Any]) -> Row:
    before = known or {"severity": Status.OK, "acknowledged_at": None, "acknowledged_by": None}
    return {
        "severity": max(before["severity"], state["status"], key=lambda one: Status(one).rank),
        "assignee": state.get("assigned_to"),
        "acknowledged_at": before["acknowledged_at"] or _stamped(state.get("acknowledged_at")),
        "acknowledged_by": before["acknowledged_by"] or state.get("acknowledged_by"),
        "resolved_at": _stamped(state.get("resolved_at")),
        "resolved_by": state.get("resolved_by"),
    }


def told(tx: Transaction, news: Mapping[tuple[str, int], Sequence[str]]) -> None:
    """Fingerprint and episode -> receivers that are told that the alert fires."""
    now = []
    for row in _of(tx, list(news)):
        names = list(dict.fromkeys([*row["receivers"], *news[row["fingerprint"], row["episode"]]]))
        if names != row["receivers"]:
            now.append({"this": row["fingerprint"], "nth": row["episode"], "receivers": names})
    _update(tx, now)


def since(tx: Transaction, begin: datetime) -> list[Row]:
    """Those that were open at some time since then, oldest first."""
    open_then = episodes.c.resolved_at.is_(None) | (episodes.c.resolved_at >= stamp(begin))
    return rows(tx.execute(sa.select(episodes).where(open_then).order_by(episodes.c.opened_at)))


def _stamped(at: str | None) -> str | None:
    return stamp(moment(at)) if at else None
