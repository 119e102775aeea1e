"""Drains the outbox: claim a message, send it, settle it. At least once, and recognisable when it is twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from . import times
from .alerts.grouping import Group
from .config import Alerts, Settings
from .notify.backups import last_proven
from .notify.channel import Channel
from .notify.message import Message, compose
from .notify.open import channels
from .notify.retry import next_attempt
from .notify.templates import Style
from .store import Store, outbox, snapshots

# Longer than any attempt takes; a claim of a process that died is free again after it.
LEASE = timedelta(minutes=5)
PAUSE_S = 0.5


def channels_of(settings: Settings) -> dict[str, dict[str, Channel]]:
    """The channels of each receiver, by its name and by theirs."""
    return {receiver.name: channels(receiver) for receiver in settings.alerts.receivers}


def faults(settings: Settings) -> list[str]:
    """What is wrong with the receivers' targets, in words without secrets."""
    named = [pair for known in channels_of(settings).values() for pair in known.items()]
    return [f"{name}: {fault}" for name, channel in named if (fault := channel.problem())]


def styles(alerts: Alerts) -> dict[str, Style]:
    """How the messages of each receiver look."""
    return {one.name: Style(one.title, one.text, alerts.external_url) for one in alerts.receivers}


def deliver_due(
    store: Store,
    known: Mapping[str, Channel],
    rng: random.Random,
    clock: Callable[[], datetime] = times.now,
    over: Callable[[], bool] = lambda: False,
    looks: Mapping[str, Style] | None = None,
) -> int:
    """Send every message that is due, once each, until `over`. Returns how many attempts were made.

    A channel that fails is left alone for the rest of this turn: the next message would only wait as long again.
    """
    attempts = 0
    working = set(known)
    while working and not over():
        with store.write() as tx:
            message = outbox.claim(tx, clock(), LEASE, working)
        if not message:
            break
        outcome = known[message["channel"]].send(_compose(store, message, looks or {}))
        attempts += 1
        now = clock()
        retry_at = next_attempt(message["attempts"] + 1, times.moment(message["created_at"]), now, outcome, rng)
        with store.write() as tx:
            outbox.settle(tx, message, now=now, ok=outcome.ok, detail=outcome.detail, retry_at=retry_at)
        if not outcome.ok and not outcome.permanent:
            working.discard(message["channel"])
    return attempts


def deliver_for(
    store: Store, known: Mapping[str, Channel], limit: timedelta, looks: Mapping[str, Style] | None = None
) -> None:
    """Deliver what is due and what becomes due within the limit; the rest waits for the next command."""
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    end = times.now() + limit
    while True:
        deliver_due(store, known, rng, over=lambda: times.now() >= end, looks=looks)
        with store.read() as tx:
            waiting = [row for row in outbox.waiting(tx) if row["status"] == "pending" and row["channel"] in known]
        if not waiting or times.now() >= end or min(times.moment(row["due_at"]) for row in waiting) > end:
            return
        time.sleep(PAUSE_S)


def _compose(store: Store, message: Mapping[str, Any], looks: Mapping[str, Style]) -> Message:
    group = Group.from_dict(message["notification"])
    with store.read() as tx:
        backups = last_proven(snapshots.held(tx, sorted({news.alert.host for news in group.notifications})))
    return compose(group, looks.get(group.receiver, Style()), backups)
