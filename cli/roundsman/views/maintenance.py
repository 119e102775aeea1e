"""Draws what procedures did to hosts, or would do: a line for each procedure, and what it did in detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from ..times import span
from ..words import size
from .draw import PHONE_WIDTH, table
from .plain import escape
from .report import Report

Record = Mapping[str, Any]
_STYLES = {
    "completed": "green", "completed-with-warnings": "yellow", "rolled-back": "yellow", "skipped": "magenta",
    "failed": "bold red", "planned": "cyan",
}  # fmt: skip
# As many of a host as fit on a screen beside others; with details all.
MOST_ACTIONS = 20


def draw_maintenance(console: Console, report: Report, *, details: bool = False) -> None:
    planned = bool(report.run["check_mode"])
    found = [(host.host, record) for host in report.hosts for record in host.maintenance]
    if not found:
        return
    drawn = table("host", "procedure", "status", "freed", "took", "what")
    for host, record in sorted(found, key=lambda one: (one[0], one[1]["procedure"])):
        status = "planned" if planned and record["status"].startswith("completed") else record["status"]
        shown = f"[{_STYLES[status]}]{status}[/]"
        freed = size(record["reclaimed_bytes"]) if record["reclaimed_bytes"] is not None else ""
        what = record["message"].removeprefix(f"{record['procedure']} of {host}").lstrip(" :")
        took = span(record["duration_s"])
        if console.width < PHONE_WIDTH:
            console.print(f"{escape(host)} {escape(record['procedure'])} {shown} {freed} [dim]{took}[/]")
            console.print(f"  {escape(what)}")
        else:
            drawn.add_row(escape(host), escape(record["procedure"]), shown, freed, took, escape(what))
    if drawn.row_count:
        console.print(drawn)
    for host, record in found:
        if planned or details or record["status"] not in ("completed", "skipped"):
            _draw_account(console, host, record, None if details else MOST_ACTIONS)
    console.print()


def _draw_account(console: Console, host: str, record: Record, most: int | None) -> None:
    """What was done, to the point where it ended; what an earlier run that died had done comes first."""
    lines = [*_before(record), *map(_line, record["actions"])]
    if not lines and not record["warnings"]:
        return
    console.print(f"[bold]{escape(host)} {escape(record['procedure'])}[/]")
    for line in lines[:most]:
        console.print(f"  {escape(line)}", soft_wrap=True)
    if most is not None and len(lines) > most:
        console.print(f"  [dim]and {len(lines) - most} more, with --verbose[/]")
    for warning in record["warnings"]:
        console.print(f"  [yellow]{escape(warning)}[/]", soft_wrap=True)


def _before(record: Record) -> Iterator[str]:
    for step in record["previous"]:
        yield f"by a run that died: {step['message']}"
        yield from (f"  {_line(action)}" for action in step["actions"])


def _line(action: Record) -> str:
    freed = f" ({size(action['size_bytes'])})" if action["size_bytes"] is not None else ""
    detail = f": {action['detail']}" if action["detail"] else ""
    outcome = "" if action["outcome"] in ("done", "planned") else f" [{action['outcome']}]"
    return f"{action['action']} {action['target']}{freed}{detail}{outcome}"
