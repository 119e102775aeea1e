"""Restoring gives back what was there, twice is the same as once, and pruning never takes the last good snapshot."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError, Snapshot
from ansible_collections.roundsman.fleet.plugins.module_utils.retention import decide, refuse_future

from .cast import Anna


def below(anna: Anna, path: Path) -> Path:
    return anna.root / "restored" / path.relative_to("/")


def test_restore_once_twice_and_over_changes(anna: Anna) -> None:
    one = anna.write("one")
    anna.write("sub/two")
    anna.back_up()
    one.write_text("later")
    planned = anna.restore(_ansible_check_mode=True)
    assert planned["changed"]
    assert not below(anna, one).exists()
    first = anna.restore()
    assert first["changed"], first
    assert below(anna, one).read_text() == "content"
    assert first["restore"]["entries"] == 4
    assert not (anna.root / "restored" / str(anna.state).lstrip("/")).exists()
    assert not anna.restore()["changed"]
    below(anna, one).write_text("touched")
    refused = anna.restore()
    assert refused["failed"]
    assert "is not empty" in refused["msg"]
    assert anna.restore(overwrite=True)["changed"]
    assert below(anna, one).read_text() == "content"


def test_restore_a_part(anna: Anna) -> None:
    anna.write("st*r/file")
    anna.write("star/file")
    anna.back_up()
    result = anna.restore(paths=[str(anna.source / "st*r")])
    assert result["restore"]["entries"] == 2, result
    assert os.listdir(below(anna, anna.source)) == ["st*r"]  # noqa: PTH208
    missing = anna.restore(paths=[str(anna.source / "never")], target=str(anna.root / "other"))
    assert missing["restore"]["reason"] == "no_snapshot"


def test_restore_refuses_the_root_and_unknown_snapshots(anna: Anna) -> None:
    anna.write("one")
    anna.back_up()
    assert "other than /" in anna.restore(target="/")["msg"]
    assert anna.restore(snapshot="00000000")["restore"]["reason"] == "no_snapshot"


def test_prune_plans_removes_and_protects(anna: Anna) -> None:
    ids = []
    for number in range(4):
        anna.write("one", str(number))
        ids.append(anna.back_up()["backup"]["snapshot"])
    plan = anna.prune(keep_last=1, protect=[ids[0][:8]], _ansible_check_mode=True)
    assert [s["id"] for s in plan["prune"]["remove"]] == ids[1:3], plan
    assert plan["prune"]["removed"] == 0
    assert len(anna.snapshots()) == 4
    done = anna.prune(keep_last=1, protect=[ids[0][:8]])
    assert done["prune"]["removed"] == 2
    assert [s["id"] for s in anna.snapshots()] == [ids[0], ids[3]]
    reasons = {s["id"]: s["reasons"] for s in done["prune"]["keep"]}
    assert reasons[ids[0]] == ["protected"]
    assert "last snapshot" in reasons[ids[3]][0]
    assert not anna.prune(keep_last=1, protect=[ids[0][:8]])["changed"]
    assert anna.verify()["verifications"][0]["outcome"] == "ok"


def test_prune_refuses_faulty_rules_and_future_snapshots(anna: Anna) -> None:
    anna.write("one")
    anna.back_up()
    assert anna.prune()["failed"]
    faults = anna.prune(keep_last=0, keep_within="soon", protect=["x"])["msg"]
    assert faults.count(";") == 2
    anna.restic(
        "backup",
        "--host",
        "anna",
        "--tag",
        "roundsman",
        "--tag",
        "source=data",
        "--time",
        "2099-01-01 00:00:00",
        str(anna.source),
    )
    result = anna.prune(keep_last=1)
    assert "dated in the future" in result["msg"]
    assert len(anna.snapshots()) == 2


def snapshot(number: int, *tags: str, original: str | None = None) -> Snapshot:
    name = f"{number:08x}" + "0" * 56
    return Snapshot(name, name[:8], f"2026-11-{number:02}T00:00:00.000Z", "anna", tags, (), original)


@pytest.mark.parametrize(
    ("have", "kept_by_rule", "removed"),
    [
        ([(1, "complete"), (2, "complete")], [], [1]),
        ([(1, "complete"), (2, "complete")], [1], []),
        ([(1, "complete"), (2, "incomplete")], [], []),
        ([(1, "incomplete"), (2, "complete")], [], [1]),
        ([(1, "incomplete"), (2, "incomplete")], [], []),
        ([], [], []),
    ],
)
def test_decision(have: list[tuple[int, str]], kept_by_rule: list[int], removed: list[int]) -> None:
    snapshots = [snapshot(number, tag) for number, tag in have]
    kept = {snapshot(number).id: ["daily"] for number in kept_by_rule}
    keep, remove = decide(snapshots, kept, protect=[])
    assert [s["id"] for s in remove] == [snapshot(number).id for number in removed]
    assert len(keep) + len(remove) == len(have)
    assert all(s["reasons"] for s in keep + remove)


def test_the_unmarked_original_of_an_incomplete_copy_counts_as_incomplete() -> None:
    first, copy = snapshot(1, "complete"), snapshot(2, "incomplete", original=snapshot(1).id)
    keep, remove = decide([first, copy], {}, protect=[])
    assert len(keep) == 2
    assert remove == []


def test_future_is_more_than_a_slow_clock() -> None:
    now = 1_793_923_200.0  # 2026-11-06T00:00:00Z
    refuse_future([snapshot(5), snapshot(6)], now)
    with pytest.raises(BackupError):
        refuse_future([snapshot(7)], now)


def test_info_of_no_repository_is_empty(anna: Anna) -> None:
    anna.repository += "-elsewhere"
    result: dict[str, Any] = anna.call("backup_info", **anna.arguments())
    assert result["snapshots"] == []
    assert json.dumps(result).count("failed") == 0
