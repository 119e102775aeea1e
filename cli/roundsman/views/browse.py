"""Draws what was found in snapshots, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ..words import counted, size
from .draw import table
from .plain import escape

Row = Mapping[str, Any]
SIGNS = {"added": "[green]+[/]", "removed": "[red]-[/]", "changed": "[yellow]M[/]"}


def draw_found(console: Console, found: Sequence[Row]) -> None:
    """A line for each change of a file: snapshots that hold the same as the one before are counted only."""
    if not found:
        console.print("nothing of that name is in any snapshot")
        return
    drawn = table("source", "path", "snapshot", "made", "size", "modified", "")
    shown = None
    for number, one in enumerate(found):
        # The first one that is told may be the same as one from before --since.
        before, shown = shown, (one["source"], one["path"])
        if one["change"] == "same" and before == shown:
            continue
        following = 0
        for later in found[number + 1 :]:
            if later["change"] != "same" or (later["source"], later["path"]) != shown:
                break
            following += 1
        also = f"the same in {counted(following, 'later snapshot')}" if following else ""
        if not one["complete"]:
            also = f"in an incomplete snapshot; {also}".rstrip("; ")
        drawn.add_row(
            escape(one["source"] or ""), escape(one["path"]), one["snapshot"][:8], one["time"][:19],
            size(one["size_bytes"]) if one["type"] == "file" else one["type"], one["mtime"][:19], also,
        )  # fmt: skip
    console.print(drawn)


def draw_diff(console: Console, found: Row) -> None:
    after = "now" if found["after"] == "live" else found["after"][:8]
    console.print(f"{escape(found['source'])}: from {found['before'][:8]} to {after}")
    for one in found["differences"]:
        what = f"  ({', '.join(one['what'])})" if one["change"] == "changed" else ""
        console.print(f"{SIGNS[one['change']]} {escape(one['path'])}{what}", soft_wrap=True)
    total = found["added"] + found["removed"] + found["changed"]
    left = total - len(found["differences"])
    console.print(
        f"{found['added']} added, {found['removed']} removed, {found['changed']} changed"
        + (f"; {left} of them are not listed" if left else "")
    )
