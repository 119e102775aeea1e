"""The news of one group for one receiver, as one message tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from roundsman.alerts.model import Notify, NotifyKind, Status


@dataclass(frozen=True)
class Group:
    """What one message is about: each alert of the group that fires or has ended, worst first."""

    receiver: str
    key: str
    labels: Mapping[str, str]
    notifications: tuple[Notify, ...]
    instead_of: Mapping[str, str] = field(default_factory=dict)  # targets that could not be told, and why

    @property
    def name(self) -> str:
        """What people call it: its host, when there is one, else the values of its labels."""
        hosts = {news.alert.host for news in self.notifications}
        if len(hosts) == 1 and "" not in hosts:
            return hosts.pop()
        # What somebody posted need not name a host.
        checks = " ".join(sorted({news.alert.check for news in self.notifications if not news.alert.host}))
        return " ".join(self.labels.values()) or checks or f"{len(hosts)} hosts"

    @property
    def firing(self) -> tuple[Notify, ...]:
        return tuple(news for news in self.notifications if news.kind is not NotifyKind.RESOLVED)

    @property
    def acknowledges(self) -> bool:
        """Whether it says that somebody has an alert."""
        return any(news.kind is NotifyKind.ACKNOWLEDGED for news in self.notifications)

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

    def after(self, earlier: Self) -> Self:
        """This news with what `earlier` has and nobody was told yet. Of each alert the newest counts: after a time in
        which nothing could be sent, people get the state as it is, not its history.
        """
        newest = {news.alert.fingerprint: news for news in (*earlier.notifications, *self.notifications)}
        # What was new then and still fires is new to whoever missed it; but who had it then may have it no more.
        for news in earlier.notifications:
            now = newest[news.alert.fingerprint]
            if now.kind is NotifyKind.STILL and news.kind is not NotifyKind.ACKNOWLEDGED:
                newest[news.alert.fingerprint] = replace(now, kind=news.kind)
        return replace(
            self,
            notifications=worst_first(newest.values()),
            instead_of={**earlier.instead_of, **self.instead_of},
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "receiver": self.receiver,
            "key": self.key,
            "labels": dict(self.labels),
            "notifications": [news.to_dict() for news in self.notifications],
            "instead_of": dict(self.instead_of),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        news = tuple(Notify.from_dict(one) for one in plain["notifications"])
        return cls(plain["receiver"], plain["key"], plain["labels"], news, plain.get("instead_of", {}))


# The key of what takes the place of many groups.
STORM = "storm"


def calmed(groups: Sequence[Group], most: int) -> list[tuple[Group, tuple[str, ...]]]:
    """The messages for one receiver at one time, each with the keys of the groups that it speaks for.

    Of more than `most` one is made: whoever gets forty pages reads none of them.
    """
    if len(groups) <= most:
        return [(group, ()) for group in groups]
    every: dict[str, Notify] = {}
    for news in (news for group in groups for news in group.notifications):
        known = every.get(news.alert.fingerprint)
        # An alert that is in several of the groups may be new to one of them only.
        if known is None or known.kind is NotifyKind.STILL:
            every[news.alert.fingerprint] = news
    storm = replace(groups[0], key=STORM, labels={}, notifications=worst_first(every.values()))
    return [(storm, tuple(group.key for group in groups))]


def worst_first(notifications: Iterable[Notify]) -> tuple[Notify, ...]:
    return tuple(sorted(notifications, key=_badness))


def _badness(news: Notify) -> tuple[bool, int, bool, str, str]:
    alert = news.alert
    rank = -alert.severity.rank
    return news.kind is NotifyKind.RESOLVED, rank, news.kind is NotifyKind.STILL, alert.host, alert.check
