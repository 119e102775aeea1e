"""What the inventory says of hosts: labels by which alerts are routed, and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from .database import Row, Transaction, rows
from .schema import hosts


def note(
    tx: Transaction, host: str, labels: Mapping[str, str], depends_on: Sequence[str], at: str, address: str = ""
) -> None:
    values = {"labels": dict(labels), "depends_on": list(depends_on), "address": address, "seen_at": at}
    if not tx.execute(sa.update(hosts).where(hosts.c.host == host).values(values)).rowcount:
        tx.execute(sa.insert(hosts).values(host=host, **values))


def every(tx: Transaction) -> list[Row]:
    return rows(tx.execute(sa.select(hosts)))
