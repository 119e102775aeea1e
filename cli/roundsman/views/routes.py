"""The way of an alert through the tree of routes, drawn and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding

from ..alerts.intervals import Intervals
from ..alerts.matchers import Labels, text_of
from ..alerts.routing import Route, Step, Verdict
from ..times import span, stamp
from .plain import escape

_MARKS = {
    Verdict.NOTIFIES: "[bold green]->[/]",
    Verdict.DESCENDS: "[green]v[/]",
    Verdict.REFUSED: "[dim]x[/]",
    Verdict.NOT_TRIED: "[dim].[/]",
}


def shown(
    steps: Sequence[Step], labels: Labels, at: datetime, intervals: Intervals, notes: Sequence[str]
) -> dict[str, Any]:
    """What `alerts route --json` prints."""
    return {
        "labels": dict(labels),
        "at": stamp(at),
        "receivers": _receivers(steps),
        "routes": [_route(step, labels, at, intervals) for step in steps],
        "notes": list(notes),
    }


def _route(step: Step, labels: Labels, at: datetime, intervals: Intervals) -> dict[str, Any]:
    route = step.route
    told = {
        "key": route.key,
        "depth": step.depth,
        "matchers": text_of(route.matchers),
        "receiver": route.receiver,
        "verdict": step.verdict,
        "why": step.why,
    }
    if step.verdict is Verdict.NOTIFIES:
        told |= {
            "group_key": route.group_key(labels),
            "group_labels": route.group_labels(labels),
            "group_wait_s": route.group_wait.total_seconds(),
            "group_interval_s": route.group_interval.total_seconds(),
            "repeat_interval_s": route.repeat_interval.total_seconds(),
            "muted_by": list(route.muted(at, intervals)),
        }
    return told


def _receivers(steps: Sequence[Step]) -> list[str]:
    return [step.route.receiver for step in steps if step.verdict is Verdict.NOTIFIES]


def draw_steps(
    console: Console, steps: Sequence[Step], labels: Labels, at: datetime, intervals: Intervals, notes: Sequence[str]
) -> None:
    for note in notes:
        console.print(f"[dim]{escape(note)}[/]")
    for step in steps:
        mark = _MARKS[step.verdict]
        name = escape(text_of(step.route.matchers)) if step.depth else "the root"
        _indented(console, f"{mark} {name}: {step.verdict.replace('_', ' ')}", step.depth)
        if step.verdict in (Verdict.REFUSED, Verdict.NOTIFIES):
            _indented(console, f"[dim]{escape(step.why)}[/]", step.depth + 1)
        if step.verdict is Verdict.NOTIFIES:
            for line in _told(step.route, labels, at, intervals):
                _indented(console, line, step.depth + 1)
    console.print(f"receivers: [bold]{escape(', '.join(_receivers(steps)))}[/]")


def _indented(console: Console, text: str, depth: int) -> None:
    console.print(Padding(text, (0, 0, 0, 2 * depth)))


def _told(route: Route, labels: Labels, at: datetime, intervals: Intervals) -> list[str]:
    group = ", ".join(f"{name}={value}" for name, value in route.group_labels(labels).items())
    wait, interval, repeat = (
        span(one.total_seconds()) for one in (route.group_wait, route.group_interval, route.repeat_interval)
    )
    lines = [
        f"receiver [bold]{escape(route.receiver)}[/]",
        f"in one message with others of {escape(group)}" if group else "in one message with all others of this route",
        f"after {wait}, news every {interval}, again every {repeat}",
    ]
    if muting := route.muted(at, intervals):
        why = "muted by" if set(muting) <= set(route.mute_time_intervals) else "outside of its active time"
        lines.append(f"[yellow]not at {at:%Y-%m-%d %H:%M %Z}: {why} {escape(', '.join(muting))}[/]")
    return lines
