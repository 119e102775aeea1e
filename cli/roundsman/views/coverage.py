"""What no source saves, the worst first, and the lines that close the gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from ..backups.coverage import Gap
from ..words import counted, size
from .draw import table
from .plain import escape

_STYLES = {"gap": "bold red", "unknown": "magenta"}


def draw_coverage(console: Console, gaps: Sequence[Gap], counts: Mapping[str, int], hosts: int) -> None:
    if gaps:
        drawn = table("host", "status", "kind", "what", "size", "why", "next")
        for gap in gaps:
            drawn.add_row(
                escape(gap.host), f"[{_STYLES[gap.status]}]{gap.status}[/]", gap.kind, escape(gap.name),
                "" if gap.size_bytes is None else size(gap.size_bytes), escape(gap.reason),
                escape(gap.remedy or ("line below" if gap.fix else "")),
            )  # fmt: skip
        console.print(drawn)
        console.print()
    said = [f"{counts[status]} {status}" for status in ("covered", "ignored") if counts[status]]
    console.print(" · ".join([f"{counted(len(gaps), 'gap')} on {counted(hosts, 'host')}", *said]))
    for host in dict.fromkeys(gap.host for gap in gaps if gap.fix):
        console.print(f"\n[dim]# host_vars/{escape(host)}.yml[/]\nroundsman_backups:")
        for gap in gaps:
            if gap.host == host and gap.fix:
                console.print(f"  - {escape(gap.fix)}", soft_wrap=True)
