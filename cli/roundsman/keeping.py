"""What retention would say of every snapshot if it ran now: the very function decides that prunes on hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from itertools import groupby
from typing import Any

from .store import Transaction, holds, objectives, snapshots
from .times import moment, stamp

UTILS = "ansible_collections.roundsman.fleet.plugins.module_utils"
Row = dict[str, Any]
Source = tuple[str, str]


def held(tx: Transaction, hosts: Sequence[str] | None, now: datetime) -> list[Row]:
    """Snapshots present in repositories, by host and source, newest first, each with `hold` and `kept_by`."""
    found = holds.beside(tx, snapshots.held(tx, hosts), stamp(now))
    return beside(found, objectives.rules(tx), now)


def looked_at(tx: Transaction, snapshot: Mapping[str, Any], now: datetime) -> Row:
    """One snapshot as `held` has it, also when it is gone."""
    this = snapshot["source"], snapshot["id"]
    same = (row for row in held(tx, [snapshot["host"]], now) if (row["source"], row["id"]) == this)
    return next(same, {**snapshot, "hold": None, "kept_by": None})


def beside(known: Sequence[Row], rules: Mapping[Source, Mapping[str, Any] | None], now: datetime) -> list[Row]:
    """The snapshots of whole sources, each with `kept_by`.

    That is why it stays: no reason when the next prune removes it, null where no prune has told the rules yet.
    """
    why: dict[int, list[str]] = {}
    for (host, source, _repository), group in groupby(sorted(known, key=_repository_of), key=_repository_of):
        told = rules.get((host, source))
        if told is not None:
            why.update(_reasons(list(group), told, now))
    return [{**row, "kept_by": why.get(id(row))} for row in known]


def _repository_of(row: Row) -> tuple[str, str, str]:
    return row["host"], row["source"], row["repository"]


def _reasons(group: Sequence[Row], rules: Mapping[str, Any], now: datetime) -> dict[int, list[str]]:
    """The reasons for each row, by its identity."""
    on_hold = [{"snapshot": row["id"], **row["hold"]} for row in group if row["hold"]]
    evidence = {row["id"]: row["level"] for row in group if row["level"] and not row["failed_level"]}
    decide = import_module(f"{UTILS}.retention").decide
    plan = decide([_snapshot(row) for row in group], rules, now, on_hold, evidence)
    reasons = {one["id"]: one["reasons"] for one in plan.keep}
    return {id(row): reasons.get(row["id"], []) for row in group}


def _snapshot(row: Row) -> Any:
    base = import_module(f"{UTILS}.engines.base")
    tags = [*(row["tags"] or []), base.COMPLETE if row["complete"] else base.INCOMPLETE]
    # As hosts write it, whoever wrote this one.
    time = stamp(moment(row["time"]))
    return base.Snapshot(row["id"], row["id"][:8], time, row["host"], tags, [], None, {})
