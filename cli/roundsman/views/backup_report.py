"""The report on backups on a terminal, and the words that it shares with the page."""

from __future__ import annotations

from rich.console import Console

from ..backups.report import BackupReport, SourceReport
from ..times import moment, span
from ..words import counted, size
from .draw import table
from .plain import escape
from .spark import sparkline

STYLES = {"lost": "bold red", "failing": "bold red", "late": "yellow", "unproven": "yellow", "good": "green"}
MEANING = {
    "lost": "no good snapshot: nothing can be restored",
    "failing": "the newest backup failed; an older one is good",
    "late": "the newest good snapshot is older than the source's `every`",
    "unproven": "nobody has seen a snapshot restored lately",
    "good": "saved in time and seen restored",
}
HEADINGS = (
    "host", "source", "status", "as of", "proof", "restore", "size", "snapshots", "retention", "check", "drill",
)  # fmt: skip
TREND = 12


def draw_backup_report(console: Console, report: BackupReport) -> None:
    if report.sources:
        drawn = table(
            "host", "source", "status", "as of", "proof", "restore", "size", "held", "retention", "check", "drill"
        )
        for one in report.sources:
            clocks = (ago(report, at) for at in (one.clocks.retention, one.clocks.check, one.clocks.drill))
            drawn.add_row(
                escape(one.host), escape(one.source), f"[{STYLES[one.status]}]{one.status}[/]", as_of(report, one),
                escape(proof(report, one)), _restore(console, one),
                "" if one.total_bytes is None else size(one.total_bytes), str(one.snapshots), *clocks,
            )  # fmt: skip
        console.print(drawn)
        console.print()
    for sentence in summary(report):
        console.print(escape(sentence))
    failures = [(one, failure) for one in report.sources for failure in one.failures[:1]]
    if failures:
        console.print("\n[bold]newest failures[/]")
        for one, failure in failures:
            said = f"{failure.at[:16]}Z {one.host} {one.source}: {failure.what}, {failure.reason}: {failure.message}"
            console.print(escape(said))


def summary(report: BackupReport) -> list[str]:
    """The answers to the four questions, a sentence each."""
    one = report.summary
    sources = counted(one.sources, "source")
    found = [f"Can be restored: {one.restorable} of {sources} on {counted(one.hosts, 'host')}."]
    if one.oldest_recovery_point:
        found.append(f"As of: {ago(report, one.oldest_recovery_point)} ago at worst.")
    if one.restore_median_s is not None and one.restore_slowest_s is not None:
        found.append(f"Takes: median {span(one.restore_median_s)}, slowest {span(one.restore_slowest_s)}, as measured.")
    how = f"{one.proven} answered by the application from a restored copy, {one.restored} more restored and compared"
    found.append(f"Proof: {how}.")
    covered = (
        "nothing that was found is uncovered"
        if not one.gaps
        else f"{counted(one.gaps, 'gap')} (roundsman backup coverage)"
    )
    return [*found, f"Coverage: {covered}."]


def ago(report: BackupReport, at: str | None) -> str:
    if at is None:
        return "never"
    return span(max(0.0, (moment(report.at) - moment(at)).total_seconds()))


def as_of(report: BackupReport, one: SourceReport) -> str:
    if one.recovery_point is None:
        return "never"
    objective = f" (of {span(one.objective_s)})" if one.objective_s else ""
    return ago(report, one.recovery_point) + objective


def proof(report: BackupReport, one: SourceReport) -> str:
    """The level, its age, and where it was seen; of which snapshot when that is not the newest."""
    if one.proof is None:
        return "none"
    where = f" on {one.proof.where}" if one.proof.where else ""
    older = (
        ""
        if one.proof.snapshot_time == one.recovery_point
        else f", of a snapshot {ago(report, one.proof.snapshot_time)} old"
    )
    return f"{one.proof.level} {ago(report, one.proof.at)} ago{where}{older}"


def _restore(console: Console, one: SourceReport) -> str:
    if one.restore_s is None:
        return "not measured"
    plain = not (console.encoding or "").lower().startswith("utf")
    points = [(moment(at), took) for at, took in one.restores]
    trend = sparkline(points, min(TREND, len(points)), plain=plain) if len(points) > 1 else ""
    return f"{span(one.restore_s)} {escape(trend)}".strip()
