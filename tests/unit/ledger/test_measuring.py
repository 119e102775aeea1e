"""What a sweep finds is kept all at once: whatever it finds amiss costs the same number of statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from roundsman import alerting, ledger
from roundsman.alerts.model import CheckResult, Status
from roundsman.alerts.names import fingerprint
from roundsman.store import Store, alerts, episodes

from .builders import Run

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)


def statements(folder: Path, checks: int) -> list[int]:
    """To read rounds that open, keep and resolve so many alerts of one host."""
    store = Store(f"sqlite:///{folder}/store.db")
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1

    found = []
    for nth, status in enumerate(("CRITICAL", "CRITICAL", "OK")):
        run = Run(f"20261123T02{nth}000Z-00000{nth}", start=f"2026-11-23T02:{nth}0")
        run.health("web3", **{f"check{n}": status for n in range(checks)}).write(folder / "ledger")
        before = seen
        sa.event.listen(sa.Engine, "before_cursor_execute", count)
        try:
            ledger.catch_up(store, folder / "ledger", NOW + timedelta(hours=1))
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", count)
        found.append(seen - before)
    with store.read() as tx:
        phases = [state["phase"] for state in alerts.listed(tx, resolved=True)]
    assert phases == ["resolved"] * checks
    return found


def test_many_results_cost_as_many_statements_as_few(tmp_path: Path) -> None:
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    assert statements(tmp_path / "many", 60) == statements(tmp_path / "few", 3)


@pytest.mark.parametrize(
    ("statuses", "told", "severities"),
    [
        ("CRITICAL OK", "opened resolved", ["CRITICAL"]),
        ("WARNING CRITICAL OK WARNING", "opened worsened resolved reopened", ["CRITICAL", "WARNING"]),
    ],
)
def test_what_happens_to_one_alert_at_one_time_happens_step_by_step(
    tmp_path: Path, statuses: str, told: str, severities: list[str]
) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    found = [
        CheckResult("web3", check, Status(status), check, {}, "run", NOW)
        for status in statuses.split()
        for check in ("disk", "load")
    ]
    with store.write() as tx:
        alerting.measure(tx, {}, found, NOW)
        for check in ("disk", "load"):
            timeline = alerts.timeline_of(tx, fingerprint("web3", check))
            assert " ".join(row["reason"] for row in timeline) == told
            kept = [row for row in episodes.since(tx, NOW) if row["check"] == check]
            assert [row["severity"] for row in kept] == severities
