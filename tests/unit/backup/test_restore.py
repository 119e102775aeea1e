"""Restoring gives back what was there, and twice is the same as once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

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


def test_info_of_no_repository_is_empty(anna: Anna) -> None:
    anna.repository += "-elsewhere"
    result: dict[str, Any] = anna.call("backup_info", **anna.arguments())
    assert result["snapshots"] == []
    assert json.dumps(result).count("failed") == 0
