"""What each receiver knows of a group of alerts, and what it has to be told: flush(group, …, now) -> (group, news).

The timing is Alertmanager's: a new group waits for companions (group_wait), news of a known one come at most every
group_interval, and what still fires is told again after repeat_interval. Other than there, whoever was told that an
alert fires is told of its end, also when it was silenced or inhibited or went to another route meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from roundsman.alerts.model import AlertState, Notify, NotifyKind, Status


class Hold(StrEnum):
    """Why a receiver is not told of an alert that fires."""

    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"


@dataclass(frozen=True)
class Held:
    hold: Hold
    why: str


@dataclass(frozen=True)
class Member:
    """An alert as one group sees it."""

    alert: AlertState
    held: Held | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """What the receiver knows of an alert."""

    status: Status
    at: datetime
    missed: bool = False  # some target of the receiver was not told: the message was withdrawn


@dataclass(frozen=True)
class Timing:
    """Alertmanager's words, as the group's route has them."""

    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=4)


@dataclass(frozen=True)
class GroupState:
    """One group of one receiver. `key` names route and labels, as in Alertmanager's webhooks."""

    key: str
    receiver: str
    labels: Mapping[str, str]
    flush_at: datetime
    told: Mapping[str, Told] = field(default_factory=dict)  # by fingerprint, while it has not been told of the end
    held: Mapping[str, str] = field(default_factory=dict)  # by fingerprint, Hold: what it is not told of, and why
    notified_at: datetime | None = None

    @property
    def id(self) -> str:
        """A short name for the key."""
        return hashlib.sha256(f"{self.receiver}\n{self.key}".encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def has_missed(self, names: Collection[str]) -> Self:
        """These were withdrawn: whenever they may be told again, they are told as if they were new."""
        told = {name: replace(known, missed=known.missed or name in names) for name, known in self.told.items()}
        return replace(self, told=told)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times as RFC 3339."""
        return {
            "key": self.key,
            "receiver": self.receiver,
            "labels": dict(self.labels),
            "flush_at": self.flush_at.isoformat(),
            "told": {name: [str(t.status), t.at.isoformat(), t.missed] for name, t in self.told.items()},
            "held": dict(self.held),
            "notified_at": self.notified_at.isoformat() if self.notified_at else None,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        return cls(
            key=plain["key"],
            receiver=plain["receiver"],
            labels=plain["labels"],
            flush_at=datetime.fromisoformat(plain["flush_at"]),
            told={n: Told(Status(s), datetime.fromisoformat(at), *m) for n, (s, at, *m) in plain["told"].items()},
            held=plain["held"],
            notified_at=datetime.fromisoformat(plain["notified_at"]) if plain["notified_at"] else None,
        )


@dataclass(frozen=True)
class Note:
    """What the timeline of an alert is to say."""

    fingerprint: str
    reason: str
    sentence: str


# A process that waits for others to be through with the store has looked at the clock before them.
BEHIND = timedelta(minutes=5)


@dataclass(frozen=True)
class Flush:
    """`group` is None when nothing is left of it; `news` is empty when nobody is to be told anything."""

    group: GroupState | None
    news: tuple[Notify, ...]
    notes: tuple[Note, ...]


def first_flush(members: Iterable[Member], timing: Timing, now: datetime) -> datetime:
    """When a new group is told of: an alert that is older than group_wait has no companions to wait for."""
    return max(now, min(member.alert.opened_at for member in members) + timing.group_wait)


def flush(
    group: GroupState, members: Sequence[Member], ended: Sequence[Member], timing: Timing, now: datetime
) -> Flush:
    """Look at a group whose time has come. `ended` are those of its told alerts that are resolved."""
    over = {member.alert.fingerprint for member in ended}
    told = {name: known for name, known in group.told.items() if name not in over}
    held = {member.alert.fingerprint: str(member.held.hold) for member in members if member.held}
    notes = [
        Note(m.alert.fingerprint, m.held.hold, f"{group.receiver} is not told: {m.held.why}")
        for m in members
        if m.held and group.held.get(m.alert.fingerprint) != m.held.hold
    ]
    free = [member for member in members if member.held is None]
    kinds = {m.alert.fingerprint: _kind(m.alert, group.told.get(m.alert.fingerprint)) for m in free}
    is_news = any(kind is not NotifyKind.STILL for kind in kinds.values())
    # What was told far in the future was told by a clock that was ahead: nobody knows how long ago.
    since = group.notified_at
    repeats = bool(free) and since is not None and not since - BEHIND <= now < since + timing.repeat_interval
    news = [_notify(group, NotifyKind.RESOLVED, member, now) for member in ended]
    if is_news or repeats or ended:
        news = [*(_notify(group, kinds[member.alert.fingerprint], member, now) for member in free), *news]
    for alert in (member.alert for member in free):
        told[alert.fingerprint] = _known(alert, told.get(alert.fingerprint), kinds[alert.fingerprint], now)
    notes += [
        Note(one.alert.fingerprint, "notified", f"{group.receiver} is told: {one.kind}")
        for one in news
        if repeats or one.kind is not NotifyKind.STILL
    ]
    after = replace(group, told=told, held=held, flush_at=now + timing.group_interval)
    if news:
        after = replace(after, notified_at=now)
    return Flush(after if members or told else None, tuple(news), tuple(notes))


def _notify(group: GroupState, kind: NotifyKind, member: Member, now: datetime) -> Notify:
    """Its key is the same for every attempt to tell it, and for nothing else: receivers may drop what they had."""
    key = f"{group.id}/{now.isoformat()}/{member.alert.fingerprint}/{kind}"
    return Notify(kind, member.alert, key, member.labels)


def _kind(alert: AlertState, told: Told | None) -> NotifyKind:
    if told is None:
        return NotifyKind.OPENED
    if alert.known_status.rank > told.status.rank:
        return NotifyKind.WORSENED
    if alert.expired_at is not None and alert.expired_at > told.at:
        return NotifyKind.EXPIRED
    return NotifyKind.OPENED if told.missed else NotifyKind.STILL


def _known(alert: AlertState, before: Told | None, kind: NotifyKind, now: datetime) -> Told:
    """Knowing follows an improvement down, so that a relapse is told again.

    UNKNOWN is no improvement: CRITICAL, UNKNOWN, CRITICAL is one problem, told once.
    """
    if before is None or kind is not NotifyKind.STILL:
        return Told(alert.known_status, now)
    if alert.known_status is Status.WARNING and before.status is not Status.WARNING:
        return replace(before, status=Status.WARNING)
    return before
