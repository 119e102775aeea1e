"""Whether what waits to be told is still worth telling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from roundsman.alerts.grouping import Group
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Phase


def outdated(group: Group, alerts: Mapping[str, AlertState]) -> str | None:
    """Why nobody needs this message any more; None while somebody does. `alerts` are as they are now.

    While one alert of it is needed it goes out whole: what was tried once has to be repeated as it was.
    """
    reasons = [_outdated(news, alerts.get(news.alert.fingerprint)) for news in group.notifications]
    said = dict.fromkeys(reason for reason in reasons if reason)
    return None if None in reasons else ", ".join(said)


def _outdated(news: Notify, alert: AlertState | None) -> str | None:
    """An end is always needed: whoever may have heard of the beginning waits for it."""
    if alert is None or news.kind is NotifyKind.RESOLVED:
        return None
    if news.kind is NotifyKind.ACKNOWLEDGED:
        return None if alert.phase is Phase.ACKNOWLEDGED else f"{news.alert.acknowledged_by} does not have it any more"
    if alert.phase is Phase.OPEN:
        return None
    if alert.phase is Phase.ACKNOWLEDGED:
        return f"acknowledged by {alert.acknowledged_by}{_at(alert.acknowledged_at)}"
    by = f" by {alert.resolved_by}" if alert.resolved_by else ""
    return f"resolved{by}{_at(alert.resolved_at)}"


def _at(time: datetime | None) -> str:
    return f" at {time:%Y-%m-%d %H:%M:%S %Z}" if time else ""
