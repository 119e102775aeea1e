"""Progress of a run on standard error: a live line per host that is at work on a terminal, plain lines otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from ..alerts.model import Status
from ..session import Progress
from ..words import counted
from .draw import STYLES
from .plain import escape
from .report import results_of

MAX_LINES = 12
Entry = Mapping[str, Any]


class PlainProgress(Progress):
    """One line per record, as it comes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def entries(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.get("host"):
                status, said = headline(entry)
                self._console.print(
                    f"{entry['time'][11:19]} {escape(entry['host'])}: [{STYLES[status]}]{escape(said)}[/]",
                    highlight=False, soft_wrap=True,
                )  # fmt: skip


class LiveProgress(Progress):
    """What each host is at, redrawn in place; records scroll by above it when they are not fine."""

    def __init__(self, console: Console) -> None:
        self._plain = PlainProgress(console)
        self._at_work: dict[str, str] = {}
        self._seen: set[str] = set()
        self._guard = threading.Lock()
        self._spinner = Spinner("dots")

    def event(self, event: Mapping[str, Any]) -> None:
        data = event.get("event_data", {})
        host = data.get("host")
        if not host:
            return
        with self._guard:
            if event["event"] == "runner_on_start":
                self._at_work[host] = str(data.get("task", ""))
            elif event["event"].startswith("runner_on_"):
                self._at_work.pop(host, None)

    def entries(self, entries: Sequence[Entry]) -> None:
        self._seen.update(entry["host"] for entry in entries if entry.get("host"))
        self._plain.entries([entry for entry in entries if entry.get("host") and headline(entry)[0] != "OK"])

    def __rich__(self) -> Group:
        with self._guard:
            busy = sorted(self._at_work.items())
        self._spinner.text = Text(f"{counted(len(busy), 'host')} at work, {len(self._seen)} heard from")
        lines = [
            Text(f"  {host}: {task}", style="dim", no_wrap=True, overflow="ellipsis") for host, task in busy[:MAX_LINES]
        ]
        more = [Text(f"  … and {len(busy) - MAX_LINES} more", style="dim")] if len(busy) > MAX_LINES else []
        return Group(self._spinner, *lines, *more)


@contextmanager
def showing(console: Console) -> Iterator[Progress]:
    """The progress that fits the console."""
    if not console.is_terminal:
        yield PlainProgress(console)
        return
    progress = LiveProgress(console)
    with Live(progress, console=console, refresh_per_second=8, transient=True):
        yield progress


def headline(entry: Entry) -> tuple[str, str]:
    """The worst that an entry says, in one line."""
    bad = [result for result in results_of(entry) if result.status is not Status.OK]
    if not bad:
        return "OK", _good(entry)
    worst = max(bad, key=lambda result: result.status.rank)
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return str(worst.status), f"{worst.status} {' '.join(worst.message.split())}{more}"


def _good(entry: Entry) -> str:
    data = entry.get("data") or {}
    if "maintenance" in data:
        return f"{data['maintenance']['procedure']} {data['maintenance']['status']}"
    if entry["kind"] == "maintenance_begun":
        return f"{data['lease']['procedure']} begins"
    return f"{entry['kind']} of {entry['item']} ok" if entry.get("item") else f"{entry['kind']} ok"
