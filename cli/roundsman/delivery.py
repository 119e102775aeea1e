"""Drains the outbox: claim a message, send it, settle it. At least once, and recognisable when it is twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import times
from .alerts.grouping import Group
from .config import Alerts, Settings
from .fallback import Fallback, tell_instead
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
    """The channels of everybody who can be told, by their names."""
    return {receiver.name: channels(receiver) for receiver in settings.alerts.everybody}


def faults(settings: Settings) -> list[str]:
    """What is wrong with the receivers' targets, in words without secrets."""
    named = [pair for known in channels_of(settings).values() for pair in known.items()]
    return [f"{name}: {fault}" for name, channel in named if (fault := channel.problem())]


@dataclass(frozen=True)
class Manner:
    """How a receiver is told, and who is when it cannot be."""

    style: Style = field(default_factory=Style)
    fallback: Fallback | None = None


def manners(alerts: Alerts) -> dict[str, Manner]:
    """By the receivers' names."""
    receivers = {one.name: one for one in alerts.everybody}
    return {
        name: Manner(
            Style(one.title, one.text, alerts.external_url),
            Fallback(one.fallback, tuple(channels(receivers[one.fallback])), one.fallback_after)
            if one.fallback
            else None,
        )
        for name, one in receivers.items()
    }


def deliver_due(
    store: Store,
    known: Mapping[str, Channel],
    rng: random.Random,
    clock: Callable[[], datetime] = times.now,
    over: Callable[[], bool] = lambda: False,
    told_how: Mapping[str, Manner] | None = None,
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
        manner = (told_how or {}).get(message["receiver"], Manner())
        outcome = known[message["channel"]].send(_compose(store, message, manner.style))
        attempts += 1
        now = clock()
        retry_at = next_attempt(message["attempts"] + 1, times.moment(message["created_at"]), now, outcome, rng)
        with store.write() as tx:
            detail, given_up = outcome.detail, not outcome.ok and retry_at is None
            if manner.fallback and tell_instead(tx, message, outcome, manner.fallback, now, given_up=given_up):
                detail += f"; {manner.fallback.receiver} is told instead"
            outbox.settle(tx, message, now=now, ok=outcome.ok, detail=detail, retry_at=retry_at)
        if not outcome.ok and not outcome.permanent:
            working.discard(message["channel"])
    return attempts


def deliver_for(
    store: Store, known: Mapping[str, Channel], limit: timedelta, told_how: Mapping[str, Manner] | None = None
) -> None:
    """Deliver what is due and what becomes due within the limit; the rest waits for the next command."""
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    end = times.now() + limit
    while True:
        deliver_due(store, known, rng, over=lambda: times.now() >= end, told_how=told_how)
        with store.read() as tx:
            waiting = [row for row in outbox.waiting(tx) if row["status"] == "pending" and row["channel"] in known]
        if not waiting or times.now() >= end or min(times.moment(row["due_at"]) for row in waiting) > end:
            return
        time.sleep(PAUSE_S)


def _compose(store: Store, message: Mapping[str, Any], style: Style) -> Message:
    group = Group.from_dict(message["notification"])
    with store.read() as tx:
        backups = last_proven(snapshots.held(tx, sorted({news.alert.host for news in group.notifications})))
    return compose(group, style, backups)
