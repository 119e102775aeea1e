"""What a ledger says of maintenance: silences while it holds a host, and alerts about what came of it, or did not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roundsman import ledger
from roundsman.store import Store, alerts, silences

from .builders import Run

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
AT_WORK = datetime(2026, 11, 23, 2, 0, 2, 500_000, tzinfo=UTC)


def begun(run: Run, *symptoms: str, silence_s: int = 7200) -> Run:
    lease = {"number": 7, "run": run.id, "procedure": "updates", "controller": "ctl", "lasts_s": 900}
    data = {"lease": lease, "symptoms": list(symptoms), "silence_s": silence_s, "previous": []}
    return run.add("maintenance_begun", host="web1", ok=True, changed=True, data=data)


def ended(run: Run, status: str, warnings: tuple[str, ...] = ()) -> Run:
    record = {"procedure": "updates", "status": status, "message": f"it is {status}", "warnings": list(warnings)}
    return run.add("maintenance", host="web1", ok=True, changed=False, data={"maintenance": record})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def take(store: Store, tmp_path: Path, run: Run) -> None:
    run.write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)


def said(store: Store) -> dict[str, tuple[str, str]]:
    with store.read() as tx:
        return {row["check"]: (row["status"], row["message"]) for row in alerts.listed(tx)}


def silenced(store: Store, at: datetime) -> list[dict[str, Any]]:
    with store.read() as tx:
        return [dict(row) for row in silences.of_runs(tx, at)]


@pytest.mark.parametrize(
    ("status", "warnings", "alert"),
    [
        ("completed", (), None),
        ("completed-with-warnings", ("reboot soon",), ("WARNING", "it is completed-with-warnings; reboot soon")),
        ("rolled-back", (), ("WARNING", "it is rolled-back")),
        ("skipped", (), ("WARNING", "it is skipped")),
        ("failed", (), ("CRITICAL", "it is failed")),
    ],
)
def test_what_came_of_it_is_told(
    store: Store, tmp_path: Path, status: str, warnings: tuple[str, ...], alert: tuple[str, str] | None
) -> None:
    take(store, tmp_path, ended(begun(Run()), status, warnings).finish(web1={}))
    assert said(store).get("maintenance:updates") == alert


def test_a_procedure_without_a_result_is_unknown_and_the_next_result_ends_that(store: Store, tmp_path: Path) -> None:
    take(store, tmp_path, begun(Run()))
    status, text = said(store)["maintenance:updates"]
    assert status == "UNKNOWN"
    assert text.startswith("updates of web1 has no result: the run died, or lost the host, while lease 7 held it")
    take(store, tmp_path, ended(begun(Run("20261123T030000Z-00beef", start="2026-11-23T03:00")), "completed"))
    assert "maintenance:updates" not in said(store)


def test_a_host_that_was_lost_in_the_middle_has_no_result_either(store: Store, tmp_path: Path) -> None:
    run = begun(Run()).unreachable("web1").finish(web1={"unreachable": 1})
    take(store, tmp_path, run)
    assert said(store)["maintenance:updates"][0] == "UNKNOWN"
    assert said(store)["reachable"][0] == "CRITICAL"


def test_declared_symptoms_are_silenced_until_the_host_is_given_back(store: Store, tmp_path: Path) -> None:
    run = begun(Run(), "reachable", "nginx")
    ledger_dir = tmp_path / "ledger"
    with ledger.run_lock(ledger_dir, run.id):
        take(store, tmp_path, run)
        (one,) = silenced(store, AT_WORK)
        assert (one["run"], one["hosts"]) == (f"{run.id} web1", ["web1"])
        assert one["symptoms"] == ['{check=~"reachable(:.*)?"}', '{check="nginx"}']
        take(store, tmp_path, ended(run, "completed"))
        assert silenced(store, AT_WORK + timedelta(seconds=2)) == []


def test_a_run_that_died_silences_nothing_any_more(store: Store, tmp_path: Path) -> None:
    take(store, tmp_path, begun(Run(), "reachable"))
    assert silenced(store, NOW) == []


def test_nothing_is_silenced_for_longer_than_it_may(store: Store, tmp_path: Path) -> None:
    run = begun(Run(), "reachable", silence_s=60)
    with ledger.run_lock(tmp_path / "ledger", run.id):
        take(store, tmp_path, run)
        assert silenced(store, AT_WORK + timedelta(seconds=59))
        assert not silenced(store, AT_WORK + timedelta(seconds=60))


def test_backups_are_never_silenced(store: Store, tmp_path: Path) -> None:
    run = begun(Run(), "backup")
    with ledger.run_lock(tmp_path / "ledger", run.id):
        take(store, tmp_path, run)
        assert silenced(store, AT_WORK) == []


def test_check_mode_silences_and_alerts_nothing(store: Store, tmp_path: Path) -> None:
    take(store, tmp_path, ended(begun(Run(check_mode=True), "reachable"), "failed"))
    assert said(store) == {}
    assert silenced(store, AT_WORK) == []


def test_what_was_refused_before_anything_was_touched_is_no_alert(store: Store, tmp_path: Path) -> None:
    data = {"task": "look", "action": "ansible.builtin.assert"}
    run = Run().add("refused", host="web1", ok=False, changed=False, msg="there is no type nope", data=data)
    take(store, tmp_path, run.finish(web1={"failures": 1}))
    assert said(store) == {}
