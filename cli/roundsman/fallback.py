"""What a target cannot be told is told to another receiver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .alerts.grouping import Group
from .alerts.model import Notify, NotifyKind
from .notify.channel import Outcome
from .store import Transaction, outbox


@dataclass(frozen=True)
class Fallback:
    """Who is told instead, through which channels, when a target has failed for so long, or for good."""

    receiver: str
    channels: Sequence[str]
    after: timedelta


def tell_instead(
    tx: Transaction, message: Mapping[str, Any], outcome: Outcome, fallback: Fallback, now: datetime, *, given_up: bool
) -> bool:
    """Hand over what the fallback has to know after this attempt; True when the message itself is among it.

    In the transaction in which the attempt is settled, so that no crash comes between.
    """
    waiting: list[Mapping[str, Any]] = [message] if given_up else []
    if not (outcome.ok or given_up):
        since = outbox.failing_since(tx, message["channel"]) or now
        waiting += outbox.waiting_for(tx, message["channel"], now) if now - since >= fallback.after else []
    # Who has an alert, only those are told who were told of it.
    waiting = [row for row in waiting if not _only_says_who_has_it(Group.from_dict(row["notification"]))]
    for row in waiting:
        _hand_over(tx, row, "all", Group.from_dict(row["notification"]), outcome.detail, fallback, now)
    if any(row["key"] == message["key"] for row in waiting):
        return True
    _tell_the_end(tx, message, fallback, now)
    return False


def _tell_the_end(tx: Transaction, message: Mapping[str, Any], fallback: Fallback, now: datetime) -> None:
    """Who was told instead that an alert fires is told of its end, also when the target works again."""
    group = Group.from_dict(message["notification"])
    resolved = [news for news in group.notifications if not _fires(news)]
    for channel in fallback.channels if resolved else ():
        # By alerts: a storm may have told of many groups at once, or end them.
        names = {news.alert.fingerprint for news in resolved}
        known = _known(outbox.about(tx, channel, names), message["channel"])
        if ended := tuple(news for news in resolved if news.alert.fingerprint in known):
            why = known[ended[0].alert.fingerprint]
            one = replace(fallback, channels=(channel,))
            _hand_over(tx, message, "end", replace(group, notifications=ended), why, one, now)


def _known(told: Sequence[Mapping[str, Any]], target: str) -> dict[str, str]:
    """What fires as far as these messages (oldest first) have told instead of the target, and why they did."""
    firing: dict[str, str] = {}
    for group in (Group.from_dict(row["notification"]) for row in told):
        for news in group.notifications:
            firing.pop(news.alert.fingerprint, None)
            if _fires(news) and target in group.instead_of:
                firing[news.alert.fingerprint] = group.instead_of[target]
    return firing


def _fires(news: Notify) -> bool:
    return news.kind is not NotifyKind.RESOLVED


def _only_says_who_has_it(group: Group) -> bool:
    return all(news.kind is NotifyKind.ACKNOWLEDGED for news in group.notifications)


def _hand_over(
    tx: Transaction, row: Mapping[str, Any], part: str, group: Group, why: str, fallback: Fallback, now: datetime
) -> None:
    instead_of = {**group.instead_of, row["channel"]: why}
    for channel in fallback.channels:
        # However often the attempt fails, it is handed over once.
        key = hashlib.sha256(f"{row['key']}/{part}/{channel}".encode()).hexdigest()[:32]
        if not outbox.is_there(tx, key):
            told = replace(group, receiver=fallback.receiver, instead_of=instead_of)
            outbox.add(tx, key=key, channel=channel, group=told, run_id=row["run_id"], now=now)
