"""Files are found over time, and what differs between snapshots is told with what of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.browsing import differences
from ansible_collections.roundsman.fleet.plugins.module_utils.engines import restic
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from hypothesis import given
from hypothesis import strategies as st

from .cast import Anna
from .test_backup import record_of

ENTRY = {"type": "file", "size": 1, "sha256": "a", "mode": "0644", "uid": 0, "gid": 0, "mtime_ns": 1}
trees = st.dictionaries(st.sampled_from(["/a", "/a/b", "/a b", "/a!", "/z"]), st.sampled_from("xyz"))


def listing(tree: dict[str, str]) -> Any:
    paths = sorted(tree, key=lambda path: os.fsencode(path).split(b"/"))
    return iter([{**ENTRY, "path": path, "sha256": tree[path]} for path in paths])


@given(trees, trees)
def test_differences_are_those_of_the_sets(before: dict[str, str], after: dict[str, str]) -> None:
    found = {one["path"]: one["change"] for one in differences(listing(before), listing(after))}
    assert found == {
        **dict.fromkeys(before.keys() - after.keys(), "removed"),
        **dict.fromkeys(after.keys() - before.keys(), "added"),
        **{path: "changed" for path in before.keys() & after.keys() if before[path] != after[path]},
    }


def test_what_changed_is_named() -> None:
    before, after = ({**ENTRY, "path": "/a"}, {**ENTRY, "path": "/a", "sha256": "b", "mode": "0600", "mtime_ns": 2})
    assert list(differences(iter([before]), iter([after]))) == [
        {"path": "/a", "change": "changed", "what": ["content", "mode", "time"]}
    ]


@pytest.fixture
def history(anna: Anna) -> tuple[Anna, list[str], Path]:
    """Three snapshots: a file that stays, one that changes at last, one that is gone at last."""
    anna.write("stays.conf")
    changes, goes = anna.write("sub/changes.conf", "one"), anna.write("goes.conf")
    ids = [record_of(anna.back_up())["snapshot"] for _ in range(2)]
    changes.write_text("other")
    goes.unlink()
    ids.append(record_of(anna.back_up())["snapshot"])
    return anna, ids, changes


def test_find_tells_where_a_file_is_and_when_it_changed(history: tuple[Anna, list[str], Path]) -> None:
    anna, ids, changes = history
    result = anna.call("backup_find", **anna.arguments(pattern="*.conf"))
    found = [(Path(one["path"]).name, ids.index(one["snapshot"]), one["change"]) for one in result["found"]]
    assert found == [
        ("goes.conf", 0, "first"), ("goes.conf", 1, "same"),
        ("stays.conf", 0, "first"), ("stays.conf", 1, "same"), ("stays.conf", 2, "same"),
        ("changes.conf", 0, "first"), ("changes.conf", 1, "same"), ("changes.conf", 2, "changed"),
    ]  # fmt: skip
    assert all(one["complete"] and one["source"] == "data" for one in result["found"])
    newest = max(one["time"] for one in result["found"])
    since = anna.call("backup_find", **anna.arguments(pattern=str(changes), source="data", since=newest))
    assert [(one["size_bytes"], one["change"]) for one in since["found"]] == [(5, "changed")]
    assert anna.call("backup_find", **anna.arguments(pattern="*.conf", source="other"))["found"] == []
    assert anna.call("backup_find", **anna.arguments(pattern="*.jsonl"))["found"] == []
    assert anna.call("backup_find", **anna.arguments(pattern="--help"))["failed"]


def test_diff_of_two_snapshots_and_of_what_is_live(history: tuple[Anna, list[str], Path]) -> None:
    anna, ids, changes = history

    def told(**arguments: Any) -> dict[str, tuple[str, bool]]:
        result = anna.call("backup_diff", **anna.arguments(**arguments))
        assert not result.get("failed"), result
        listed = result["diff_of"]["differences"]
        return {Path(one["path"]).name: (one["change"], "content" in one["what"]) for one in listed}

    expected = {"data": ("changed", False), "goes.conf": ("removed", False), "changes.conf": ("changed", True)}
    assert told(snapshot=ids[2]) == told(snapshot=ids[2][:10], other=ids[0]) == told(snapshot=ids[0], other=ids[2])
    assert told(snapshot=ids[2]) == expected
    assert told(snapshot=ids[1]) == told(snapshot=ids[2], live=True) == {}
    changes.chmod(0o600)
    anna.write("new.conf")
    assert told(snapshot=ids[2], live=True) == {
        "data": ("changed", False), "changes.conf": ("changed", False), "new.conf": ("added", False)
    }  # fmt: skip
    first = anna.call("backup_diff", **anna.arguments(snapshot=ids[0]))
    assert first["reason"] == "no_snapshot"
    assert "no complete snapshot before" in first["msg"]
    assert anna.call("backup_diff", **anna.arguments(snapshot="00000000"))["reason"] == "no_snapshot"


RESTIC = """#!/bin/sh
case "$*" in
version) echo "restic 0.18.0 compiled with go1.24";;
*find*) sleep 1; cat "$ANSWER";;
esac
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[restic.Restic, Path]:
    """A restic that needs longer to search than one may take to answer, and the file with what it says."""
    script, answer = tmp_path / "restic", tmp_path / "answer"
    script.write_text(RESTIC)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(restic, "OPEN_LIMIT_S", 0.2)
    access = {"repository": "/r", "password": "p", "environment": {"ANSWER": str(answer)}, "cache_dir": str(tmp_path)}
    limits = {**dict.fromkeys(restic.LIMITS, 0), "processors": 0}
    more = {"deadline": time.monotonic() + 60, "lock_timeout_s": 0, "limits": limits, "redact": str, "keep_fds": ()}
    return restic.Restic({**access, **more}), answer


def test_a_search_may_take_as_long_as_anything(slow: tuple[restic.Restic, Path]) -> None:
    """It reads the trees of all snapshots; a repository that is large is not one that cannot be reached."""
    engine, answer = slow
    answer.write_text("[]")
    assert engine.find("*.conf", "anna", None) == []


def test_too_much_to_tell_is_no_crash(slow: tuple[restic.Restic, Path]) -> None:
    engine, answer = slow
    answer.write_text('[{"snapshot": "ab", "matches": [')  # as it is cut off at what one call may hold
    with pytest.raises(BackupError, match="Give a narrower pattern"):
        engine.find("*", "anna", None)
