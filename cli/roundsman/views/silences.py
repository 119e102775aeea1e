"""Silences and the alerts that they are about, in lines that a phone can show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from ..alerts.model import AlertState
from ..alerts.silencing import Silence, Standing
from ..times import span
from ..words import counted
from .draw import styled
from .plain import escape


def shown(silence: Silence, now: datetime) -> dict[str, Any]:
    """The silence as JSON, with its state at that time."""
    return silence.to_dict() | {"state": silence.standing(now)}


def draw_silence(console: Console, silence: Silence, now: datetime) -> None:
    console.print(f"[bold]{silence.id[:8]}[/] {_when(silence, now)}")
    for matcher in silence.matchers:
        console.print(f"  [cyan]{escape(str(matcher))}[/]")
    if silence.during:
        console.print(f"  only during {escape(', '.join(silence.during))}")
    if silence.alert:
        console.print(f"  or until alert {silence.alert} resolves")
    console.print(f"  {escape(silence.author)}: {escape(silence.comment)}")


def _when(silence: Silence, now: datetime) -> str:
    standing = silence.standing(now)
    if standing is Standing.EXPIRED:
        return f"[dim]expired {silence.ends_at:%b %d %H:%M}[/]"
    until = f"until {silence.ends_at:%b %d %H:%M}Z"
    if standing is Standing.PENDING:
        return f"pending, from {silence.starts_at:%b %d %H:%M}Z {until}"
    return f"{until} (in {span((silence.ends_at - now).total_seconds())})"


def draw_matched(console: Console, states: Sequence[AlertState]) -> None:
    """The open alerts that a silence is, or would be, about."""
    if not states:
        console.print("matches no open alert")
        return
    console.print(f"matches {counted(len(states), 'open alert')}:")
    for state in sorted(states, key=lambda one: (-one.severity.rank, one.host, one.check)):
        console.print(f"  {styled(state.status)} {escape(state.host)} {escape(state.check)}")
