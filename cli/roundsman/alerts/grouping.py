"""Notifications meet receivers: one message per host and receiver, however many of its checks have news."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from roundsman.alerts.model import AlertState, Notify, NotifyKind, Status


@dataclass(frozen=True)
class Notice:
    """One notification for one receiver: a row of the outbox."""

    receiver: str
    notify: Notify

    @property
    def key(self) -> str:
        """Idempotency key of the delivery: one per notification and receiver."""
        return f"{self.notify.key}/{self.receiver}"

    @property
    def group_key(self) -> str:
        """Rows of one group key go out in one message."""
        return group_key(self.receiver, self.notify.alert.host)

    def to_dict(self) -> dict[str, Any]:
        return {"receiver": self.receiver, "notify": self.notify.to_dict()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        return cls(plain["receiver"], Notify.from_dict(plain["notify"]))


@dataclass(frozen=True)
class Group:
    """What one message is about: the newest notification of each alert of one host, worst first."""

    receiver: str
    host: str
    notifications: tuple[Notify, ...]

    @property
    def firing(self) -> tuple[Notify, ...]:
        return tuple(news for news in self.notifications if news.kind is not NotifyKind.RESOLVED)

    @property
    def kind(self) -> NotifyKind:
        """The weightiest of what happened: news that are bad come before those that are good."""
        kinds = {news.kind for news in self.notifications}
        return next(kind for kind in NotifyKind if kind in kinds)

    @property
    def severity(self) -> Status:
        """The worst of what fires; when all is resolved, the worst of what was."""
        alerts = [news.alert for news in self.firing or self.notifications]
        return max((alert.severity for alert in alerts), key=lambda status: status.rank)


def group_key(receiver: str, host: str) -> str:
    return f"{receiver}/{host}"


def route(notify: Notify, receivers: Iterable[str]) -> list[Notice]:
    """The outbox rows of one notification."""
    return [Notice(receiver, notify) for receiver in receivers]


def group(notices: Iterable[Notice]) -> list[Group]:
    """The messages that `notices`, oldest first, make. Of several notifications of one alert the newest counts: after
    a time in which nothing could be sent, people get the state as it is, not its history.
    """
    newest: dict[tuple[str, str], dict[str, Notify]] = {}
    for notice in notices:
        alert = notice.notify.alert
        newest.setdefault((notice.receiver, alert.host), {})[alert.fingerprint] = notice.notify
    return [
        Group(receiver, host, tuple(sorted(news.values(), key=_worst_first)))
        for (receiver, host), news in newest.items()
    ]


def _worst_first(notify: Notify) -> tuple[bool, int, str]:
    alert: AlertState = notify.alert
    return notify.kind is NotifyKind.RESOLVED, -alert.severity.rank, alert.check
