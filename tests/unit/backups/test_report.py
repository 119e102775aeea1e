"""The report from plain rows: what it says of sources that are well, late, failing, lost, and of none at all."""

from __future__ import annotations

from typing import Any

import pytest

from roundsman.backups.report import BackupReport, SourceReport, report

from .facts import NOW, ago, looked, snapshot

SOURCE = {"id": "shop", "type": "files", "plan": {"every_s": 21600, "verify_every_s": 604800}}


def entry(kind: str = "backup", ok: bool = True, **more: Any) -> dict[str, Any]:
    data = {
        "backup": {"backup": {"source": "shop", "reason": None if ok else "no_space"}},
        "prune": {"prune": {"source": "shop"}},
    }
    return {"host": "db1", "kind": kind, "ok": ok, "time": ago(hours=5), "msg": "", "data": data.get(kind, {}), **more}


def verified(**more: Any) -> dict[str, Any]:
    one = {
        "source": "shop", "snapshot": "a" * 64, "level": "restored", "outcome": "ok", "time": ago(days=1),
        "wanted": "restored",
        "restore_s": 12.0, "drill_s": None, "where": "spare1", "canary_at": None, "reason": None, "message": "", **more,
    }  # fmt: skip
    return entry("verify", one["outcome"] == "ok", data={"verifications": [one]}, time=one["time"])


def of(snapshots: Any, *entries: dict[str, Any], source: Any = SOURCE) -> SourceReport:
    (said,) = report(["db1"], {"db1": looked(sources=[source])}, [], snapshots, entries, NOW).sources
    return said


def test_an_empty_store_is_a_report_of_what_nobody_knows() -> None:
    said: BackupReport = report(["db1"], {}, [], [], [], NOW)
    assert (said.summary.sources, said.summary.restorable, said.summary.gaps) == (0, 0, 1)
    assert said.gaps[0].status == "unknown"
    assert report([], {}, [], [], [], NOW).summary.oldest_recovery_point is None


def test_a_source_that_is_well() -> None:
    canary = ago(hours=5, minutes=2)
    drilled = verified(wanted="proven", restore_s=None, time=ago(days=3))
    said = of([snapshot()], entry("prune", time=ago(hours=4)), drilled, verified(restore_s=9.0, time=ago(days=2)),
              verified(canary_at=canary, drill_s=20.0))  # fmt: skip
    assert (said.status, said.recovery_point, said.objective_s) == ("good", ago(hours=5), 21600)
    assert said.proof is not None
    assert (said.proof.level, said.proof.where, said.proof.canary_at) == ("restored", "spare1", canary)
    assert ([took for _at, took in said.restores], said.restore_s, said.drill_s) == ([9.0, 12.0], 12.0, 20.0)
    assert vars(said.clocks) == {
        "backup": ago(hours=5), "retention": ago(hours=4), "check": ago(days=1), "drill": ago(days=3),
    }  # fmt: skip
    assert said.total_bytes == 2048


@pytest.mark.parametrize(
    ("snapshots", "entries", "status"),
    [
        ([], [], "lost"),
        ([snapshot(complete=False)], [], "lost"),
        ([snapshot(failed_level="restored", level="read")], [], "lost"),
        ([snapshot(), snapshot(id="b", time=ago(hours=1), failed_level="read", level=None)], [], "failing"),
        ([snapshot()], [entry(ok=False, time=ago(hours=1))], "failing"),
        ([snapshot()], [entry(ok=False, time=ago(hours=1)), entry(time=ago(minutes=5))], "good"),
        ([snapshot(time=ago(hours=8))], [], "late"),
        ([snapshot(time=ago(hours=7))], [], "good"),
        ([snapshot(level="read")], [], "unproven"),
        ([snapshot(verified_at=ago(days=8))], [], "unproven"),
        ([snapshot(time="2099-01-01T00:00:00.000Z")], [], "lost"),
        ([snapshot(), snapshot(id="b", time="2099-01-01T00:00:00.000Z")], [], "failing"),
    ],
)
def test_status(snapshots: Any, entries: Any, status: str) -> None:
    assert of(snapshots, *entries).status == status


def test_failures_say_why_the_newest_first() -> None:
    failed = entry(ok=False, time=ago(hours=3), msg="disk full")
    unknown = verified(outcome="unknown", reason="timeout", message="too slow", time=ago(hours=1))
    said = of([snapshot()], failed, unknown)
    assert [(one.what, one.reason, one.message) for one in said.failures] == [
        ("verify", "timeout", "too slow"), ("backup", "no_space", "disk full"),
    ]  # fmt: skip
    assert said.restores == []


def test_evidence_of_an_older_snapshot_is_shown_as_that_of_the_older_one() -> None:
    said = of([snapshot(id="b" * 64, level="stored", time=ago(hours=1)), snapshot()])
    assert said.recovery_point == ago(hours=1)
    assert said.proof is not None
    assert (said.proof.snapshot, said.proof.level) == ("a" * 64, "restored")


def test_what_is_no_longer_declared_is_said() -> None:
    said = report(["db1"], {"db1": looked(sources=[])}, [], [snapshot()], [], NOW).sources
    assert [(one.source, one.declared) for one in said] == [("shop", False)]
    assert report(["db1"], {}, [], [snapshot()], [], NOW).sources[0].declared is None


def promise(source: str, since: str) -> dict[str, Any]:
    return {"host": "db1", "source": source, "plan": {"every_s": 3600}, "since": since}


def test_backups_tell_of_what_nobody_has_looked_at() -> None:
    """The look was an hour ago: what it did not see may have been declared since then, or else is gone."""
    told = [promise("gone", ago(days=9)), promise("new", ago(minutes=5)), promise("shop", ago(days=9))]
    unseen = report(["db1"], {}, told, [snapshot()], [], NOW).sources
    assert {one.source: (one.declared, one.status, one.objective_s) for one in unseen} == {
        "gone": (True, "lost", 3600), "new": (True, "lost", 3600), "shop": (True, "late", 3600),
    }  # fmt: skip
    seen = report(["db1"], {"db1": looked(sources=[SOURCE])}, told, [snapshot()], [], NOW).sources
    assert {one.source: (one.declared, one.objective_s) for one in seen} == {"new": (True, 3600), "shop": (True, 21600)}


def test_the_summary_and_the_worst_first() -> None:
    rows = [snapshot(), snapshot("db2", restore_s=1.0, level="proven"), snapshot("db3", complete=False)]
    said = report(["db1", "db2", "db3"], {}, [], rows, [verified()], NOW)
    assert [one.host for one in said.sources] == ["db3", "db1", "db2"]
    one = said.summary
    assert (one.sources, one.restorable, one.proven, one.restored, one.restore_median_s) == (3, 2, 1, 1, 12.0)
    assert (one.oldest_recovery_point, one.statuses["lost"]) == (ago(hours=5), 1)


def test_holds_are_counted_while_they_last() -> None:
    held = [snapshot(id=str(over), hold={"until": ago(days=1), "over": over}) for over in (True, False)]
    assert (of(held).snapshots, of(held).on_hold) == (2, 1)
