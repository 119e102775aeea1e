"""One tick: all that is due by now. For a timer, every minute; the server does the same for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import times
from .config import Settings
from .notify.channel import Outcome
from .notify.heartbeat import ping
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
    beat = _beat(session.settings)
    if beat and not beat.ok:
        failed["heartbeat"] = beat.detail
    return Ticked(stamp(times.now()), attempts, len(waiting), failed)


def _beat(settings: Settings) -> Outcome | None:
    """Only after all of a tick went well, which is what the other side is to know. None while it is not due."""
    wanted = settings.alerts.heartbeat
    if wanted is None or not _due(settings.state_dir / "heartbeat", wanted.every.total_seconds()):
        return None
    outcome = ping(wanted.url.get_secret_value(), wanted.timeout.total_seconds())
    if outcome.ok:
        (settings.state_dir / "heartbeat").touch(mode=0o600)
    return outcome


def _due(mark: Path, every_s: float) -> bool:
    try:
        age = times.now().timestamp() - mark.stat().st_mtime
    except FileNotFoundError:
        return True
    # Whoever ticks every minute shall not ping every other minute; and a mark of the future says nothing.
    return not 0 <= age < every_s * 0.9
