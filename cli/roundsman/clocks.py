"""Judges the clocks of all sources: what is too old alerts, and is resolved when it is fresh again."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from .alerting import measure, states_of
from .alerts.model import CheckResult, Status
from .alerts.names import FRESHNESS, check_kind
from .backups.freshness import clocks
from .backups.objectives import Known
from .store import Transaction, alerts, objectives


def judge(tx: Transaction, now: datetime) -> None:
    found: dict[str, list[CheckResult]] = defaultdict(list)
    for one in objectives.known(tx, now):
        found[one.host] += _results(one, now)
    judged = {(result.host, result.check) for results in found.values() for result in results}
    for state in alerts.listed(tx):
        host, check = state["host"], state["check"]
        if check_kind(check) in FRESHNESS and (host, check) not in judged:
            said = "no longer promised by the inventory"
            found[host].append(CheckResult(host, check, Status.OK, said, {}, state["run"], now))
    for host, results in found.items():
        measure(tx, states_of(tx, host), results, now)


def _results(one: Known, now: datetime) -> list[CheckResult]:
    return [
        CheckResult(
            one.host, f"fresh-{clock.name}:{one.source}", clock.status, clock.message,
            {
                "source": one.source, "limit_s": clock.limit.total_seconds(),
                "age_s": None if clock.age is None else clock.age.total_seconds(),
            },
            one.run, now,
        )
        for clock in clocks(one, now)
    ]  # fmt: skip
