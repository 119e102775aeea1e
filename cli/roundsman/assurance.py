"""What the records say of backups, put together for a person: coverage and the report."""

from __future__ import annotations

from collections.abc import Sequence

from . import times
from .backups.coverage import Gap, counts, gaps
from .store import Store, runs, snapshots


def coverage_of(store: Store, hosts: Sequence[str]) -> tuple[list[Gap], dict[str, int]]:
    """The gaps on these hosts, and how many findings have which status."""
    with store.read() as tx:
        newest = runs.newest_of_each_host(tx, "coverage")
        held = snapshots.held(tx, hosts)
    looks = {host: (row["time"], row["data"]["coverage"]) for host, row in newest.items()}
    return gaps(hosts, looks, held, times.now()), counts(hosts, looks)
