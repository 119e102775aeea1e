"""The page of one host: what is amiss first, then each area with values, limits and how they went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from ..page import HostPage, Line
from ..times import span
from ..words import counted, size
from .draw import draw_recommendations, styled
from .plain import escape
from .spark import sparkline

PARTS = {
    "services": ("services",),
    "resources": ("resources",),
    "performance": ("api", "throughput", "queues"),
    "errors": ("errors",),
}
WIDE = 120
TREND = {False: 16, True: 40}
_RANK = {"CRITICAL": 0, "UNKNOWN": 1, "WARNING": 2, "OK": 3}


def draw_host_page(console: Console, page: HostPage) -> None:
    wide = console.width >= WIDE
    amiss = sum(line.result["status"] != "OK" for line in page.lines) + len(page.problems)
    said = f"{amiss} of {counted(len(page.lines) + len(page.problems), 'check')} amiss" if amiss else "all is well"
    looked_at = page.at[:16].replace("T", " ")
    console.print(f"[bold]{escape(page.host)}[/]  {styled(page.status)}  {said}  [dim]{looked_at} UTC[/]")
    for problem in page.problems:
        console.print(f"{styled(problem.status)}  {escape(problem.check)}: {escape(problem.message)}")
    if not page.lines:
        console.print("[dim]no check of this host is known; `roundsman health` looks[/]")
    longest = max((len(line.result["id"]) for line in page.lines), default=0)
    for title, lines in _parts(page):
        console.print(f"\n[bold]{title}[/]")
        drawn = _table(wide, longest)
        for line in sorted(lines, key=lambda line: (_RANK[line.result["status"]], line.result["id"])):
            drawn.add_row(*_row(console, line, wide))
        console.print(drawn)
    if page.recommendations:
        console.print()
        draw_recommendations(console, page.recommendations)


def _parts(page: HostPage) -> Iterator[tuple[str, list[Line]]]:
    known = {area for areas in PARTS.values() for area in areas}
    for title, areas in {**PARTS, "others": ()}.items():
        lines = [
            line
            for line in page.lines
            if (area := line.result.get("area")) in areas or (title == "others" and area not in known)
        ]
        if lines:
            yield title, lines


def _table(wide: bool, longest: int) -> Table:
    drawn = Table(box=None, pad_edge=False, show_edge=False, show_header=False, padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True, width=8)
    # The same in every part, so that the eye goes straight down.
    drawn.add_column(overflow="fold", width=min(longest, 28 if wide else 18))
    drawn.add_column(overflow="fold", width=70 if wide else None)
    for _aside in range(3 if wide else 0):
        drawn.add_column(no_wrap=True, style="dim")
    return drawn


def _row(console: Console, line: Line, wide: bool) -> list[str]:
    result = line.result
    notes = [*line.words, *([result["remedy"]] if result.get("remedy") else [])]
    what = escape(result["message"]) + "".join(f"\n[yellow]{escape(note)}[/]" for note in notes)
    aside = [escape(part) for part in (*_trend(console, line, wide), _limits(result))]
    row = [styled(result["status"]), escape(result["id"])]
    if wide:
        return [*row, what, *aside]
    below = "  ".join(filter(None, aside))
    return [*row, what + (f"\n[dim]{below}[/]" if below else "")]


def _trend(console: Console, line: Line, wide: bool) -> tuple[str, str]:
    """How it went, and between what, where there is more than the one value that the message says."""
    if len(line.points) < 2:
        return "", ""
    plain = not (console.encoding or "").lower().startswith("utf")
    values = [value for _at, value in line.points]
    low, high = (_value(end, line.result["unit"]) for end in (min(values), max(values)))
    length = span((line.points[-1][0] - line.points[0][0]).total_seconds())
    drawn = sparkline(line.points, min(TREND[wide], len(line.points)), plain=plain)
    return drawn, f"{low if low == high else f'{low} to {high}'} in {length}"


def _limits(result: Mapping[str, Any]) -> str:
    return escape(" ".join(f"{key} {result[key]}" for key in ("warn", "crit") if result.get(key)))


def _value(value: float, unit: str) -> str:
    match unit:
        case "B":
            return size(value)
        case "s":
            return span(value) if value >= 10 else f"{value:.3g} s"
        case "%":
            return f"{value:.3g} %"
    return f"{value:.4g}{' ' if unit[:1].isalpha() else ''}{unit}"


