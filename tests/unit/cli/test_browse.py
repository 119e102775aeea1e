"""What `backup find` draws of what is found over time."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from roundsman.views.browse import draw_found


def drawn(*found: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    draw_found(console, found)
    assert isinstance(console.file, io.StringIO)
    return [line for line in console.file.getvalue().splitlines() if "/etc/" in line]


def one(snapshot: str, change: str, path: str = "/etc/hosts") -> dict[str, Any]:
    moment = "2026-11-25T12:00:00.000Z"
    about = {"source": "etc", "type": "file", "size_bytes": 7, "mtime": moment, "time": moment, "complete": True}
    return {**about, "snapshot": snapshot, "change": change, "path": path}


def test_a_file_that_did_not_change_since_is_still_found() -> None:
    """With --since the first one that is told may be the same as one from before."""
    (line,) = drawn(one("aaaaaaaa", "same"), one("bbbbbbbb", "same"))
    assert "aaaaaaaa" in line
    assert "the same in 1 later snapshot" in line
    lines = drawn(one("aaaaaaaa", "first"), one("bbbbbbbb", "same"), one("bbbbbbbb", "same", "/etc/motd"))
    assert ["/etc/hosts" in lines[0], "/etc/motd" in lines[1], len(lines)] == [True, True, 2]
    assert "the same in 1 later snapshot" in lines[0]
