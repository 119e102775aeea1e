"""Drains the outbox: claim a message, send it, settle it. At least once, and recognisable when it is twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from . import times
from .alerts.grouping import Notice, group
from .alerts.model import Notify
from .config import Receiver, Settings
from .notify.channel import Target
from .notify.message import Message, compose
from .notify.open import open_channel, validate
from .notify.retry import next_attempt
from .store import Store, outbox

# Longer than any attempt takes; a claim of a process that died is free again after it.
LEASE = timedelta(minutes=5)
PAUSE_S = 0.5


def targets(receiver: Receiver | None) -> dict[str, Target]:
    """The receiver's channels by a name that holds no secret: `team/url/1`, `team/webhook/1`."""
    if receiver is None:
        return {}
    found = {f"{receiver.name}/url/{n}": Target(url.get_secret_value()) for n, url in enumerate(receiver.urls, 1)}
    for n, hook in enumerate(receiver.webhooks, 1):
        headers = {name: value.get_secret_value() for name, value in hook.headers.items()}
        target = Target(hook.url.get_secret_value(), headers, hook.timeout.total_seconds())
        found[f"{receiver.name}/webhook/{n}"] = target
    return found


def faults(settings: Settings) -> list[str]:
    """What is wrong with the receivers' targets, in words without secrets."""
    named = [pair for receiver in settings.alerts.receivers for pair in targets(receiver).items()]
    return [f"{name}: {fault}" for name, target in named if (fault := validate(target))]


def deliver_due(
    store: Store,
    known: Mapping[str, Target],
    rng: random.Random,
    clock: Callable[[], datetime] = times.now,
    over: Callable[[], bool] = lambda: False,
) -> int:
    """Send every message that is due, once each, until `over`. Returns how many attempts were made.

    A channel that fails is left alone for the rest of this turn: the next message would only wait as long again.
    """
    attempts = 0
    channels = set(known)
    while channels and not over():
        with store.write() as tx:
            message = outbox.claim(tx, clock(), LEASE, channels)
        if not message:
            break
        first = message[0]
        outcome = open_channel(known[first["channel"]]).send(_compose(message))
        attempts += 1
        now = clock()
        retry_at = next_attempt(first["attempts"] + 1, times.moment(first["created_at"]), now, outcome, rng)
        with store.write() as tx:
            outbox.settle(tx, message, now=now, ok=outcome.ok, detail=outcome.detail, retry_at=retry_at)
        if not outcome.ok and not outcome.permanent:
            channels.discard(first["channel"])
    return attempts


def deliver_for(store: Store, known: Mapping[str, Target], limit: timedelta) -> None:
    """Deliver what is due and what becomes due within the limit; the rest waits for the next command."""
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    end = times.now() + limit
    while True:
        deliver_due(store, known, rng, over=lambda: times.now() >= end)
        with store.read() as tx:
            waiting = [row for row in outbox.waiting(tx) if row["status"] == "pending" and row["channel"] in known]
        if not waiting or times.now() >= end or min(times.moment(row["due_at"]) for row in waiting) > end:
            return
        time.sleep(PAUSE_S)


def _compose(message: Sequence[Mapping[str, Any]]) -> Message:
    notices = [Notice(row["receiver"], Notify.from_dict(row["notification"])) for row in message]
    # Rows are claimed by channel and host, so they make exactly one group.
    (only,) = group(notices)
    return compose(only)
