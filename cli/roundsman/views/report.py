"""What a run found, as a value: the same for the table, for --json and for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from ..alerts.events import events_of, unconcluded
from ..alerts.model import CheckResult, Status
from ..alerts.names import REACHABLE, CheckKind, check_kind
from ..exits import ExitCode
from ..insight.recommend import Recommendation
from ..insight.states import Reason
from ..times import moment

Row = Mapping[str, Any]
Key = tuple[str, str]  # host, check
UNREACHABLE = "UNREACHABLE"
NEXT_COMMAND = {
    CheckKind.REACHABLE: "roundsman doctor",
    CheckKind.HEALTH: "roundsman doctor",
    CheckKind.RUN: "roundsman doctor",
    CheckKind.BACKUP: "roundsman backup run",
    CheckKind.VERIFY: "roundsman backup list",
    CheckKind.PRUNE: "roundsman backup list",
    CheckKind.DRILL: "roundsman backup list",
}
_ORDER = [UNREACHABLE, "CRITICAL", "UNKNOWN", "WARNING", "OK"]


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be on a host, and what to do next."""

    status: str
    check: str
    message: str
    since: str | None
    next_step: str | None
    attempt: str | None = None  # of a failure that is not yet alerted: `attempt 1 of 3`


@dataclass(frozen=True)
class HostReport:
    host: str
    status: str
    problems: list[Problem]
    checks: list[Mapping[str, Any]]
    backups: list[Mapping[str, Any]]
    verifications: list[Mapping[str, Any]]
    restores: list[Mapping[str, Any]]
    prunes: list[Mapping[str, Any]]
    maintenance: list[Mapping[str, Any]]

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """Every check result, and in the same shape what is amiss and was found by no check, such as a lost host."""
        known = {check["id"] for check in self.checks}
        blank = {"value": None, "unit": "", "perfdata": "", "target": "", "duration_s": 0.0}
        others = [
            {**blank, "id": one.check, "type": str(check_kind(one.check)), "status": one.status, "message": one.message}
            for one in self.problems
            if one.check not in known
        ]
        return [*others, *self.checks]


@dataclass(frozen=True)
class Summary:
    hosts: int
    hosts_ok: int
    backups_made: int
    backups_failed: int
    snapshots_restored: int
    verifications_failed: int
    restore_median_s: float | None
    alerts_open: int
    notifications_sent: int
    notifications_waiting: int


@dataclass(frozen=True)
class Report:
    run: dict[str, Any]
    hosts: list[HostReport]
    summary: Summary
    exit_code: int
    recommendations: list[Recommendation] = field(default_factory=list)  # after a sweep

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def report(
    run: Row, entries: Sequence[Row], open_alerts: Sequence[Row], outbox: Sequence[Row], checks: Sequence[Row] = ()
) -> Report:
    """Put together what the run `run` recorded in `entries`; `checks` are the states that it may have left behind."""
    since = {(state["host"], state["check"]): state["opened_at"] for state in open_alerts}
    # A later play may have other hosts than the first, which run_started names.
    names = dict.fromkeys([*run["hosts"], *(entry["host"] for entry in entries if entry["host"])])
    soft = _soft(run["id"], checks)
    hosts = [_host(host, run, [one for one in entries if one["host"] == host], since, soft) for host in names]
    hosts.sort(key=lambda host: (_ORDER.index(host.status), host.host))
    summary = _summary(hosts, open_alerts, outbox)
    statuses = [host.status for host in hosts] + [one.status for host in hosts for one in _reached_problems(host)]
    refused = any(entry["kind"] == "refused" for entry in entries)
    return Report(_run(run), hosts, summary, exit_code("refused" if refused else run["status"], statuses))


def _reached_problems(host: HostReport) -> list[Problem]:
    return [problem for problem in host.problems if problem.check != REACHABLE]


def exit_code(run_status: str, host_statuses: Iterable[str]) -> int:
    """The worst that is to be said: how the run itself ended goes before what it found."""
    statuses = set(host_statuses)
    if run_status == "refused":
        return ExitCode.USAGE
    if run_status == "interrupted":
        return ExitCode.INTERRUPTED
    if run_status in ("failed", "running"):
        return ExitCode.RUN_FAILED
    by_status = [
        ("CRITICAL", ExitCode.CRITICAL), (UNREACHABLE, ExitCode.UNREACHABLE),
        ("UNKNOWN", ExitCode.UNKNOWN), ("WARNING", ExitCode.WARNINGS),
    ]  # fmt: skip
    otherwise = ExitCode.UNKNOWN if run_status == "incomplete" else ExitCode.FINE
    return next((code for status, code in by_status if status in statuses), otherwise)


def _run(run: Row) -> dict[str, Any]:
    kept = ("id", "command", "playbook", "pattern", "check_mode", "status", "started_at", "finished_at", "message")
    return {key: run[key] for key in kept}


def _soft(run_id: str, checks: Sequence[Row]) -> dict[Key, str]:
    """Which attempt it was for each check whose failure in this run is not yet alerted."""
    return {
        (row["host"], row["check"]): row["state"]["sentence"]
        for row in checks
        if row["state"]["run"] == run_id and row["state"]["reason"] == Reason.SOFT
    }


