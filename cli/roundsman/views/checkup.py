"""What `roundsman doctor` found, as a value and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from ..doctor import Finding, HostReport, Status, worst
from ..exits import ExitCode
from ..words import counted
from .draw import table
from .plain import escape

STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red", Status.SKIPPED: "dim"}


@dataclass(frozen=True)
class Checkup:
    controller: Sequence[Finding]
    hosts: Sequence[HostReport]
    exit_code: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "controller": [finding.to_dict() for finding in self.controller],
            "hosts": [report.to_dict() for report in self.hosts],
            "exit_code": self.exit_code,
        }


def failed_setup(rung: str, message: str, remedy: str) -> Finding:
    return Finding(rung, Status.FAILED, message, remedy)


def checkup(controller: Sequence[Finding], hosts: Sequence[HostReport]) -> Checkup:
    """Faults of this machine are usage errors (nothing can run); those of hosts make hosts unreachable."""
    here = worst(list(controller))
    there = {report.status for report in hosts}
    if here is Status.FAILED:
        code = ExitCode.USAGE
    elif Status.FAILED in there:
        code = ExitCode.UNREACHABLE
    elif Status.WARNING in there or here is Status.WARNING:
        code = ExitCode.WARNINGS
    else:
        code = ExitCode.FINE
    return Checkup(controller, hosts, code)


def draw_checkup(console: Console, found: Checkup, *, details: bool) -> None:
    drawn = table("host", "status", "what", "next")
    for name, findings in [("(here)", found.controller), *((report.host, report.findings) for report in found.hosts)]:
        shown = [one for one in findings if details or one.status in (Status.FAILED, Status.WARNING)]
        label = name
        for one in shown:
            style = STYLES[one.status]
            what = escape(f"{one.rung}: {one.message}")
            drawn.add_row(escape(label), f"[{style}]{one.status.value}[/]", what, escape(one.remedy or ""))
            label = ""
    if drawn.row_count:
        console.print(drawn)
        console.print()
    well = sum(report.status in (Status.OK, Status.SKIPPED) for report in found.hosts)
    console.print(f"{well} of {counted(len(found.hosts), 'host')} can be worked on")
