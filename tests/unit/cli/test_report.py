"""What a run found, as people and machines get it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from roundsman.exits import ExitCode
from roundsman.insight.recommend import Recommendation
from roundsman.views.draw import draw_report
from roundsman.views.report import Report, exit_code, report

from ..ledger.builders import Run, a_round


def reported(run: Run, status: str = "finished") -> Report:
    records = [json.loads(line) for line in run.lines]
    entries = [{"host": None, "item": None, "ok": None, "msg": None, **one, "run_id": one["run"]} for one in records]
    row: dict[str, Any] = {
        "id": run.id, "command": "roundsman rounds", "playbook": "rounds.yml", "pattern": "all", "check_mode": False,
        "status": status, "started_at": "2026-11-23T02:00:00.000Z", "finished_at": "2026-11-23T02:01:00.000Z",
        "message": "", "hosts": records[0]["data"]["hosts"],
    }  # fmt: skip
    return report(row, entries, [], [])


def test_the_worst_comes_first() -> None:
    found = reported(a_round())
    assert [(host.host, host.status) for host in found.hosts] == [
        ("db2", "UNREACHABLE"),
        ("web3", "CRITICAL"),
        ("web1", "OK"),
    ]
    assert [problem.check for problem in found.hosts[1].problems] == ["disk", "verify:etc", "load"]
    assert found.exit_code == ExitCode.CRITICAL
    assert (found.summary.backups_made, found.summary.snapshots_restored, found.summary.hosts_ok) == (2, 1, 1)


def drawn(found: Report, *, details: bool = False, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    draw_report(console, found, details=details)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_host_is_one_line_that_names_all_that_is_amiss_and_every_problem_is_a_line_with_details() -> None:
    lines = drawn(reported(a_round())).splitlines()
    (web3,) = [line for line in lines if "web3" in line]
    assert "disk is CRITICAL; also verify:etc CRITICAL, load WARNING" in web3
    detailed = drawn(reported(a_round()), details=True)
    assert "also" not in detailed
    assert all(f"  {status}" in detailed for status in ("CRITICAL", "WARNING", "OK"))


@pytest.mark.parametrize(("details", "shown", "more"), [(False, 5, True), (True, 7, False)])
def test_the_table_ends_with_the_most_urgent_recommendations(details: bool, shown: int, more: bool) -> None:
    command = "ansible " + ",".join(f"host{number:03}" for number in range(99))
    advised = [Recommendation(n, "a_rule", f"web{n}: [do] it", command, (f"web{n}",), ("why",)) for n in range(1, 8)]
    found = replace(reported(a_round()), recommendations=advised)
    text = drawn(found, details=details, width=80)
    assert text.count(": [do] it\n") == shown
    assert text.count(f"   {command}\n") == shown, "one line, to be pasted"
    assert text.endswith("and 2 more, with --verbose\n") is more
    assert json.loads(json.dumps(found.to_dict()))["recommendations"][6]["hosts"] == ["web7"]


def test_a_failed_restore_is_a_failure() -> None:
    wrong = {"source": "etc", "snapshot": "a" * 64, "mismatch_count": 3}
    run = Run(hosts=("web1",)).add(
        "restore", host="web1", ok=False, changed=True, msg="3 of 10 entries differ", data={"restore": wrong}
    )
    found = reported(run.finish(web1={"failures": 1}))
    (problem,) = found.hosts[0].problems
    assert (problem.status, problem.message) == ("CRITICAL", "restore failed: 3 of 10 entries differ")
    assert found.exit_code == ExitCode.CRITICAL


def test_hosts_of_later_plays_are_reported() -> None:
    found = reported(Run(hosts=("web1",)).health("web1", disk="OK").health("db1", disk="CRITICAL").finish())
    assert {host.host: host.status for host in found.hosts} == {"web1": "OK", "db1": "CRITICAL"}


def test_a_host_that_was_not_come_to_is_unknown() -> None:
    found = reported(Run(hosts=("web1", "web2")).health("web1", disk="OK"), status="interrupted")
    assert {host.host: host.status for host in found.hosts} == {"web1": "OK", "web2": "UNKNOWN"}
    assert found.exit_code == ExitCode.INTERRUPTED


def test_a_critical_host_that_went_away_is_still_critical() -> None:
    run = Run(hosts=("web1",)).health("web1", disk="CRITICAL").unreachable("web1").finish(web1={"unreachable": 1})
    assert reported(run).exit_code == ExitCode.CRITICAL


def test_a_check_named_like_a_backup_is_none() -> None:
    found = reported(Run(hosts=("web1",)).health("web1", **{"backup-disk": "CRITICAL"}).finish(web1={}))
    assert found.summary.backups_failed == 0


@pytest.mark.parametrize(
    ("status", "hosts", "code"),
    [
        ("finished", ["OK", "OK"], 0),
        ("finished", ["OK", "WARNING"], 1),
        ("finished", ["WARNING", "UNKNOWN"], 3),
        ("finished", ["UNKNOWN", "UNREACHABLE"], 4),
        ("finished", ["UNREACHABLE", "CRITICAL"], 2),
        ("incomplete", ["OK"], 3),
        ("incomplete", ["CRITICAL"], 2),
        ("failed", ["CRITICAL"], 5),
        ("interrupted", ["CRITICAL"], 130),
        ("refused", [], 64),
    ],
)
def test_exit_codes(status: str, hosts: list[str], code: int) -> None:
    assert exit_code(status, hosts) == code
