"""The registry: what the store knows of snapshots and their evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from roundsman import ledger
from roundsman.alerting import Routing
from roundsman.store import Store, snapshots

from .builders import RUN, Run

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
A = "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def read(store: Store, tmp_path: Path, run: Run, now: datetime = NOW) -> None:
    run.write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", now, Routing())


def test_all_verifications_are_kept_and_the_highest_counts(store: Store, tmp_path: Path) -> None:
    run = Run().backup("web1", A, held=(A,)).verify("web1", A, "proven").verify("web1", A, "restored")
    read(store, tmp_path, run)
    with store.read() as tx:
        (one,) = snapshots.find(tx, "aaaa")
        evidence = snapshots.evidence_of(tx, "web1", "etc", A)
    assert (one["level"], one["failed_level"], one["restore_s"]) == ("proven", None, 1.5)
    assert [(seen["level"], seen["where"], seen["run_id"]) for seen in evidence] == [
        ("proven", "web1", RUN),
        ("restored", "web1", RUN),
    ]


def test_evidence_counts_also_when_it_was_told_before_its_snapshot(store: Store, tmp_path: Path) -> None:
    read(store, tmp_path, Run().verify("web1", A, "restored").backup("web1", A, held=(A,)))
    with store.read() as tx:
        (one,) = snapshots.find(tx, A)
    assert one["level"] == "restored"
