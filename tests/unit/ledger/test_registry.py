"""The registry: what the store knows of snapshots and their evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from roundsman import clocks, ledger
from roundsman.store import Store, alerts, objectives, runs, schema, snapshots

from .builders import RUN, Run
from .team import tell_team

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
A, B = "a" * 64, "b" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def read(store: Store, tmp_path: Path, run: Run, now: datetime = NOW) -> None:
    run.write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", now)


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


def promised(run: Run, host: str, source: str, snapshot: str = A, at: str = "2026-11-23T02:00", **plan: int) -> Run:
    record = {"source": source, "repository": "/r", "plan": plan, "reason": None, "snapshots": [
        {"id": snapshot, "time": f"{at}:00Z", "manifest_sha256": None, "complete": True, "tags": ["nightly"]}
    ]}  # fmt: skip
    return run.add("backup", host=host, item=source, ok=True, changed=True, data={"backup": record})


def open_alerts(store: Store, now: datetime) -> dict[str, str]:
    with store.write() as tx:
        clocks.judge(tx, now)
    tell_team(store, now)
    with store.read() as tx:
        return {state["check"]: state["status"] for state in alerts.listed(tx)}


def test_a_clock_that_runs_late_alerts_once_and_is_resolved(store: Store, tmp_path: Path) -> None:
    read(store, tmp_path, promised(Run(), "web1", "etc", every_s=3600))
    assert open_alerts(store, NOW) == {}
    assert open_alerts(store, NOW + timedelta(hours=1.5)) == {"fresh-backup:etc": "WARNING"}
    assert open_alerts(store, NOW + timedelta(hours=9)) == {"fresh-backup:etc": "CRITICAL"}
    assert open_alerts(store, NOW + timedelta(hours=10)) == {"fresh-backup:etc": "CRITICAL"}
    with store.read() as tx:
        messages = tx.scalars(sa.select(schema.outbox.c.notification)).all()
    told = [news["kind"] for message in messages for news in message["notifications"]]
    # Nothing was delivered meanwhile, so the second message tells what the first was to tell, too.
    assert told == ["opened", "worsened"]

    again = Run("20261123T120000Z-000001", start="2026-11-23T12:00")
    noon = NOW + timedelta(hours=10)
    read(store, tmp_path, promised(again, "web1", "etc", B, "2026-11-23T12:00", every_s=3600), noon)
    assert open_alerts(store, noon) == {}


def test_an_unreachable_host_keeps_its_clocks(store: Store, tmp_path: Path) -> None:
    read(store, tmp_path, promised(Run(), "web1", "etc", every_s=3600))
    later = NOW + timedelta(hours=9)
    open_alerts(store, later)
    read(store, tmp_path, Run("20261123T110000Z-000001", start="2026-11-23T11:00").unreachable("web1"), later)
    with store.read() as tx:
        found = {state["check"]: state["no_data"] for state in alerts.listed(tx)}
    assert found == {"fresh-backup:etc": None, "reachable": None}


def test_a_source_that_left_the_inventory_is_judged_no_more(store: Store, tmp_path: Path) -> None:
    def run(run_id: str, *sources: str, command: str, failures: int = 0) -> None:
        with store.write() as tx:
            runs.register(
                tx, run_id, command=command, playbook="roundsman.fleet.rounds", pattern="all", check_mode=False,
                started_at="2026-11-23T02:00:00.000Z",
            )  # fmt: skip
        one = Run(run_id)
        for source in sources:
            promised(one, "web1", source, every_s=3600)
        read(store, tmp_path, one.finish(web1={"failures": failures}))

    later = NOW + timedelta(hours=9)
    run("20261123T020000Z-000001", "etc", "shop", command="roundsman rounds")
    run("20261123T030000Z-000002", "etc", command="ansible-playbook")
    run("20261123T040000Z-000003", "etc", command="roundsman rounds", failures=1)
    assert set(open_alerts(store, later)) == {"fresh-backup:etc", "fresh-backup:shop"}
    run("20261123T050000Z-000004", "etc", command="roundsman rounds")
    assert set(open_alerts(store, later)) == {"fresh-backup:etc"}


def test_a_good_reading_does_not_end_what_a_failed_drill_began(store: Store, tmp_path: Path) -> None:
    drilled = {
        "source": "etc", "snapshot": A, "wanted": "proven", "level": "restored", "failed_level": "proven",
        "outcome": "damaged", "message": "no", "time": "2026-11-23T02:01:00.000Z", "where": "spare1",
    }  # fmt: skip
    run = Run().backup("web1", A, held=(A,))
    run.add("verify", host="web1", ok=False, data={"verifications": [drilled]}).verify("web1", A, "restored")
    read(store, tmp_path, run)
    assert open_alerts(store, NOW) == {"drill:etc": "CRITICAL"}
    with store.read() as tx:
        (one,) = snapshots.find(tx, A)
    assert (one["level"], one["failed_level"]) == ("restored", "proven")


def test_an_inventory_fills_an_empty_store_and_takes_nothing_from_a_full_one(store: Store, tmp_path: Path) -> None:
    def listing(snapshot: str, source: str) -> dict[str, Any]:
        kept = {"id": snapshot, "source": source, "time": "2026-11-23T02:00:00Z", "manifest_sha256": None}
        return {**kept, "complete": True, "tags": [], "total_bytes": 7, "added_bytes": 5}

    run = Run().backup("web1", A, held=(A, "c" * 64)).verify("web1", A, "restored")
    inventory = {
        "repository": "/var/backups/roundsman",
        "snapshots": [listing(A, "etc"), listing(B, "shop")],
        "plans": {"shop": {"every_s": 3600}},
    }
    run.add("inventory", host="web1", ok=True, changed=False, data={"inventory": inventory})
    read(store, tmp_path, run)
    with store.read() as tx:
        found = {(one["source"], one["level"], one["backup"]["total_bytes"]) for one in snapshots.held(tx)}
        (known,) = objectives.known(tx, NOW)
    assert found == {("etc", "restored", 300), ("shop", None, 7)}
    assert (known.source, known.plan, known.backup_at is None) == ("shop", {"every_s": 3600}, False)


def test_a_drill_elsewhere_says_nothing_about_the_host(store: Store, tmp_path: Path) -> None:
    lost = {
        "source": "etc", "snapshot": None, "wanted": "proven", "level": None, "failed_level": "stored",
        "outcome": "unknown", "message": "spare1 is away", "time": "2026-11-23T02:01:00.000Z", "where": "spare1",
    }  # fmt: skip
    run = Run().unreachable("web1").add("verify", host="web1", ok=False, data={"verifications": [lost]})
    read(store, tmp_path, run)
    with store.read() as tx:
        found = {state["check"]: state["status"] for state in alerts.listed(tx)}
    assert found == {"reachable": "CRITICAL", "drill:etc": "UNKNOWN"}
