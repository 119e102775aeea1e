"""From what the store knows of a host to its page with recommendations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roundsman import ledger
from roundsman.insight.advice import Invocation
from roundsman.page import host_page
from roundsman.store import Store, history

from .builders import Run, check

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
USED = Invocation(("inventory/",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def disk(var: float, status: str = "OK") -> dict[str, Any]:
    """The fullest decides the value: / is fuller, and only /var grows."""
    data = f"'/'=84%;85;95;0;100 '/var'={var}%;85;95;0;100 '/var used'=1000B"
    return check("disk", status, type="filesystem", value=84.0, perfdata=data)


def recommended(store: Store, now: datetime = NOW) -> list[tuple[str, str]]:
    with store.read() as tx:
        return list(host_page(tx, "web3", now, None, USED).recommendations)


def test_a_mount_that_fills_up_is_foretold_from_history(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        for hours in range(10 * 24, 0, -1):
            history.record(tx, "web3", NOW - timedelta(hours=hours), [disk(80 - hours / 12)])
    run = Run(start="2026-11-23T02:00")
    run.add("health", host="web3", ok=True, changed=False, data={"checks": [disk(80)], "worst": "OK"})
    run.write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    (one,) = recommended(store)
    assert one[0] == "web3: /var will be full in 10-11 days"
    assert one[1].endswith("-a 'du -xh --max-depth=3 --threshold=100M /var'")


def test_what_is_not_yet_half_full_has_time(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        for hours in range(10 * 24, 0, -1):
            history.record(tx, "web3", NOW - timedelta(hours=hours), [disk(45 - hours / 12)])
    run = Run(start="2026-11-23T02:00")
    run.add("health", host="web3", ok=True, changed=False, data={"checks": [disk(45)], "worst": "OK"})
    run.write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    assert recommended(store) == []


def test_what_is_too_old_only_asks_for_a_round_and_backups_for_evidence(store: Store, tmp_path: Path) -> None:
    run = Run(start="2026-11-23T02:00")
    full = disk(99, "CRITICAL")
    run.add("health", host="web3", ok=True, changed=False, data={"checks": [full], "worst": "CRITICAL"})
    run.backup("web3", "b" * 64, held=("b" * 64,)).write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    assert [why for why, _ in recommended(store)] == [
        "web3: /var is 99 % full", "web3: the newest backup was never restored",
    ]  # fmt: skip
    assert [why for why, _ in recommended(store, NOW + timedelta(days=30))] == [
        "web3: the newest backup is old", "web3: the newest backup was never restored",
        "web3: nobody has looked for 30 d",
    ]  # fmt: skip
