"""Draws where the checks of hosts come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from .draw import table
from .plain import escape

Row = Mapping[str, Any]


def draw_explanation(console: Console, explained: Sequence[Row]) -> None:
    for one in explained:
        drawn = table("check", "key", "value", "from", "instead of")
        for check in one["checks"]:
            off = "" if check["enabled"] else " [yellow](switched off)[/]"
            drawn.add_row(
                f"[bold]{escape(check['id'])}[/]", "type", escape(check["type"]) + off, escape(_origin(check)), ""
            )
            for row in check["keys"]:
                drawn.add_row("", escape(row["key"]), escape(_text(row["value"])), escape(_origin(row)), _before(row))
        console.print(f"[bold]{escape(one['host'])}[/]")
        console.print(drawn)
        for fault in one["faults"]:
            console.print(f"[bold red]![/] {escape(fault)}", soft_wrap=True)


def _before(row: Row) -> str:
    return escape("; ".join(f"{_text(one['value'])} ({_origin(one)})" for one in row["overrode"]))


def _origin(row: Row) -> str:
    """Files as seen from here, when they are below."""
    if not row["place"]:
        return str(row["layer"])
    here = f"{Path.cwd()}/"
    return f"{row['layer']}, {str(row['place']).removeprefix(here)}"


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{name}: {_text(one)}" for name, one in value.items())
    return str(value)
