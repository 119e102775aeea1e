"""Ledger entries as docs/records.md has them, and what they say about each check."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import RESERVED

from roundsman.alerts.events import events_of
from roundsman.alerts.model import AlertState, CheckResult, Measurement
from roundsman.alerts.names import RESERVED_NAMES, CheckKind, check_kind, fingerprint, is_reserved

from .cast import MUCH_LATER, at, decide, result

DISK = {"id": "disk", "type": "filesystem", "target": "/var", "status": "CRITICAL", "message": "/var 97% used"}
LOAD = {"id": "load", "type": "load", "target": "", "status": "OK", "message": "load 0.4"}
SNAPSHOT = "0123456789abcdef"


def entry(kind: str, data: dict[str, Any] | None = None, ok: bool = True, **more: Any) -> dict[str, Any]:
    line = {"v": 1, "run": "01JD", "seq": 7, "time": "2026-11-23T02:00:00.000Z", "kind": kind, "host": "web3"}
    return line | {"ok": ok, "changed": False, "data": data or {}} | more


def verification(outcome: str, **more: Any) -> dict[str, Any]:
    found = {"source": "etc", "snapshot": SNAPSHOT, "wanted": "restored", "level": None, "failed_level": None}
    return found | {"outcome": outcome, "reason": None, "message": ""} | more


def open_alerts(*checks: str, host: str = "web3") -> dict[str, AlertState]:
    states = [decide(None, result("CRITICAL", -5, host, check), MUCH_LATER).state for check in checks]
    return {state.fingerprint: state for state in states if state is not None}


def said(events: list[Measurement]) -> list[str]:
    return [f"{e.check} {e.status}" if isinstance(e, CheckResult) else f"{e.check} no data" for e in events]


ENTRIES = [
    ("a good sweep", entry("health", {"checks": [DISK, LOAD]}), "reachable OK, health OK, disk CRITICAL, load OK"),
    ("a sweep of nothing, which needs no host", entry("health", {"checks": []}), "health OK"),
    ("a broken sweep", entry("health", ok=False, msg="MODULE FAILURE"), "health UNKNOWN"),
    ("a good backup", entry("backup", {"backup": {"source": "etc"}}), "reachable OK, backup OK, backup:etc OK"),
    (
        "a failed backup",
        entry("backup", {"backup": {"source": "etc", "reason": "no_space"}}, ok=False, msg="full"),
        "reachable OK, backup:etc CRITICAL",
    ),
    ("a backup that died", entry("backup", ok=False, item="etc", msg="killed"), "backup:etc CRITICAL"),
    ("a backup of nobody knows what", entry("backup", ok=False, msg="killed"), "backup CRITICAL"),
    ("a prune", entry("prune", {"prune": {"source": "etc"}}), "reachable OK, prune OK, prune:etc OK"),
    (
        "a prune that met snapshots of the future",
        entry("prune", {"prune": {"source": "etc", "future": [{"id": "5cb3", "time": "2099-01-01T00:00:00.000Z"}]}}),
        "reachable OK, prune OK, prune:etc WARNING",
    ),
    ("a failed prune", entry("prune", {"prune": {"source": "etc"}}, ok=False), "reachable OK, prune:etc WARNING"),
    (
        "verifications",
        entry(
            "verify",
            {"verifications": [verification("ok"), verification("unknown", source="shop")]},
        ),
        "reachable OK, verify OK, verify:etc OK, verify:shop UNKNOWN",
    ),
    (
        "damage",
        entry("verify", {"verifications": [verification("damaged", failed_level="read")]}, ok=False),
        "reachable OK, verify OK, verify:etc CRITICAL",
    ),
    ("a verification that died", entry("verify", ok=False, msg="killed"), "verify UNKNOWN"),
    ("a restore", entry("restore", {"restore": {"source": "etc"}}), "reachable OK"),
    ("a failed task", entry("failed", {"task": "Install restic", "action": "apt"}, ok=False), "run:rounds UNKNOWN"),
    ("an unreachable host", entry("unreachable", {"task": "Gather"}, ok=False, msg="timed out"), "reachable CRITICAL"),
    ("the start of a run", {"v": 1, "run": "01JD", "kind": "run_started", "data": {}}, ""),
    ("a kind of a later version", entry("census"), ""),
]


@pytest.mark.parametrize(("line", "events"), [line[1:] for line in ENTRIES], ids=[line[0] for line in ENTRIES])
def test_what_an_entry_says(line: dict[str, Any], events: str) -> None:
    found = events_of(line, {}, "/srv/playbooks/rounds.yml")
    assert ", ".join(said(found)) == events
    assert all((e.host, e.run, e.at, type(e.check)) == ("web3", "01JD", at(0), str) for e in found)


WITHOUT_DATA = [
    ("unreachable", {}, False, "backup:etc disk health run:rounds load"),
    ("health", {"checks": [DISK]}, True, "load"),
    ("health", {}, False, "disk load"),
    ("backup", {"backup": {"source": "shop"}}, True, ""),
]


@pytest.mark.parametrize(("kind", "data", "ok", "checks"), WITHOUT_DATA)
def test_open_alerts_that_an_entry_leaves_without_data(kind: str, data: dict[str, Any], ok: bool, checks: str) -> None:
    known = open_alerts("reachable", "backup:etc", "disk", "health", "run:rounds", "load")
    known |= open_alerts("disk", "load", host="db2")
    found = events_of(entry(kind, data, ok=ok), known)
    assert [e.check for e in found if not isinstance(e, CheckResult)] == checks.split()


def test_resolved_alerts_are_not_told_that_there_is_no_data() -> None:
    (disk,) = open_alerts("disk").values()
    over = decide(disk, result("OK"), MUCH_LATER).state
    assert over is not None
    assert len(events_of(entry("unreachable", ok=False), {over.fingerprint: over})) == 1


def test_a_damaged_snapshot_is_named_with_its_level() -> None:
    damaged = verification("damaged", failed_level="read", message="etc of web1, snapshot 01234567: damaged at read: x")
    *_, event = events_of(entry("verify", {"verifications": [damaged]}, ok=False), {})
    assert event.message == "etc of web1, snapshot 01234567: damaged at read: x"


@pytest.mark.parametrize(("level", "told"), [("stored", False), ("read", True), ("restored", True)])
def test_a_lower_level_that_holds_does_not_end_the_alert_of_damage(level: str, told: bool) -> None:
    (event,) = (
        one
        for one in events_of(entry("verify", {"verifications": [verification("damaged", failed_level="read")]}), {})
        if one.check == "verify:etc"
    )
    damage = decide(None, event, MUCH_LATER).state
    assert damage is not None
    again = verification("ok", level=level, wanted=level)
    found = events_of(entry("verify", {"verifications": [again]}), {damage.fingerprint: damage})
    assert ("verify:etc" in [one.check for one in found]) is told


def test_a_failed_backup_says_why() -> None:
    line = entry("backup", {"backup": {"source": "etc", "reason": "no_space", "snapshots": []}}, ok=False, msg="full")
    *_, event = events_of(line, {})
    assert isinstance(event, CheckResult)
    assert (event.message, event.evidence) == ("backup of etc failed: full", {"source": "etc", "reason": "no_space"})


def test_a_run_that_went_through_ends_the_trouble_of_its_playbook_only() -> None:
    well = {"ok": 9, "changed": 0, "failures": 0, "unreachable": 0, "skipped": 0, "rescued": 0, "ignored": 0}
    stats = {"web3": well, "db2": well | {"failures": 1}, "app7": well | {"unreachable": 1}, "idle": well | {"ok": 0}}
    line = {"v": 1, "run": "01JD", "time": "2026-11-23T02:00:00.000Z", "kind": "run_finished", "data": {"stats": stats}}
    assert [(e.host, e.check) for e in events_of(line, {}, "roundsman.fleet.health")] == [("web3", "run:health")]


@pytest.mark.parametrize("playbook", ["rounds.yml", "/srv/rounds.yaml", "roundsman.fleet.rounds", "rounds"])
def test_a_playbook_is_known_by_its_short_name(playbook: str) -> None:
    (event,) = events_of(entry("failed", {"task": "x"}, ok=False), {}, playbook)
    assert event.check == "run:rounds"


KINDS = [
    ("data-disk", CheckKind.MEASURED),
    ("backups", CheckKind.MEASURED),
    ("nginx:443", CheckKind.MEASURED),
    ("reachable", CheckKind.REACHABLE),
    ("backup:etc", CheckKind.BACKUP),
    ("backup:a:b", CheckKind.BACKUP),
    ("run:rounds", CheckKind.RUN),
]


@pytest.mark.parametrize(("check", "kind"), KINDS)
def test_the_kind_of_a_check_is_in_its_name(check: str, kind: CheckKind) -> None:
    assert check_kind(check) is kind
    assert is_reserved(check) is (kind is not CheckKind.MEASURED)


def test_the_reserved_names_are_fixed() -> None:
    assert sorted(RESERVED_NAMES) == [
        "backup", "drill", "fresh-backup", "fresh-check", "fresh-drill", "fresh-retention", "health", "isolated",
        "maintenance", "prune", "reachable", "rounds", "run", "silences", "verify",
    ]  # fmt: skip
    assert frozenset(RESERVED) == RESERVED_NAMES


def test_a_fingerprint_is_stable_and_its_own() -> None:
    assert fingerprint("web3", "disk") == "5c12bc8c40ac"
    assert fingerprint("a", "b c") != fingerprint("a b", "c")
    assert fingerprint("wéb\udc80", "disk").isalnum()
