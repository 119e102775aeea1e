"""Draws who is on call, narrow enough for a phone; times are those of the schedule's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console

from ..alerts.oncall import Shift
from ..oncall import Duty
from .draw import table
from .plain import escape

_NOBODY = "[bold red]nobody[/]"


def draw_now(console: Console, duty: Duty, known: Mapping[str, Sequence[Shift]]) -> None:
    if not known:
        console.print("there are no schedules in roundsman.yml (alerts.schedules)")
        return
    drawn = table("schedule", "on call", "until", "then")
    for name, (shift, *following) in known.items():
        then = _people(following[0]) if following else ""
        until = _at(shift.end, duty.zone(name)) if following else ""
        drawn.add_row(escape(name), _people(shift), until, then)
    console.print(drawn)


def draw_next(console: Console, known: Mapping[str, Sequence[Shift]], zones: Mapping[str, ZoneInfo]) -> None:
    for name, shifts in known.items():
        drawn = table("from", "until", escape(name))
        for shift in shifts:
            drawn.add_row(_at(shift.start, zones[name]), _at(shift.end, zones[name]), _people(shift))
        console.print(drawn)
        console.print(f"[dim]{zones[name]}[/]\n")


def draw_warnings(console: Console, warnings: Sequence[str]) -> None:
    for warning in warnings:
        console.print(f"[yellow]WARNING[/] {escape(warning)}")


def draw_overrides(console: Console, duty: Duty) -> None:
    if not duty.overrides:
        console.print("no overrides")
        return
    drawn = table("id", "schedule", "on call", "from", "until", "why")
    for number, one in duty.overrides.items():
        zone = duty.zone(one.schedule) if one.schedule in duty.schedules else ZoneInfo("UTC")
        why = f"{one.why} ({one.by})"
        start, end = _at(one.start, zone), _at(one.end, zone)
        drawn.add_row(str(number), escape(one.schedule), escape(one.person), start, end, escape(why))
    console.print(drawn)


def _people(shift: Shift) -> str:
    return escape(", ".join(shift.people)) or _NOBODY


def _at(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %b %d %H:%M}"
