"""From ledgers through the store to gaps and the report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from roundsman import ledger
from roundsman.assurance import backup_report, coverage_of
from roundsman.store import Store

from ..ledger.builders import Run, a_round
from .facts import found, looked

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A round of backups, and after it two looks at web1: the second found that a gap was closed."""
    sources = [{"id": "etc", "type": "files", "plan": {"every_s": 21600}}]
    later = Run("20261123T030000Z-00cafe", start="2026-11-23T03:00")
    for finding in (found(), found(name="/srv/new")):
        _at, coverage = looked(finding, sources=sources)
        later.add("coverage", host="web1", ok=True, changed=False, data={"coverage": coverage})
    later.add("coverage", host="web1", ok=False, changed=False, msg="broken", data={})
    later.finish(web1={})
    for run in (a_round(), later):
        run.write(tmp_path / "ledger")
    store = Store(f"sqlite:///{tmp_path}/store.db")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    return store


def test_the_newest_good_look_counts(store: Store) -> None:
    gaps, counts = coverage_of(store, ["web1", "web3"], NOW)
    assert [(gap.host, gap.kind, gap.name) for gap in gaps] == [
        ("web1", "directory", "/srv/new"), ("web3", "host", "web3"),
    ]  # fmt: skip
    assert counts["gap"] == 1


def test_the_report_of_a_round(store: Store) -> None:
    said = backup_report(store, ["web1", "web3"], NOW)
    of = {one.host: one for one in said.sources}
    assert (of["web1"].status, of["web1"].restore_s, of["web1"].objective_s) == ("good", 1.5, 21600)
    assert of["web1"].proof is not None
    assert of["web1"].proof.level == "restored"
    assert (of["web3"].snapshots, of["web3"].objective_s) == (2, None)
    assert [(one.what, one.reason) for one in of["web3"].failures] == [("verify", "damaged")]
