"""Ledger entries (docs/records.md) become events. One table per kind of entry, no decision about alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roundsman.alerts.model import AlertState, CheckResult, Measurement, NoData, Status
from roundsman.alerts.names import FRESHNESS, REACHABLE, CheckKind, check_kind
from roundsman.alerts.unreachable import why_unreachable
from roundsman.backups.evidence import rank

Entry = Mapping[str, Any]

# What only a host that was reached can have answered: the payload of each kind of entry.
_PAYLOAD = {
    "health": "checks",
    "backup": "backup",
    "verify": "verifications",
    "restore": "restore",
    "prune": "prune",
    "coverage": "coverage",
    "inventory": "inventory",
    "maintenance_begun": "lease",
    "maintenance": "maintenance",
}
_OUTCOMES = {"ok": Status.OK, "damaged": Status.CRITICAL, "unknown": Status.UNKNOWN}
# A failed backup is an emergency in waiting; retention that did not run is not, yet must not rest unseen.
_MAINTAINED = {
    "completed": Status.OK,
    "completed-with-warnings": Status.WARNING,
    "rolled-back": Status.WARNING,
    "skipped": Status.WARNING,
    "failed": Status.CRITICAL,
}
_SOURCE_FAILED = {CheckKind.BACKUP: Status.CRITICAL, CheckKind.PRUNE: Status.WARNING}


def events_of(entry: Entry, known: Mapping[str, AlertState], playbook: str = "") -> list[Measurement]:
    """The events of one ledger entry, in the order in which they must be decided.

    `known` holds the alerts by fingerprint, at least those of the entry's host: an alert that the entry leaves
    without data gets a NoData. `playbook` is what `run_started` of the same run names; it tells apart the failed runs
    of different playbooks. Entries of runs in check mode are not to be passed. Raises KeyError or ValueError when the
    entry is not what docs/records.md says.
    """
    kind = entry["kind"]
    if kind == "run_finished":
        return _run_finished(entry, playbook)
    if "host" not in entry:
        return []
    source = _Source(entry)
    reached = [source.result(REACHABLE, Status.OK, "host reached")] if _reached(entry) else []
    match kind:
        case "unreachable":
            events = _unreachable(source, known)
        case "health":
            events = _health(source, known)
        case "backup" | "prune":
            events = _of_source(source, CheckKind(kind))
        case "verify":
            events = _verify(source, known)
        case "maintenance":
            events = _maintenance(source)
        case "failed":
            events = _failed(source, playbook)
        case _:
            events = []
    return [*reached, *events]


@dataclass(frozen=True)
class _Source:
    """An entry as the origin of events: they share its host, run and time."""

    entry: Entry

    @property
    def data(self) -> Mapping[str, Any]:
        return self.entry.get("data") or {}

    @property
    def ok(self) -> bool:
        return bool(self.entry["ok"])

    @property
    def msg(self) -> str:
        # Ansible 2.19 says so in front of every failure.
        return str(self.entry.get("msg") or "no message").removeprefix("Task failed: ")

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.entry["time"])

    def result(
        self, check: str, status: Status, message: str, evidence: Mapping[str, Any] | None = None
    ) -> CheckResult:
        if not isinstance(message, str):
            # From a host; whatever else it is could be kept, but never be told.
            raise TypeError(f"the message of {check} is no text")
        return CheckResult(self.entry["host"], str(check), status, message, evidence or {}, self.entry["run"], self.at)

    def no_data(self, alerts: Iterable[AlertState], message: str) -> list[Measurement]:
        return [NoData(alert.host, alert.check, message, self.entry["run"], self.at) for alert in alerts]

    def open_alerts(self, known: Mapping[str, AlertState]) -> list[AlertState]:
        return [alert for alert in known.values() if alert.host == self.entry["host"] and alert.is_open]


def _reached(entry: Entry) -> bool:
    """True when the host itself has answered. Success or failure alone prove nothing: both can be the controller's."""
    payload = _PAYLOAD.get(entry["kind"])
    answer = (entry.get("data") or {}).get(payload) if payload else None
    if entry["kind"] == "verify":
        # A drill on another host says nothing about this one.
        return any(one.get("where") in (None, entry["host"]) for one in answer or [])
    return bool(answer)


def _unreachable(source: _Source, known: Mapping[str, AlertState]) -> list[Measurement]:
    message = f"host unreachable: {why_unreachable(source.msg)}"
    needless = {CheckKind.REACHABLE, *FRESHNESS}
    others = [alert for alert in source.open_alerts(known) if check_kind(alert.check) not in needless]
    return [
        source.result(REACHABLE, Status.CRITICAL, message, {"task": source.data.get("task"), "said": source.msg}),
        *source.no_data(others, "host unreachable"),
    ]


def _health(source: _Source, known: Mapping[str, AlertState]) -> list[Measurement]:
    measured = [alert for alert in source.open_alerts(known) if check_kind(alert.check) is CheckKind.MEASURED]
    if not source.ok:
        failed = source.result(CheckKind.HEALTH, Status.UNKNOWN, f"health sweep failed: {source.msg}")
        return [failed, *source.no_data(measured, "health sweep failed")]
    checks = source.data.get("checks") or []
    results = [source.result(check["id"], Status(check["status"]), check["message"], check) for check in checks]
    present = {check["id"] for check in checks}
    gone = [alert for alert in measured if alert.check not in present]
    return [
        source.result(CheckKind.HEALTH, Status.OK, "health sweep ran"),
        *results,
        *source.no_data(gone, "no longer measured"),
    ]


