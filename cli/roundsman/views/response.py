"""Draws how long people took to answer alerts, narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.markup import escape

from ..alerts.figures import Figures, Statistics
from ..times import span
from ..words import counted
from .draw import styled, table

# As many as a person reads.
MOST = 10


def draw_statistics(console: Console, found: Statistics, now: datetime) -> None:
    if not found.total.count:
        console.print("no alerts in that time")
        return
    drawn = table("alerts", "", "acknowledged", "resolved")
    for name, one in _groups(found):
        drawn.add_row(
            escape(name),
            str(one.count),
            _times(one.acknowledged, one.count, one.acknowledge_median_s, one.acknowledge_p90_s),
            _times(one.resolved, one.count, one.resolve_median_s, one.resolve_p90_s),
        )
    console.print(drawn)
    console.print("[dim]median, and the time within which nine of ten were[/]")
    if found.never_acknowledged:
        console.print(f"\n{counted(len(found.never_acknowledged), 'alert')} never acknowledged, the longest open first")
        for episode in found.never_acknowledged[:MOST]:
            was = "" if episode.resolved_at is None else "was "
            open_for = span(((episode.resolved_at or now) - episode.opened_at).total_seconds())
            what = f"{escape(episode.host)}, {escape(episode.check)}"
            console.print(f"{styled(episode.severity)} {what}: {was}open for {open_for}")


def _groups(found: Statistics) -> Iterator[tuple[str, Figures]]:
    yield "all", found.total
    yield from found.by_severity.items()
    yield from ((f"to {name}", one) for name, one in found.by_receiver.items())
    yield from ((f"by {name}", one) for name, one in found.by_assignee.items())


def _times(done: int, count: int, median_s: float | None, p90_s: float | None) -> str:
    if median_s is None or p90_s is None:
        return "none"
    of_all = "" if done == count else f"{done}: "
    return f"{of_all}{span(median_s)}, {span(p90_s)}"
