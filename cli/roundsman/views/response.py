"""Draws who is told next of an alert, and how long people took to answer alerts, narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console

from ..alerts.escalation import Escalation, Policy
from ..alerts.figures import Figures, Statistics
from ..times import span
from ..words import counted
from .draw import styled, table
from .plain import escape

# As many as a person reads.
MOST = 10


def draw_escalation(console: Console, receiver: str, escalation: Escalation, policy: Policy | None) -> None:
    """What will happen next, while nobody does anything."""
    known = f"escalation of {escape(receiver)}: {escape(', '.join(escalation.told)) or 'nobody'} told"
    if policy is None or escalation.due_at is None or escalation.position >= policy.length:
        console.print(f"{known}, nobody is next")
        return
    due = f"{escalation.due_at.astimezone(UTC):%b %d %H:%M}"
    names = escape(", ".join(policy.step(escalation.position).notify))
    if escalation.paused:
        console.print(f"{known}, {names} again when the acknowledgement ends at {due}")
    elif escalation.held:
        console.print(f"{known}, held; {names} when it is held no more")
    else:
        console.print(f"{known}, {names} next at {due}")


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
