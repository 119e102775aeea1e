"""One tick: all that is due by now. For a timer, every minute; the server does the same for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import times
from .heart import beat
from .session import Session
from .store import outbox
from .times import stamp


@dataclass(frozen=True)
class Ticked:
    """What one tick did."""

    at: str
    attempts: int  # deliveries that were tried
    waiting: int  # messages that are not delivered
    failed: Mapping[str, str] = field(default_factory=dict)  # what could not be done besides, by what it is about

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def tick(session: Session) -> Ticked:
    """Several at once do no harm: what is due is decided in one transaction, and each message is claimed by one."""
    session.catch_up()
    session.judge_clocks()
    session.tell()
    attempts = session.deliver_now()
    failed = {name: outcome.detail for name, outcome in session.refresh().items() if not outcome.ok}
    with session.store.read() as tx:
        waiting = [row for row in outbox.waiting(tx) if row["status"] == "pending"]
    heartbeat = beat(session.store, session.settings.alerts.heartbeat)
    if heartbeat and not heartbeat.ok:
        failed["heartbeat"] = heartbeat.detail
    return Ticked(stamp(times.now()), attempts, len(waiting), failed)
