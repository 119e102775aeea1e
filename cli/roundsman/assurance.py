"""What the records say of backups, put together for a person: coverage and the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from .backups.coverage import Gap, Look, counts, gaps
from .backups.report import BackupReport, report
from .store import Store, Transaction, holds, objectives, runs, snapshots
from .times import stamp

# How far back trends and failures go.
TOLD = timedelta(days=90)


def coverage_of(store: Store, hosts: Sequence[str], now: datetime) -> tuple[list[Gap], dict[str, int]]:
    """The gaps on these hosts, and how many findings have which status."""
    with store.read() as tx:
        looks, held = looks_of(tx), snapshots.held(tx, hosts)
    return gaps(hosts, looks, held, now), counts(hosts, looks)


def backup_report(store: Store, hosts: Sequence[str], now: datetime) -> BackupReport:
    with store.read() as tx:
        looks, promised = looks_of(tx), objectives.promised(tx)
        held = holds.beside(tx, snapshots.held(tx, hosts), stamp(now))
        entries = runs.entries_since(tx, now - TOLD, ("backup", "verify", "prune"))
    return report(hosts, looks, promised, held, entries, now)


def looks_of(tx: Transaction) -> dict[str, Look]:
    """Each host's newest look at coverage."""
    newest = runs.newest_of_each_host(tx, "coverage")
    return {host: (row["time"], row["data"]["coverage"]) for host, row in newest.items()}
