"""What a message says of a host's backups: from which somebody could restore tonight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roundsman.backups.coverage import SEEN_RESTORED, is_good
from roundsman.notify.view import utc
from roundsman.times import moment

_SHOWN = 5


def last_proven(snapshots: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """host -> the newest snapshot of each of its sources that was seen restored, in words.

    `snapshots`: present in repositories, by host and source, newest first (store.snapshots.held).
    """
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in snapshots:
        sources = found.setdefault(row["host"], {})
        if row["level"] in SEEN_RESTORED and is_good(row):
            sources.setdefault(row["source"], row)
    return {host: _words(list(sources.values())) for host, sources in found.items()}


def _words(rows: list[Mapping[str, Any]]) -> str:
    if not rows:
        return "no snapshot was seen restored yet"
    shown = [f"{row['source']} of {utc(moment(row['time']))} ({row['level']})" for row in rows[:_SHOWN]]
    more = [f"{len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    return ", ".join(shown + more)
