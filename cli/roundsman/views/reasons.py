"""Draws why somebody is, or is not, told of an alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ..alerts.model import AlertState
from ..alerts.reasons import Reasons, Standing
from .draw import styled, table
from .plain import escape

Row = Mapping[str, Any]


def shown(reasons: Reasons) -> dict[str, Any]:
    """Plain JSON values, as docs/json.md has them."""
    return {
        "labels": dict(reasons.labels),
        "priority": reasons.labels["priority"],
        "priority_rule": str(reasons.priority),
        "receivers": [
            {
                "receiver": one.receiver,
                "route": one.route,
                "group": dict(one.group),
                "held": one.held,
                "told": str(one.told.status) if one.told else None,
                "told_at": one.told.at.isoformat() if one.told else None,
                "missed": one.told is not None and one.told.missed,
                "next_look": one.next_look.isoformat() if one.next_look else None,
            }
            for one in reasons.standings
        ],
    }


def draw_reasons(console: Console, state: AlertState, reasons: Reasons, timeline: Sequence[Row]) -> None:
    console.print(f"{styled(state.status)} {escape(state.host)} {escape(state.check)}, {state.phase}")
    console.print(f"{reasons.labels['priority']}, because {escape(str(reasons.priority))}", soft_wrap=True)
    labels = ", ".join(f"{name}={value}" for name, value in sorted(reasons.labels.items()))
    console.print(f"[dim]{escape(labels)}[/]", soft_wrap=True)
    drawn = table("receiver", "knows of", "is told", "next look")
    for one in reasons.standings:
        drawn.add_row(escape(one.receiver), _knows(one), escape(_is_told(state, one)), _next(one))
    console.print(drawn if reasons.standings else "nobody is told: it is resolved, and everybody who was told knows")
    history = table("when", "what happened", "")
    for row in timeline:
        history.add_row(row["at"][:19], escape(row["reason"]), escape(row["text"]))
    console.print(history)


def _knows(one: Standing) -> str:
    if one.told is None:
        return "nothing"
    return f"{one.told.status}, since {one.told.at:%b %d %H:%M}" + (" (withdrawn)" if one.told.missed else "")


def _is_told(state: AlertState, one: Standing) -> str:
    if not state.is_open:
        return "of the end, at the next look"
    return f"no: {one.held}" if one.held else "yes"


def _next(one: Standing) -> str:
    return f"{one.next_look:%b %d %H:%M:%S}" if one.next_look else "at the next tick"
