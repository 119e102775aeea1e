"""Draws reports on a terminal: worst first, one line per host, the next command beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ..alerts.acknowledgement import end_of
from ..alerts.model import AlertState
from ..alerts.names import REACHABLE
from ..times import moment, span
from ..words import counted, size
from .plain import escape
from .report import UNREACHABLE, HostReport, Problem, Report

Row = Mapping[str, Any]
# As many as a person does before looking again.
MOST_URGENT = 5
STYLES = {"OK": "green", "WARNING": "yellow", "CRITICAL": "bold red", "UNKNOWN": "magenta", UNREACHABLE: "bold red"}

# Below this a table of six columns is a column of syllables.
PHONE_WIDTH = 80


def styled(status: str) -> str:
    return f"[{STYLES.get(status, 'default')}]{status}[/]"


def table(*headings: str) -> Table:
    drawn = Table(box=None, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        drawn.add_column(heading, overflow="fold", no_wrap=heading in ("host", "status", "since", "id"))
    return drawn


def draw_report(console: Console, report: Report, *, details: bool = False) -> None:
    """A line for each host that is not well and one summary line; with `details` every problem and what is well."""
    if report.run["status"] == "refused":
        console.print(escape(report.run["message"]))
        return
    if report.run["check_mode"]:
        console.print("[dim]check mode: nothing was changed, and no alert follows from this run[/]")
        details = not any(host.maintenance for host in report.hosts)
    details = details or any(host.restores for host in report.hosts)
    shown = [host for host in report.hosts if details or host.status != "OK"]
    if shown:
        drawn = table("host", "status", "since", "what", "next")
        for host in shown:
            _host_rows(drawn, host, details)
        console.print(drawn)
        console.print()
    console.print(summary_line(report))
    if report.run["message"]:
        console.print(f"[bold]{escape(report.run['status'])}[/]: {escape(report.run['message'])}")
    shown_first = report.recommendations[: None if details else MOST_URGENT]
    if shown_first:
        console.print()
        draw_recommendations(console, [(one.text, one.command) for one in shown_first])
    if more := len(report.recommendations) - len(shown_first):
        console.print(f"[dim]and {more} more, with --verbose[/]")


def draw_recommendations(console: Console, advised: Iterable[tuple[str, str]]) -> None:
    """(why, the command): commands are never folded, for a person pastes them."""
    console.print("[bold]recommendations[/]")
    for number, (why, command) in enumerate(advised, start=1):
        console.print(f"{number}. {escape(why)}")
        console.print(f"   [cyan]{escape(command)}[/]", soft_wrap=True)


def _host_rows(drawn: Table, host: HostReport, details: bool) -> None:
    """One line for the host, of its worst problem; with details a line for everything that is known of it."""
    shown = host.problems if details else host.problems[:1]
    rows = [(_status(one), one.since, _what(one.check, one.message) + _soft(one), one.next_step) for one in shown]
    if details:
        well = [check for check in host.checks if check["status"] == "OK"]
        rows += [("OK", None, _what(check["id"], check["message"]), None) for check in well]
        rows += [("OK", None, text, None) for text in _good_backups(host)]
    elif others := host.problems[1:]:
        status, since, what, next_step = rows[0]
        also = ", ".join(f"{one.check} {_status(one)}" for one in others)
        rows = [(status, since, f"{what}; also {also}", next_step)]
    name = host.host
    for status, since, what, next_step in rows or [(host.status, None, "", None)]:
        drawn.add_row(escape(name), styled(status), since_when(since), escape(what), escape(next_step or ""))
        name = ""


def _soft(problem: Problem) -> str:
    return f" ({problem.attempt}, no alert yet)" if problem.attempt else ""


def _status(problem: Problem) -> str:
    return UNREACHABLE if problem.check == REACHABLE else problem.status


def since_when(opened_at: str | None) -> str:
    """The day and the minute, in UTC like everything that is recorded."""
    return f"{moment(opened_at):%b %d %H:%M}" if opened_at else ""


def _what(check: str, message: str) -> str:
    """The check's name in front, unless the message already begins with what it is about."""
    message = " ".join(message.split())
    return message if check == "reachable" or ":" in check or message.startswith(check) else f"{check}: {message}"


def _good_backups(host: HostReport) -> list[str]:
    made = [
        f"backup of {one['source']}: {counted(one['files'], 'file')}, {size(one['total_bytes'])}, "
        f"{size(one['added_bytes'])} new, {span(one['duration_s'])}, snapshot {one['snapshot'][:8]}"
        for one in host.backups
        if one.get("snapshot") and not one.get("reason")
    ]
    proven = [
        f"{one['source']}, snapshot {one['snapshot'][:8]}: {one['level']}, {one['entries']} entries equal the manifest"
        + (f", restored in {span(one['restore_s'])}" if one.get("restore_s") is not None else "")
        for one in host.verifications
        if one["outcome"] == "ok"
    ]
    planned = [
        f"backup of {one['source']}: would save {counted(one['files'], 'file')}, {size(one['total_bytes'])}"
        for one in host.backups
        if not one.get("snapshot") and not one.get("reason") and not one.get("due_at")
    ]
    planned += [
        f"backup of {one['source']}: not due until {one['due_at'][:19]}Z" for one in host.backups if one.get("due_at")
    ]
    done = [one for one in host.restores if one.get("snapshot") and not one.get("reason") and not one["mismatch_count"]]
    return made + planned + proven + [_restored(one) for one in done]


