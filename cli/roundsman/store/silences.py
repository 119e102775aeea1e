"""Silences of people and of runs, a row each. They stay when they are over: who silenced what is asked later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..times import stamp
from .database import Row, Transaction, rows
from .schema import run_silences, silences

_TIMES = ("starts_at", "ends_at", "updated_at")


def save(tx: Transaction, silence: Mapping[str, Any]) -> None:
    """Keep a silence; one that is known by its id is replaced."""
    _replace(tx, silences, "id", silence)


def listed(tx: Transaction, now: datetime, *, expired: bool = False) -> list[Row]:
    """Silences that are not over, with `expired` all; the first to end comes first."""
    query = sa.select(silences).order_by(silences.c.ends_at, silences.c.id)
    return rows(tx.execute(query if expired else query.where(silences.c.ends_at > stamp(now))))


def find(tx: Transaction, prefix: str) -> list[Row]:
    """Silences whose id starts with the text."""
    return rows(tx.execute(sa.select(silences).where(silences.c.id.startswith(prefix, autoescape=True))))


def end_with(tx: Transaction, alert: str, now: datetime) -> None:
    """The alert is resolved: what silenced it until then is over."""
    current = (silences.c.alert == alert) & (silences.c.ends_at > stamp(now))
    tx.execute(sa.update(silences).where(current).values(ends_at=stamp(now), updated_at=stamp(now)))


def waiting_for(tx: Transaction, now: datetime) -> set[str]:
    """The alerts whose end is the end of a silence."""
    current = silences.c.alert.is_not(None) & (silences.c.ends_at > stamp(now))
    return set(tx.scalars(sa.select(silences.c.alert).where(current)))


def save_run(tx: Transaction, silence: Mapping[str, Any]) -> None:
    """Keep what a run declared."""
    _replace(tx, run_silences, "run", silence)


def of_runs(tx: Transaction, now: datetime) -> list[Row]:
    """What runs silence now."""
    return rows(tx.execute(sa.select(run_silences).where(run_silences.c.ends_at > stamp(now))))


def end_run(tx: Transaction, run: str, now: datetime) -> None:
    """The run is over: what it silenced is told again."""
    # A run may have one of its own on every host.
    its = (run_silences.c.run == run) | run_silences.c.run.startswith(f"{run} ", autoescape=True)
    current = its & (run_silences.c.ends_at > stamp(now))
    tx.execute(sa.update(run_silences).where(current).values(ends_at=stamp(now)))


def _replace(tx: Transaction, table: sa.Table, key: str, silence: Mapping[str, Any]) -> None:
    values = {name: stamp(datetime.fromisoformat(one)) if name in _TIMES else one for name, one in silence.items()}
    this = table.c[key] == silence[key]
    if not tx.execute(sa.update(table).where(this).values(values)).rowcount:
        tx.execute(sa.insert(table).values(values))
