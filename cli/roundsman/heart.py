"""Lets somebody outside know that rounds and alerts are looked after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from . import times
from .notify.channel import Outcome
from .notify.heartbeat import ping
from .receivers_config import Heartbeat
from .store import Store, heartbeats

# A caller that comes every `every` comes now and then a moment early.
_EARLY = 0.9


def beat(store: Store, heartbeat: Heartbeat | None, clock: Callable[[], datetime] = times.now) -> Outcome | None:
    """Ping when it is due, and record what came of it; None when it is not, or when there is nobody to ping.

    To be called only after all that was due went well: silence is the alarm. A failure is tried again at the next call.
    """
    if heartbeat is None:
        return None
    with store.read() as tx:
        heard = heartbeats.last_heard(tx)
    # A time in the future is of a clock that was wrong.
    if heard is not None and heard <= clock() < heard + heartbeat.every * _EARLY:
        return None
    outcome = ping(heartbeat.url.get_secret_value(), heartbeat.timeout.total_seconds())
    with store.write() as tx:
        heartbeats.note(tx, clock(), ok=outcome.ok, detail=outcome.detail)
    return outcome
