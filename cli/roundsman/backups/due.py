"""Which sources need no new evidence yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .objectives import Known

# As for backups: a schedule that comes a little early must find its work due.
EARLY = 0.1


def fresh(known: Iterable[Known], level: str, now: datetime) -> dict[str, list[str]]:
    """host -> sources to leave out when evidence of `level` is gathered by due times.

    Said the other way round, so that what nobody knows of is looked at. For `proven` the plan's `prove` counts, and a
    source without it is not drilled; else `verify_every`, and without it evidence for the newest snapshot is enough.
    A snapshot that something speaks against is always due.
    """
    found: dict[str, list[str]] = {}
    for one in known:
        if _is_fresh(one, level, now):
            found.setdefault(one.host, []).append(one.source)
    return found


def _is_fresh(one: Known, level: str, now: datetime) -> bool:
    if one.newest_failed:
        return False
    every = one.objective("prove_s" if level == "proven" else "verify_every_s")
    seen_at = one.evidence_at(level)
    if every is None:
        return level == "proven" or (one.backup_at is not None and one.newest_holds(level))
    return seen_at is not None and seen_at <= now and now - seen_at < every * (1 - EARLY)
