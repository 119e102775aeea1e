"""Backups: a snapshot counts when it was restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from roundsman.insight.advice import Advice, HostEvidence, Roundsman, Urgency
from roundsman.times import moment, span

# Sources say nothing of how often yet; what is older than two nights has missed one.
OLD = timedelta(days=2)
SHOWN = 3
FULL_EVIDENCE = {"restored", "proven"}
Snapshot = Mapping[str, Any]


def snapshot_is_damaged(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """The evidence speaks against the newest snapshot: make another that inherits nothing from it."""
    for source, newest in _newest(host):
        if newest["failed_level"]:
            evidence = f"snapshot {newest['id'][:8]} of {source} failed at level {newest['failed_level']}"
            yield _advice(host, Urgency.NOW, "the newest backup is damaged", ("backup", "run", "--full"), evidence)


def backup_is_old(host: HostEvidence, now: datetime) -> Iterator[Advice]:
    """The newest snapshot is older than two nights: back up."""
    for source, newest in _newest(host):
        age = now - moment(newest["time"])
        if age > OLD and not newest["failed_level"]:
            evidence = f"snapshot {newest['id'][:8]} of {source} is {span(age.total_seconds())} old"
            yield _advice(host, Urgency.SOON, "the newest backup is old", ("backup", "run"), evidence)


def snapshot_has_no_evidence(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Nobody has seen the newest snapshot restored: restore and compare it."""
    for source, newest in _newest(host):
        if newest["level"] not in FULL_EVIDENCE and not newest["failed_level"]:
            evidence = f"snapshot {newest['id'][:8]} of {source}: {newest['level'] or 'no evidence yet'}"
            what = "the newest backup was never restored"
            yield _advice(host, Urgency.SOON, what, ("backup", "verify"), evidence)


def data_is_not_saved(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """The last look at coverage found data that no source saves: declare a source, or say why not."""
    if host.uncovered:
        more = len(host.uncovered) - SHOWN
        evidence = ", ".join(host.uncovered[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield _advice(host, Urgency.SOON, "no source saves some data", ("backup", "coverage", "--last"), evidence)


def _newest(host: HostEvidence) -> Iterator[tuple[str, Snapshot]]:
    """The newest snapshot of each source."""
    newest: dict[str, Snapshot] = {}
    for snapshot in host.snapshots:
        kept = newest.get(snapshot["source"])
        if kept is None or moment(snapshot["time"]) > moment(kept["time"]):
            newest[snapshot["source"]] = snapshot
    yield from newest.items()


def _advice(host: HostEvidence, urgency: Urgency, what: str, words: tuple[str, ...], evidence: str) -> Advice:
    return Advice(host.host, urgency, what, partial(_as_it_is, what), Roundsman(words), evidence)


def _as_it_is(what: str, _amounts: Sequence[float]) -> str:
    return what
