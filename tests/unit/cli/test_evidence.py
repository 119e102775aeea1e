"""What is known of a snapshot after each verification, and how it is shown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from roundsman.backups.evidence import LEVELS, rank, standing
from roundsman.store import Store, evidence, snapshots
from roundsman.views.snapshot import draw_snapshot

NOTHING = {"level": None, "verified_at": None, "failed_level": None}
levels = st.sampled_from(LEVELS)


def ok(level: str, at: str = "2026-11-26T01:00:00.000Z") -> dict[str, Any]:
    return {"outcome": "ok", "level": level, "failed_level": None, "time": at}


def damaged(failed: str, at: str = "2026-11-26T02:00:00.000Z") -> dict[str, Any]:
    held = LEVELS[LEVELS.index(failed) - 1] if failed != LEVELS[0] else None
    return {"outcome": "damaged", "level": held, "failed_level": failed, "time": at}


looks = st.lists(st.builds(ok, levels) | st.builds(damaged, levels) | st.just({"outcome": "unknown"}), max_size=8)


@given(looks, levels)
def test_damage_stands_until_its_level_holds_again(history: list[dict[str, Any]], level: str) -> None:
    known = dict(NOTHING)
    for look in [*history, damaged(level)]:
        known = standing(known, look)
    assert known["failed_level"] == level
    for lower in LEVELS[: LEVELS.index(level)]:
        assert standing(known, ok(lower)) == known
    assert standing(known, ok(level)) == {
        "level": level, "verified_at": "2026-11-26T01:00:00.000Z", "failed_level": None
    }  # fmt: skip


@given(looks, levels)
def test_a_look_that_held_never_lowers_what_is_known(history: list[dict[str, Any]], level: str) -> None:
    known = dict(NOTHING)
    for look in history:
        known = standing(known, look)
    after = standing(known, ok(level))
    assert rank(after["level"]) >= rank(known["level"]) or known["failed_level"]
    assert standing(known, {"outcome": "unknown"}) == known


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def test_every_look_is_kept_and_shown(store: Store) -> None:
    backup = {
        "source": "shop", "type": "sqlite", "repository": "/r", "snapshot": "a" * 64, "backup_type": "incremental",
        "total_bytes": 4096, "added_bytes": 1024, "files": 1, "duration_s": 2.0,
        "canary_at": "2026-11-26T00:30:00.000Z",
        "snapshots": [{"id": "a" * 64, "time": "2026-11-26T01:00:00.000Z", "manifest_sha256": "b" * 64}],
    }  # fmt: skip
    blank: dict[str, Any] = {
        "source": "shop", "snapshot": "a" * 64, "wanted": "proven", "reason": None, "message": "", "where": "spare1",
        "restore_s": 1.5, "drill_s": 4.5, "duration_s": 5.0, "canary_at": None,
    }  # fmt: skip
    with store.write() as tx:
        snapshots.record_backup(tx, "db1", backup)
        for look in (ok("proven"), damaged("read") | {"reason": "repository_damaged"}):
            evidence.record(tx, "db1", "run-1", blank | look)
            snapshots.record_verification(tx, "db1", blank | look)
        evidence.record(tx, "db1", "run-1", blank | {"snapshot": None} | ok("read"))
    with store.read() as tx:
        (found,) = snapshots.of_id(tx, "aaaa")
        kept = evidence.of_snapshot(tx, "db1", "a" * 64)
        assert snapshots.of_id(tx, "aaaa", ["web1"]) == snapshots.of_id(tx, "%") == []
    assert [(one["outcome"], one["place"]) for one in kept] == [("damaged", "spare1"), ("ok", "spare1")]
    assert (found["level"], found["failed_level"]) == ("stored", "read")

    stream = io.StringIO()
    draw_snapshot(Console(file=stream, width=160), found, kept)
    text = " ".join(stream.getvalue().split())
    for words in ("shop of db1 (sqlite)", "30 min before the snapshot", "FAILED at read", "damaged at read", "spare1"):
        assert words in text, text