def _host(
    host: str, run: Row, entries: Sequence[Row], since: Mapping[Key, str], soft: Mapping[Key, str]
) -> HostReport:
    problems = _problems(host, run, entries, since, soft)
    unreachable = any(entry["kind"] == "unreachable" for entry in entries)
    data = [entry["data"] for entry in entries]
    return HostReport(
        host=host,
        status=UNREACHABLE if unreachable else problems[0].status if problems else "OK",
        problems=problems,
        checks=[check for part in data for check in part.get("checks", [])],
        backups=[_without_inventory(part["backup"]) for part in data if "backup" in part],
        verifications=[verification for part in data for verification in part.get("verifications", [])],
        restores=[part["restore"] for part in data if "restore" in part],
        prunes=[part["prune"] for part in data if "prune" in part],
        maintenance=[part["maintenance"] for part in data if "maintenance" in part],
    )


def _without_inventory(backup: Mapping[str, Any]) -> dict[str, Any]:
    """A backup without the list of all snapshots of its repository, which is for the store."""
    return {key: value for key, value in backup.items() if key != "snapshots"}


def _problems(
    host: str, run: Row, entries: Sequence[Row], since: Mapping[Key, str], soft: Mapping[Key, str]
) -> list[Problem]:
    """Worst first. The last word on each check counts, and it is the very translation that alerts are made from."""
    results: dict[str, CheckResult] = {}
    for entry in entries:
        results |= {result.check: result for result in results_of({**entry, "run": entry["run_id"]}, run["playbook"])}
    if run["status"] != "running":
        lost = unconcluded([{**entry, "run": entry["run_id"]} for entry in entries])
        results |= {result.check: result for result in lost}
    if not results and run["status"] != "finished":
        return [Problem("UNKNOWN", "run", "the run ended before it came to this host", None, None)]
    bad = sorted(
        (result for result in results.values() if result.status is not Status.OK),
        key=lambda result: (-result.status.rank, result.check != REACHABLE, result.check),
    )
    return [
        Problem(
            str(one.status), one.check, one.message, since.get((one.host, one.check)), next_step(host, one),
            soft.get((one.host, one.check)),
        )
        for one in bad
    ]


def results_of(entry: Row, playbook: str = "") -> list[CheckResult]:
    """What a ledger entry says: as alerts have it, and a failure that raises none (a restore that a person wanted)."""
    if entry["kind"] == "refused":
        said, at = entry["msg"], moment(entry["time"])
        return [CheckResult(entry["host"], "run", Status.UNKNOWN, said, {"refused": True}, entry["run"], at)]
    results = [event for event in events_of(entry, {}, playbook) if isinstance(event, CheckResult)]
    if entry.get("ok") is False and all(result.status is Status.OK for result in results):
        said = f"{entry['kind']} failed: {entry.get('msg') or 'no reason given'}"
        at = moment(entry["time"])
        results.append(CheckResult(entry["host"], entry["kind"], Status.CRITICAL, said, {}, entry["run"], at))
    return results


def next_step(host: str, result: CheckResult) -> str | None:
    """What the person on call does next about a problem: a command, or the remedy that the check itself named."""
    remedy = result.evidence.get("remedy")
    if remedy:
        return str(remedy)
    if result.evidence.get("refused"):
        return None
    # A reason code comes from a module that ran; without one, becoming its user is what failed.
    if "sudo" in result.message and not result.evidence.get("reason"):
        return f"roundsman doctor --become --limit {host}"
    if check_kind(result.check) is CheckKind.MAINTENANCE:
        return f"roundsman maintain {result.check.partition(':')[2]} --limit {host}"
    command = NEXT_COMMAND.get(check_kind(result.check))
    return f"{command} --limit {host}" if command else None


def _summary(hosts: Sequence[HostReport], open_alerts: Sequence[Row], outbox: Sequence[Row]) -> Summary:
    backups = [backup for host in hosts for backup in host.backups]
    verifications = [verification for host in hosts for verification in host.verifications]
    restore_s = [one["restore_s"] for one in verifications if one.get("restore_s") is not None]
    kinds = [check_kind(problem.check) for host in hosts for problem in host.problems]
    messages = {row["message_id"] for row in outbox if row["status"] == "delivered"}
    return Summary(
        hosts=len(hosts),
        hosts_ok=sum(host.status == "OK" for host in hosts),
        backups_made=sum(backup.get("snapshot") is not None and not backup.get("reason") for backup in backups),
        backups_failed=kinds.count(CheckKind.BACKUP),
        snapshots_restored=sum(one.get("level") in ("restored", "proven") for one in verifications),
        verifications_failed=kinds.count(CheckKind.VERIFY) + kinds.count(CheckKind.DRILL),
        restore_median_s=median(restore_s) if restore_s else None,
        alerts_open=len(open_alerts),
        notifications_sent=len(messages),
        notifications_waiting=len({row["group_key"] for row in outbox if row["status"] == "pending"}),
    )
