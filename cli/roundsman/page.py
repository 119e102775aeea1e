"""All that is known of one host, put together for a person: newest results, history, what follows from both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .advising import evidence_of
from .alerts.model import Status
from .insight.advice import HostEvidence, Invocation
from .insight.freshness import NO_PATIENCE, Missing, missing, patience
from .insight.recommend import recommend
from .store import Transaction, checks, history, runs
from .times import moment, span, stamp
from .views.report import HostReport, Problem, Report

SHOWN = timedelta(days=1)
PLAIN_ROUNDS = 10

Points = Sequence[tuple[datetime, float]]
Newest = tuple[Mapping[str, Any], str]  # result, seen at


@dataclass(frozen=True)
class Line:
    """One check: its newest result, as UNKNOWN where it is missing, how it went, and what that means."""

    result: Mapping[str, Any]
    seen_at: str
    missing: bool
    points: Points
    words: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        points = [[stamp(at), value] for at, value in self.points]
        said = {"seen_at": self.seen_at, "missing": self.missing, "words": list(self.words), "history": points}
        return {**self.result, **said}


@dataclass(frozen=True)
class HostPage:
    host: str
    status: str
    at: str
    problems: Sequence[Problem]  # what no check found: the host is away, its playbook failed
    lines: Sequence[Line]
    recommendations: Sequence[tuple[str, str]]  # (why, the command)

    def to_dict(self) -> dict[str, Any]:
        return {
            "host": self.host, "status": self.status, "at": self.at, "problems": [vars(one) for one in self.problems],
            "checks": [line.to_dict() for line in self.lines],
            "recommendations": [{"text": text, "command": command} for text, command in self.recommendations],
        }  # fmt: skip


def host_page(
    tx: Transaction, host: str, now: datetime, report: Report | None, used: Invocation
) -> HostPage:
    """The page after a sweep (`report`), or from the records alone."""
    swept = next((one for one in report.hosts if one.host == host), None) if report else None
    known, gone = _looked_at(tx, host, swept, now)
    # What is not seen any more is no ground for anything but looking.
    fresh = [result for name, (result, _) in known.items() if name not in gone]
    (evidence,) = evidence_of(tx, {host: fresh}, now, {} if swept else {host: list(gone.values())})
    history_of = history.points_of(tx, history.values_of([host]), [(now - SHOWN, now)])
    lines = [
        _missing_line(result, seen_at, gone[name], history_of.get((host, name, ""), ()))
        if name in gone
        else Line(result, seen_at, False, history_of.get((host, name, ""), ()), list(_words(name, evidence, now)))
        for name, (result, seen_at) in sorted(known.items())
    ]
    problems = [one for one in swept.problems if one.check not in known] if swept else []
    statuses = [Status(line.result["status"]) for line in lines] + [Status(one.status) for one in problems]
    worst = str(max(statuses, key=lambda status: status.rank, default=Status.UNKNOWN))
    status = swept.status if swept and swept.status == "UNREACHABLE" else worst
    advised = [(one.message, one.next_step) for one in (swept.problems if swept else []) if one.next_step]
    advised += [(one.text, one.command) for one in recommend([evidence], used, now)]
    return HostPage(host, status, stamp(now), problems, lines, advised)


def _looked_at(
    tx: Transaction, host: str, swept: HostReport | None, now: datetime
) -> tuple[dict[str, Newest], dict[str, Missing]]:
    """The newest results of the host's checks, and which of them are too old to go by.

    A sweep of ours asks for all checks that are declared: what it has no answer from is not declared any more, or its
    service is not there.
    """
    if swept and swept.checks:
        return {check["id"]: (check, stamp(now)) for check in swept.checks}, {}
    known = {row["check"]: (row["result"], row["seen_at"]) for row in checks.current(tx, host)}
    patient = NO_PATIENCE if swept else patience([moment(at) for at in runs.sweeps_of(tx, host, PLAIN_ROUNDS)])
    whole_at, answered = runs.last_whole_sweep(tx, host)
    known = {name: one for name, one in known.items() if name in answered or one[1] > whole_at}
    seen = {name: moment(at) for name, (_result, at) in known.items()}
    return known, {one.check: one for one in missing(seen, now, patient)}


def _missing_line(result: Mapping[str, Any], seen_at: str, missing: Missing, points: Points) -> Line:
    age = span(missing.age.total_seconds())
    said = f"not seen since {seen_at[:16].replace('T', ' ')} UTC ({age} ago); was {result['status']}"
    unknown = {"status": "UNKNOWN", "message": f"{said}: {result['message']}", "value": None}
    return Line({**result, **unknown}, seen_at, True, points, [])


def _words(check: str, evidence: HostEvidence, now: datetime) -> Iterator[str]:
    for (filesystem, mount), full in sorted(evidence.forecasts.items()):
        if filesystem == check:
            earliest, latest = ((when - now).total_seconds() for when in (full.earliest, full.latest))
            yield f"{mount} full in {span(earliest)} to {span(latest)}, if it goes on like this"
    for (filesystem, mount), reason in sorted(evidence.unforeseen.items()):
        if filesystem == check:
            yield f"{mount}: when it is full cannot be told, {reason}"
    if said := evidence.unusual.get((check, "")):
        yield f"unusual for this hour: {said}"
