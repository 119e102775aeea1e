"""What can be restored, as of when, how long it takes, and what is the proof: per source, from plain rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from roundsman.backups.coverage import SEEN_RESTORED, Gap, Look, by_host, gaps, interval, is_good, patience_of
from roundsman.backups.evidence import rank
from roundsman.backups.freshness import LATE
from roundsman.times import moment, stamp

Row = Mapping[str, Any]
CLOCKS_AGREE = timedelta(minutes=5)
SHOWN_FAILURES = 5
STATUSES = ("lost", "failing", "late", "unproven", "good")  # the worst first


@dataclass(frozen=True)
class Proof:
    """The highest evidence for the newest good snapshot that has any."""

    snapshot: str
    snapshot_time: str
    level: str
    at: str
    where: str | None
    canary_at: str | None  # when the newest data in it were written


@dataclass(frozen=True)
class Failure:
    at: str
    what: str  # backup, verify, prune
    reason: str | None
    message: str


@dataclass(frozen=True)
class Clocks:
    """When each of these last went well; the same clocks as those that alert (`freshness`)."""

    backup: str | None
    retention: str | None
    check: str | None
    drill: str | None


@dataclass(frozen=True)
class SourceReport:
    host: str
    source: str
    type: str | None
    status: str
    declared: bool | None  # None: nobody looked, and no backup told
    recovery_point: str | None
    objective_s: float | None
    proof: Proof | None
    restores: Sequence[tuple[str, float]]  # (when, restore_s), oldest first
    drill_s: float | None  # the newest: restore, comparison and proof
    snapshots: int
    on_hold: int
    oldest: str | None
    total_bytes: int | None
    added_bytes: int | None
    clocks: Clocks
    failures: Sequence[Failure]  # the newest first

    @property
    def restore_s(self) -> float | None:
        return self.restores[-1][1] if self.restores else None


@dataclass(frozen=True)
class Summary:
    hosts: int
    sources: int
    restorable: int  # have a good snapshot
    proven: int  # the application answered from a restored copy
    restored: int  # restored and compared only
    oldest_recovery_point: str | None
    restore_median_s: float | None
    restore_slowest_s: float | None
    statuses: Mapping[str, int]
    gaps: int


@dataclass(frozen=True)
class BackupReport:
    at: str
    summary: Summary
    sources: Sequence[SourceReport]
    gaps: Sequence[Gap]

    @property
    def is_amiss(self) -> bool:
        return bool(self.gaps) or any(one.status != "good" for one in self.sources if one.declared is not False)


def report(
    hosts: Sequence[str], looks: Mapping[str, Look], promised: Sequence[Row], snapshots: Sequence[Row],
    entries: Sequence[Row], now: datetime,
) -> BackupReport:  # fmt: skip
    """`promised`: host, source, plan and since, as backups told it; `snapshots` with holds; `entries` of kinds backup,
    verify and prune, oldest first, as far back as is told.
    """
    plans, held, told = by_host(promised), by_host(snapshots), by_host(entries)
    sources = [
        _source(host, source, plan, looks, held.get(host, ()), _of(told.get(host, ()), source), now)
        for host in hosts
        for source, plan in _sources(looks.get(host), plans.get(host, ()), held.get(host, ())).items()
    ]
    sources.sort(key=lambda one: (STATUSES.index(one.status), one.host, one.source))
    found = gaps(hosts, looks, snapshots, now)
    return BackupReport(stamp(now), _summary(hosts, sources, found), sources, found)


def _sources(look: Look | None, promised: Iterable[Row], snapshots: Iterable[Row]) -> dict[str, Row]:
    """Those that are declared, and those of which snapshots are left; with their plan.

    A look knows what backups cannot tell, that a source was never tried or is gone; they tell what came after it.
    """
    looked_at, seen = (look[0], look[1]["sources"]) if look else ("", [])
    left: dict[str, Row] = {row["source"]: {} for row in snapshots}
    later: dict[str, Row] = {row["source"]: {"plan": row["plan"]} for row in promised if row["since"] > looked_at}
    return left | later | {source["id"]: source for source in seen}


@dataclass(frozen=True)
class _Said:
    """What the ledger says about one source."""

    backups: Sequence[tuple[Row, Row]]  # (entry, backup)
    verifications: Sequence[tuple[Row, Row]]
    prunes: Sequence[tuple[Row, Row]]


def _of(entries: Iterable[Row], source: str) -> _Said:
    said: dict[str, list[tuple[Row, Row]]] = {"backup": [], "verifications": [], "prune": []}
    for entry in entries:
        for key, parts in said.items():
            found = entry["data"].get(key) or []
            for one in [found] if isinstance(found, Mapping) else found:
                if one.get("source") == source:
                    parts.append((entry, one))
    return _Said(said["backup"], said["verifications"], said["prune"])


def _source(
    host: str, source: str, plan: Row, looks: Mapping[str, Look], snapshots: Iterable[Row], said: _Said, now: datetime
) -> SourceReport:
    mine = sorted((row for row in snapshots if row["source"] == source), key=_time, reverse=True)
    # What claims to come from the future is no recovery point: nobody knows when it was made.
    good = [row for row in mine if is_good(row) and moment(row["time"]) <= now + CLOCKS_AGREE]
    newest = good[0] if good else None
    backup: Row = (newest or {}).get("backup") or {}
    every = interval(plan, "every_s")
    well = [one for _entry, one in said.verifications if one["outcome"] == "ok"]
    drills = [one["drill_s"] for one in well if one.get("drill_s") is not None]
    clocks = Clocks(
        backup=newest["time"] if newest else None,
        retention=_last(entry["time"] for entry, _one in said.prunes if entry["ok"]),
        check=_last(one["time"] for one in well if rank(one["wanted"]) >= rank("read")),
        drill=_last(one["time"] for one in well if one["wanted"] == "proven"),
    )
    seen_restored_at = _last(row["verified_at"] for row in good if row["level"] in SEEN_RESTORED)
    return SourceReport(
        host=host,
        source=source,
        type=plan.get("type") or backup.get("type"),
        status=_status(mine, newest, seen_restored_at, plan, said, now),
        declared=bool(plan) if plan or host in looks else None,
        recovery_point=clocks.backup,
        objective_s=every.total_seconds() if every else None,
        proof=_proof(good, [one for _entry, one in said.verifications]),
        restores=[(one["time"], one["restore_s"]) for one in well if one.get("restore_s") is not None],
        drill_s=drills[-1] if drills else None,
        snapshots=len(mine),
        on_hold=sum(row["hold"] is not None and not row["hold"]["over"] for row in mine),
        oldest=mine[-1]["time"] if mine else None,
        total_bytes=backup.get("total_bytes"),
        added_bytes=backup.get("added_bytes"),
        clocks=clocks,
        failures=list(_failures(said))[-SHOWN_FAILURES:][::-1],
    )


def _time(row: Row) -> str:
    return str(row["time"])


def _last(times: Iterable[str]) -> str | None:
    return max(times, default=None)


def _status(
    mine: Sequence[Row], newest: Row | None, seen_restored_at: str | None, plan: Row, said: _Said, now: datetime
) -> str:  # fmt: skip
    if newest is None:
        return "lost"
    last = said.backups[-1][0] if said.backups else None
    if mine[0]["id"] != newest["id"] or (last and not last["ok"] and last["time"] > newest["time"]):
        return "failing"
    every = interval(plan, "every_s")
    if every and now - moment(newest["time"]) > every * LATE:
        return "late"
    if seen_restored_at is None or now - moment(seen_restored_at) > patience_of(plan):
        return "unproven"
    return "good"


def _proof(good: Iterable[Row], verifications: Sequence[Row]) -> Proof | None:
    proven = sorted((row for row in good if row["level"]), key=lambda row: (row["level"] in SEEN_RESTORED, _time(row)))
    if not proven:
        return None
    best = proven[-1]
    held = [one for one in verifications if one["snapshot"] == best["id"] and one["level"] == best["level"]]
    said: Row = held[-1] if held else {}
    return Proof(
        best["id"], best["time"], best["level"], best["verified_at"], said.get("where"), said.get("canary_at")
    )  # fmt: skip


def _failures(said: _Said) -> Iterator[Failure]:
    """Oldest first."""
    found = [
        Failure(entry["time"], entry["kind"], one.get("reason"), entry["msg"] or "")
        for entry, one in (*said.backups, *said.prunes)
        if not entry["ok"]
    ]
    found += [
        Failure(one["time"], "verify", one.get("reason") or one["outcome"], one.get("message") or "")
        for _entry, one in said.verifications
        if one["outcome"] != "ok"
    ]
    yield from sorted(found, key=lambda one: one.at)


def _summary(hosts: Sequence[str], known: Iterable[SourceReport], found: Sequence[Gap]) -> Summary:
    """Of what is still declared, or might be."""
    sources = [one for one in known if one.declared is not False]
    points = [one.recovery_point for one in sources if one.recovery_point]
    took = [one.restore_s for one in sources if one.restore_s is not None]
    levels = [one.proof.level for one in sources if one.proof]
    statuses = [one.status for one in sources]
    return Summary(
        hosts=len(hosts),
        sources=len(sources),
        restorable=len(points),
        proven=levels.count("proven"),
        restored=levels.count("restored"),
        oldest_recovery_point=min(points, default=None),
        restore_median_s=median(took) if took else None,
        restore_slowest_s=max(took, default=None),
        statuses={status: statuses.count(status) for status in STATUSES},
        gaps=len(found),
    )
