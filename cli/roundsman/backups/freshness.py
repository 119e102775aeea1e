"""Four clocks for each source: how old are its backup, its retention, its check and its drill?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from roundsman.alerts.model import Status
from roundsman.times import span

from .objectives import Known

# A schedule is late, sometimes; one that was left out is worth a word, two are an emergency in waiting.
LATE = 1.25
VERY_LATE = 2
# Retention has no objective of its own; whoever prunes does so at least weekly.
PRUNE_EVERY = timedelta(days=7)


@dataclass(frozen=True)
class Clock:
    """One clock as it stands. `age` is None when what it measures has never happened."""

    name: str
    status: Status
    age: timedelta | None
    limit: timedelta
    message: str


def clocks(one: Known, now: datetime) -> list[Clock]:
    """The clocks that somebody asked for: those of the plan, and retention where there is one."""
    every, verify_every, prove = (one.objective(key) for key in ("every_s", "verify_every_s", "prove_s"))
    prune_every = PRUNE_EVERY if one.plan.get("retention") or one.pruned_at else None
    asked = [
        ("backup", "complete backup", one.backup_at, every),
        ("retention", "prune", one.pruned_at, prune_every),
        ("check", "check of the data", one.evidence_at("read"), verify_every),
        ("drill", "drill", one.evidence_at("proven"), prove),
    ]
    return [_clock(one, name, what, at, limit, now) for name, what, at, limit in asked if limit is not None]


def _clock(one: Known, name: str, what: str, at: datetime | None, limit: timedelta, now: datetime) -> Clock:
    age = max(now - (at or one.since), timedelta(0))
    status = Status.CRITICAL if age > VERY_LATE * limit else Status.WARNING if age > LATE * limit else Status.OK
    said = span(age.total_seconds())
    happened = f"the last {what} of {one.source} was {said} ago" if at else f"no {what} of {one.source} for {said}"
    message = f"{happened}, wanted every {span(limit.total_seconds())}"
    return Clock(name, status, age if at else None, limit, message)
