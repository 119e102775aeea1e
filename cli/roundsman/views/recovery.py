"""Draws what a restore would do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console

from ..backups.recovery import Plan, told
from .plain import escape


def draw_plans(console: Console, plans: Sequence[Plan], now: datetime, *, delete: bool, safety: bool) -> None:
    for one in plans:
        for what, words in told(one, now, delete=delete, safety=safety):
            # Whole lines: a path that is folded cannot be searched for.
            console.print(f"[bold]{what:<11}[/]{escape(words)}", soft_wrap=True)
        console.print()
