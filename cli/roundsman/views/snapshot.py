"""One snapshot with all its evidence, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..times import moment, span
from ..words import size
from .draw import table

Row = Mapping[str, Any]


def draw_snapshot(console: Console, snapshot: Row, evidence: Sequence[Row]) -> None:
    """What it holds, then every look at it, newest first."""
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(snapshot, evidence):
        facts.add_row(f"[bold]{name}[/]", escape(value))
    console.print(facts)
    if not evidence:
        console.print(f"nobody has verified it yet: roundsman backup verify --limit {snapshot['host']}", soft_wrap=True)
        return
    drawn = table("looked at", "from", "wanted", "found", "restore", "drill", "run")
    for one in evidence:
        found = one["level"] or "nothing"
        if one["outcome"] != "ok":
            found = f"[bold red]{one['outcome']} at {one['failed_level']}[/] ({one['reason']}), {found} held"
        took = [span(one[key]) if one[key] is not None else "" for key in ("restore_s", "drill_s")]
        drawn.add_row(one["at"][:19], escape(one["place"]), one["wanted"], found, *took, one["run_id"])
    console.print(drawn)


def _facts(snapshot: Row, evidence: Sequence[Row]) -> Iterator[tuple[str, str]]:
    made: Row = snapshot["backup"] or {}
    yield "snapshot", snapshot["id"]
    yield "source", f"{snapshot['source']} of {snapshot['host']}" + (f" ({made['type']})" if made else "")
    yield "repository", snapshot["repository"] + ("" if snapshot["present"] else " (removed from it)")
    how = f" in {span(made['duration_s'])}, {made['backup_type']}" if made else ""
    yield "made", f"{snapshot['time'][:19]}Z{how}"
    if made:
        yield "holds", f"{size(made['total_bytes'])} in {made['files']} files, {size(made['added_bytes'])} new"
    canary_at = made.get("canary_at") or next((one["canary_at"] for one in evidence if one["canary_at"]), None)
    if canary_at:
        age = (moment(snapshot["time"]) - moment(canary_at)).total_seconds()
        yield "newest data", f"{canary_at[:19]}Z, {span(max(0.0, age))} before the snapshot"
    yield "manifest", snapshot["manifest_sha256"] or "unknown"
    said = f"FAILED at {snapshot['failed_level']}" if snapshot["failed_level"] else snapshot["level"] or "none yet"
    yield "evidence", said + (f", seen {snapshot['verified_at'][:19]}Z" if snapshot["verified_at"] else "")
    if not snapshot["complete"]:
        yield "incomplete", "files could not be read; it does not count"