def _of_source(source: _Source, kind: CheckKind) -> list[Measurement]:
    """A backup or prune of one source: `backup:etc`. Without a source's name, the failure is one of `backup`."""
    record = source.data.get(kind.value) or {}
    name = record.get("source") or source.entry.get("item")
    check = f"{kind}:{name}" if name else kind.value
    if record.get("due_at"):
        # Nothing was tried, so nothing is known about what failed before.
        return [source.result(kind, Status.OK, f"{kind} ran")]
    evidence = {key: value for key, value in record.items() if key not in ("snapshots", "keep", "remove")}
    if not source.ok:
        return [source.result(check, _SOURCE_FAILED[kind], f"{kind} of {name or '?'} failed: {source.msg}", evidence)]
    done = source.result(check, Status.OK, f"{kind} of {name or '?'} done", evidence)
    if record.get("future"):
        # The work was done; a wrong or hostile clock must not rest unseen all the same.
        done = source.result(check, Status.WARNING, source.msg, evidence)
    return [done] if check == kind.value else [source.result(kind, Status.OK, f"{kind} ran"), done]


def _verify(source: _Source, known: Mapping[str, AlertState]) -> list[Measurement]:
    verifications = source.data.get("verifications") or []
    if not source.ok and not verifications:
        return [source.result(CheckKind.VERIFY, Status.UNKNOWN, f"verification failed: {source.msg}")]
    return [
        source.result(CheckKind.VERIFY, Status.OK, "verification ran"),
        *(
            result
            for verification in verifications
            for result in _verification(source, verification)
            if not _proves_less(source, known, result)
        ),
    ]


def _proves_less(source: _Source, known: Mapping[str, AlertState], result: CheckResult) -> bool:
    """Whether a look that held was at a lower level than the damage that is known: it disproves nothing."""
    if result.status is not Status.OK:
        return False
    failed = [
        alert.evidence.get("failed_level")
        for alert in source.open_alerts(known)
        if alert.check == result.check and alert.evidence.get("outcome") == "damaged"
    ]
    return any(rank(result.evidence["level"]) < rank(level) for level in failed)


def _verification(source: _Source, found: Mapping[str, Any]) -> list[CheckResult]:
    """The module's message names source, host, snapshot and level itself. A drill that held verified, too."""
    status = _OUTCOMES[found["outcome"]]
    kinds = [CheckKind.VERIFY]
    if found["wanted"] == "proven":
        kinds = [CheckKind.DRILL, CheckKind.VERIFY] if status is Status.OK else [CheckKind.DRILL]
    return [source.result(f"{kind}:{found['source']}", status, found["message"], found) for kind in kinds]


def _maintenance(source: _Source) -> list[Measurement]:
    record = source.data["maintenance"]
    check = f"{CheckKind.MAINTENANCE}:{record['procedure']}"
    status, message = _MAINTAINED[record["status"]], record["message"]
    if record["status"] == "completed-with-warnings":
        message = f"{message}; {'; '.join(record['warnings'])}"
    return [source.result(check, status, message, record)]


def unconcluded(entries: Sequence[Entry]) -> list[CheckResult]:
    """Of the entries of a run that is over: procedures that began on a host and have no result."""
    begun: dict[str, Entry] = {}
    for entry in entries:
        if entry["kind"] == "maintenance_begun":
            begun[entry["host"]] = entry
        elif entry["kind"] == "maintenance":
            begun.pop(entry["host"], None)
    return [
        _Source(entry).result(
            f"{CheckKind.MAINTENANCE}:{entry['data']['lease']['procedure']}",
            Status.UNKNOWN,
            _UNCONCLUDED.format(host=host, **entry["data"]["lease"]),
            entry["data"]["lease"],
        )
        for host, entry in begun.items()
    ]


_UNCONCLUDED = (
    "{procedure} of {host} has no result: the run died, or lost the host, while lease {number} held it. What was done "
    "is noted there; the same command again says it, and goes on"
)


def _failed(source: _Source, playbook: str) -> list[Measurement]:
    """Another task failed: what it was to do is not known to be done, until the playbook goes through on the host."""
    message = f"task {source.data.get('task')!r} failed: {source.msg}"
    return [source.result(run_check(playbook), Status.UNKNOWN, message, dict(source.data))]


def _run_finished(entry: Entry, playbook: str) -> list[Measurement]:
    at = datetime.fromisoformat(entry["time"])
    return [
        CheckResult(host, run_check(playbook), Status.OK, "the run went through", dict(stats), entry["run"], at)
        for host, stats in entry["data"]["stats"].items()
        if stats["ok"] and not stats["failures"] and not stats["unreachable"]
    ]


def run_check(playbook: str) -> str:
    """`run:rounds` for `/srv/playbooks/rounds.yml` and for `roundsman.fleet.rounds`; `run` when it is not known."""
    name = playbook.rpartition("/")[2].removesuffix(".yml").removesuffix(".yaml").rpartition(".")[2]
    return f"{CheckKind.RUN}:{name}" if name else CheckKind.RUN.value
