"""Draws what repositories hold, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ..times import moment, span
from ..words import size
from .draw import table
from .plain import escape

Row = Mapping[str, Any]


def _seconds(value: float | None) -> str:
    return span(value) if value is not None else ""


def _size(made: Row, key: str) -> str:
    return size(made[key]) if key in made else "?"


def _evidence(one: Row) -> str:
    if one["failed_level"]:
        return f"[bold red]failed at {one['failed_level']}[/]"
    if not one["complete"]:
        return "[bold red]incomplete[/]"
    return one["level"] or "none yet"


def _hold(hold: Row | None) -> str:
    if hold is None:
        return ""
    if hold["over"]:
        return f"[dim]over since {hold['until'][:10]}[/]"
    return f"until {hold['until'][:16]} by {escape(hold['by'])}: {escape(hold['why'])}"


def _hold_in_words(hold: Row) -> str:
    """The whole trail of a hold."""
    said = f"{hold['made_at'][:16]} by {hold['by']} until {hold['until'][:16]}: {hold['why']}"
    if hold["released_at"]:
        return f"{said}; released {hold['released_at'][:16]} by {hold['released_by']}: {hold['released_why']}"
    return f"{said}; over" if hold["over"] else said


def _kept_by(one: Row) -> str:
    """What of retention keeps it, besides a hold that is shown anyway."""
    if one["kept_by"] is None:
        return "?"
    others = [reason for reason in one["kept_by"] if not reason.startswith("on hold")]
    return ", ".join(others) or ("its hold" if one["kept_by"] else "[yellow]nothing[/]")


def draw_snapshots(console: Console, snapshots: Sequence[Row]) -> None:
    if not snapshots:
        console.print("no snapshot is known")
        return
    drawn = table(
        "host", "source", "snapshot", "made", "size", "new", "evidence", "verified", "restore", "tags", "kept by",
        "hold",
    )  # fmt: skip
    for one in snapshots:
        made = one["backup"] or {}
        drawn.add_row(
            escape(one["host"]), escape(one["source"]), one["id"][:8], one["time"][:19],
            _size(made, "total_bytes"), _size(made, "added_bytes"), _evidence(one), (one["verified_at"] or "")[:19],
            _seconds(one["restore_s"]), escape(", ".join(one["tags"] or [])), _kept_by(one), _hold(one["hold"]),
        )  # fmt: skip
    console.print(drawn)


def draw_snapshot(console: Console, one: Row, verifications: Sequence[Row], holds: Sequence[Row]) -> None:
    """One snapshot: what it is, what keeps it, and every time that somebody looked at it."""
    made = one["backup"] or {}
    engine = made.get("engine") or {}
    facts = {
        "snapshot": one["id"] + ("" if one["present"] else " (no longer in the repository)"),
        "source": f"{one['source']} of {one['host']}",
        "repository": one["repository"],
        "made": one["time"][:19] + "Z" + (f", in {span(made['duration_s'])}" if "duration_s" in made else ""),
        "size": f"{_size(made, 'total_bytes')}, {_size(made, 'added_bytes')} new",
        "engine": f"{engine.get('name', '?')} {engine.get('version', '')}",
        "manifest": one["manifest_sha256"] or "none",
        "tags": ", ".join(one["tags"] or []),
        "recovery point": recovery_point(one, verifications),
    }
    drawn = table("", "")
    for key, value in facts.items():
        drawn.add_row(key, escape(value))
    drawn.add_row("evidence", _evidence(one))
    drawn.add_row("kept by", _kept_by(one))
    for hold in holds:
        drawn.add_row("hold", escape(_hold_in_words(hold)))
    console.print(drawn)
    if not verifications:
        console.print("\nnobody has verified it yet")
        return
    console.print()
    looked = table("verified", "where", "wanted", "level", "outcome", "restore", "in all", "run", "what was found")
    for seen in verifications:
        looked.add_row(
            seen["time"][:19], escape(seen["where"]), seen["wanted"], seen["level"] or "none", seen["outcome"],
            _seconds(seen["restore_s"]), _seconds(seen["duration_s"]), seen["run_id"], escape(seen["message"]),
        )  # fmt: skip
    console.print(looked)


def recovery_point(one: Row, verifications: Sequence[Row]) -> str:
    """How old the newest data were when the snapshot was made, as far as a verification has told."""
    canary_at = next((seen["canary_at"] for seen in reversed(verifications) if seen["canary_at"]), None)
    if canary_at is None:
        return "not known: no canary"
    age_s = (moment(one["time"]) - moment(canary_at)).total_seconds()
    return f"{canary_at[:19]}Z" + (f", {span(age_s)} before the snapshot" if age_s >= 0 else "")
