"""The flow of acknowledgements to those who page people themselves, and must not go on when somebody has the alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from .alerts.grouping import Group
from .alerts.model import AlertState, Notify, NotifyKind
from .store import Transaction, alerts, outbox


def pass_on(tx: Transaction, channels: Collection[str], now: datetime) -> None:
    """Tell each of these channels who has what it was told of, or may have been; once for each time it was told.

    That is read from the outbox, so it holds for whoever was told, by a route, a step, or in another's place. While a
    message about the alert is on its way nobody knows yet: then the next turn does it.
    """
    messages: dict[tuple[str, str], list[tuple[Group, Notify]]] = defaultdict(list)
    for state in map(AlertState.from_dict, alerts.acknowledged(tx) if channels else ()):
        for row in outbox.newest_about(tx, state.fingerprint, channels):
            group = Group.from_dict(row["notification"])
            (told,) = (news for news in group.notifications if news.alert.fingerprint == state.fingerprint)
            if _is_to_know(row, told, state):
                key = f"{told.key}/acknowledged/{state.acknowledged_at}"
                news = Notify(NotifyKind.ACKNOWLEDGED, state, key, told.labels)
                messages[row["channel"], row["group_key"]].append((group, news))
    for (channel, _), found in messages.items():
        group = replace(found[0][0], notifications=tuple(news for _, news in found))
        outbox.add(tx, channel=channel, group=group, run_id=None, now=now)


def _is_to_know(row: Mapping[str, Any], told: Notify, state: AlertState) -> bool:
    """Whether the other side may have paged people with this message, and does not know yet who has it."""
    if row["status"] == "pending" or told.kind is NotifyKind.RESOLVED:
        return False
    if told.kind is NotifyKind.ACKNOWLEDGED:
        return row["status"] == "withdrawn" or told.alert.acknowledged_by != state.acknowledged_by
    return bool(row["attempts"])
