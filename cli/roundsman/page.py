"""All that is known of one host, put together for a person: newest results, history, what follows from both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .advising import LEARNT_FROM, evidence_of
from .alerts.model import Status
from .insight.advice import Invocation
from .insight.baseline import baseline, unusual
from .insight.forecast import forecast
from .insight.freshness import Missing, Seen, missing, patience
from .insight.recommend import recommend
from .store import Transaction, checks, history, runs
from .times import moment, span, stamp
from .views.report import Problem, Report

SHOWN = timedelta(days=1)
PLAIN_ROUNDS = 10
# Of these the value is a share of what there is: when it is all used is worth knowing.
FILLS_UP = {"filesystem"}

Points = Sequence[tuple[datetime, float]]


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
    known = {row["check"]: (row["result"], row["seen_at"]) for row in checks.current(tx, host)}
    if swept:
        known |= {check["id"]: (check, stamp(now)) for check in swept.checks}
        gone = {name: _not_seen(*known[name], now) for name in known.keys() - {one["id"] for one in swept.checks}}
    else:
        gone = _stale(tx, host, known, now)
    lines = [
        _line(tx, host, {**result, **gone.get(name, {})}, seen_at, now, missing=name in gone)
        for name, (result, seen_at) in sorted(known.items())
    ]
    problems = [one for one in swept.problems if one.check not in known] if swept else []
    statuses = [Status(line.result["status"]) for line in lines] + [Status(one.status) for one in problems]
    worst = str(max(statuses, key=lambda status: status.rank, default=Status.UNKNOWN))
    status = swept.status if swept and swept.status == "UNREACHABLE" else worst
    advised = [(one.message, one.next_step) for one in (swept.problems if swept else []) if one.next_step]
    # What is not seen any more is no ground for anything but looking.
    fresh = [result for name, (result, _) in sorted(known.items()) if name not in gone]
    unseen = [] if swept else _missing(tx, host, known, now)
    found = recommend([evidence_of(tx, host, fresh, unseen, now)], used, now)
    advised += [(one.text, one.command) for one in found]
    return HostPage(host, status, stamp(now), problems, lines, [(why, step) for why, step in advised if step])


def _stale(
    tx: Transaction, host: str, known: Mapping[str, tuple[Mapping[str, Any], str]], now: datetime
) -> dict[str, dict[str, Any]]:
    return {one.check: _not_seen(*known[one.check], now) for one in _missing(tx, host, known, now)}


def _missing(
    tx: Transaction, host: str, known: Mapping[str, tuple[Mapping[str, Any], str]], now: datetime
) -> list[Missing]:
    usual = patience([moment(at) for at in runs.sweeps_of(tx, host, PLAIN_ROUNDS)])
    seen = [Seen(host, name, Status(result["status"]), moment(at)) for name, (result, at) in known.items()]
    return missing(seen, now, usual)


def _not_seen(result: Mapping[str, Any], seen_at: str, now: datetime) -> dict[str, Any]:
    age = span(max(0.0, (now - moment(seen_at)).total_seconds()))
    said = f"not seen since {seen_at[:16].replace('T', ' ')} UTC ({age} ago); was {result['status']}"
    return {"status": "UNKNOWN", "message": f"{said}: {result['message']}", "value": None}


def _line(
    tx: Transaction, host: str, result: Mapping[str, Any], seen_at: str, now: datetime, *, missing: bool
) -> Line:
    points = history.points(tx, host, result["id"], "", now - LEARNT_FROM, until=now)
    words = [] if missing else list(_words(result, points, now))
    return Line(result, seen_at, missing, [one for one in points if one[0] >= now - SHOWN], words)


def _words(result: Mapping[str, Any], points: Points, now: datetime) -> Iterator[str]:
    if result["type"] in FILLS_UP and result["unit"] == "%" and (full := forecast(points, 100.0, now)):
        earliest, latest = ((when - now).total_seconds() for when in (full.earliest, full.latest))
        yield f"full in {span(earliest)} to {span(latest)}, if it goes on like this"
    if result["value"] is not None and (usually := baseline(points, UTC)):
        said = unusual(float(result["value"]), usually.at(now))
        if said:
            yield f"unusual for this hour: {said}"
