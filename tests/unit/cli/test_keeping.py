"""Why retention keeps each snapshot, as the list and `backup show` have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..ledger.builders import Run
from .test_holds import roundsman

OLD, MIDDLE, NEW, OTHER = (name * 32 for name in ("aa", "bb", "cc", "dd"))
MADE = {OLD: "2026-11-20T02:00:00Z", MIDDLE: "2026-11-21T02:00:00.000Z", NEW: "2026-11-22T02:00:00.000Z"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Three snapshots of web1's etc, the oldest restored once, and one of its srv."""
    run = backed_up(backed_up(Run(), "etc", MADE), "srv", {OTHER: MADE[NEW]})
    run.verify("web1", OLD, "restored").finish(web1={}).write(tmp_path / "ledger")
    path = tmp_path / "roundsman.yml"
    path.write_text(f"inventory: hosts.yml\nstate_dir: {tmp_path}\n")
    return path


def backed_up(run: Run, source: str, made: dict[str, str]) -> Run:
    held = [{"id": one, "time": time, "manifest_sha256": None, "complete": True} for one, time in made.items()]
    record = {"source": source, "repository": "/r", "plan": {}, "snapshot": None, "reason": None, "snapshots": held}
    return run.add("backup", host="web1", item=source, ok=True, changed=True, data={"backup": record})


def pruned(config: Path, rules: dict[str, Any], number: int, *, ok: bool = True) -> None:
    run = Run(f"20261123T03000{number}Z-000001")
    record = {"source": "etc", "repository": "/r", "rules": rules, "keep": [], "remove": [], "reason": None}
    run.add("prune", host="web1", item="etc", ok=ok, changed=False, msg="", data={"prune": record})
    run.finish(web1={}).write(config.parent / "ledger")


def kept_by(config: Path) -> dict[str, list[str] | None]:
    return {one["id"]: one["kept_by"] for one in json.loads(roundsman(config, "list", "--all", "--json").output)}


def test_each_snapshot_says_what_keeps_it(config: Path) -> None:
    assert set(map(str, kept_by(config).values())) == {"None"}, "no prune has told any rules"

    pruned(config, {"last": 1}, 1)
    newest = ["last", "newest complete snapshot"]
    assert kept_by(config) == {
        OLD: ["last one that is restored"], MIDDLE: [], NEW: newest, OTHER: None,
    }  # fmt: skip
    drawn = roundsman(config, "show", "bb").output
    assert "kept by         nothing" in drawn

    roundsman(config, "hold", "bb", "--until", "9998-12-31", "--why", "audit")
    assert kept_by(config)[MIDDLE] == ["on hold until 9999-01-01T00:00:00.000Z: audit"]
    assert "its hold" in roundsman(config, "show", "bb").output
    shown = json.loads(roundsman(config, "show", "cc", "--json").output)["snapshot"]
    assert (shown["kept_by"], shown["hold"]) == (newest, None)

    # Rules that would remove too much are refused; they are the rules all the same.
    pruned(config, {"within": "25h"}, 2, ok=False)
    assert kept_by(config)[MIDDLE] == ["within 25h", "on hold until 9999-01-01T00:00:00.000Z: audit"]