def _restored(restore: Row) -> str:
    snapshot = f"snapshot {restore['snapshot'][:8]}, made {restore['time'][:19]}Z"
    target = restore["target"] or "place"
    if not restore["entries"]:
        return f"restore of {restore['source']}: {snapshot}, would be restored into {target}"
    entries = counted(restore["entries"], "entry")
    done = "".join(f"; {one}" for one in restore.get("done", ()))
    return f"restore of {restore['source']}: {entries} of {snapshot}, are in {target} and equal the manifest{done}"


def summary_line(report: Report) -> str:
    one = report.summary
    parts = [f"{one.hosts_ok} of {counted(one.hosts, 'host')} OK"]
    if one.backups_made or one.backups_failed:
        failed = f", {one.backups_failed} failed" if one.backups_failed else ""
        parts.append(f"{counted(one.backups_made, 'backup')} made{failed}")
    if one.snapshots_restored or one.verifications_failed:
        restored = f"{one.snapshots_restored} restored and compared"
        if one.restore_median_s is not None:
            restored += f", median restore {span(one.restore_median_s)}"
        parts.append(restored)
    parts.append(f"{counted(one.alerts_open, 'alert')} open")
    if one.notifications_sent or one.notifications_waiting:
        waiting = f", {one.notifications_waiting} waiting" if one.notifications_waiting else ""
        parts.append(f"{counted(one.notifications_sent, 'message')} sent{waiting}")
    return " · ".join([*parts, f"run {report.run['id']}"])


def draw_alerts(console: Console, states: Sequence[AlertState], waiting: Sequence[Row]) -> None:
    drawn = table("id", "status", "host", "what", "since", "state")
    for state in states:
        what, since = escape(_what(state.check, state.summary)), f"{state.opened_at:%b %d %H:%M}"
        if console.width < PHONE_WIDTH:
            console.print(f"{styled(state.status)} {escape(state.host)} [dim]{state.fingerprint}[/]")
            console.print(f"  {what}\n  [dim]since {since}, {escape(_standing(state))}[/]")
        else:
            drawn.add_row(
                state.fingerprint, styled(state.status), escape(state.host), what, since, escape(_standing(state))
            )
    if drawn.row_count:
        console.print(drawn)
    elif not states:
        console.print("no open alerts")
    for row in waiting:
        when = f"next attempt {row['due_at'][:19]}Z" if row["status"] == "pending" else "given up"
        said = f" ({row['detail']})" if row["detail"] else ""
        console.print(f"not delivered: {escape(row['channel'])}, {row['attempts']} attempts{escape(said)}, {when}")


def _standing(state: AlertState) -> str:
    until = end_of(state)
    by = f" by {state.acknowledged_by} until {until:%b %d %H:%M}" if until else ""
    return state.phase + by + (f", assigned to {state.assigned_to}" if state.assigned_to else "")


def draw_alert(console: Console, state: AlertState, timeline: Sequence[Row], deliveries: Sequence[Row]) -> None:
    console.print(f"{styled(state.status)} {escape(state.host)} {escape(_what(state.check, state.summary))}")
    opened = f"{state.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    if state.assigned_to:
        console.print(f"assigned to {escape(state.assigned_to)}")
    console.print(f"[dim]{state.fingerprint}, {state.phase}, opened {opened}, run {state.run}[/]")
    facts = table("evidence", "")
    for key, value in state.evidence.items():
        if value not in (None, "", [], {}):
            facts.add_row(escape(key), escape(str(value)))
    if facts.row_count:
        console.print(facts)
    history = table("when", "what happened", "")
    moments = [(row["at"], row["reason"], row["text"]) for row in timeline]
    moments += [
        (row["at"], "delivered" if row["ok"] else "not delivered", f"{row['channel']} {row['detail']}".strip())
        for row in deliveries
    ]
    for at, what, text in sorted(moments, key=lambda moment: moment[0]):
        history.add_row(at[:19], escape(what), escape(text))
    console.print(history)


def draw_runs(console: Console, runs: Sequence[Row]) -> None:
    drawn = table("id", "status", "hosts", "started", "took", "command")
    for run in runs:
        end = run["finished_at"]
        took = span((moment(end) - moment(run["started_at"])).total_seconds()) if end else ""
        style = {"finished": "green", "running": "cyan"}.get(run["status"], "bold red")
        drawn.add_row(
            run["id"], f"[{style}]{run['status']}[/]", str(len(run["hosts"])), run["started_at"][:19], took,
            escape(run["command"]),
        )  # fmt: skip
    console.print(drawn)
