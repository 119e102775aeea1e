"""Silences: alerts that nobody is to be told of for a while, because a person or a run said so. Each has an end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from roundsman.alerts.intervals import Intervals, containing
from roundsman.alerts.matchers import Labels, Matcher, Matchers, Operator, matches_all, parse, text_of
from roundsman.alerts.model import AlertState
from roundsman.alerts.names import FRESHNESS, RESERVED_NAMES, CheckKind, check_kind

# What "until it resolves" means at most: an alert that lasts longer deserves a second thought.
LONGEST_UNTIL_RESOLVED = timedelta(days=7)
LONGEST_RUN = timedelta(days=1)
# A run that breaks backups must be heard of, whatever it declared.
NEVER_BY_A_RUN = frozenset({CheckKind.BACKUP, CheckKind.VERIFY, CheckKind.DRILL, *FRESHNESS})


class SilenceError(ValueError):
    """There can be no such silence; the message says why."""


class Standing(StrEnum):
    """Where a silence is in its life; the words are Alertmanager's."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Silence:
    """A person's. While it is active, alerts that match all matchers are not notified."""

    id: str
    matchers: Matchers
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    alert: str | None = None  # fingerprint of the alert whose end is the silence's end, too
    during: tuple[str, ...] = ()  # time intervals outside of which it does not count

    def __post_init__(self) -> None:
        if all(matcher.matches({}) for matcher in self.matchers):
            raise SilenceError(f"{text_of(self.matchers)} would silence everything: name a label that alerts must have")
        if not self.author.strip() or not self.comment.strip():
            raise SilenceError("a silence says who made it and why")
        if self.ends_at < self.starts_at:
            raise SilenceError("a silence ends after it starts")
        if self.alert and self.ends_at - self.starts_at > LONGEST_UNTIL_RESOLVED:
            raise SilenceError(f"until an alert resolves is at most {LONGEST_UNTIL_RESOLVED.days} days")

    def standing(self, now: datetime) -> Standing:
        if self.ends_at <= now:
            return Standing.EXPIRED
        return Standing.ACTIVE if self.starts_at <= now else Standing.PENDING

    def expired(self, now: datetime) -> Silence:
        """The silence, over from now on. Raises SilenceError when it is over already."""
        if self.standing(now) is Standing.EXPIRED:
            raise SilenceError(f"it is over since {self.ends_at:%Y-%m-%d %H:%M}Z")
        return replace(self, starts_at=min(self.starts_at, now), ends_at=now, updated_at=now)

    def edited(self, now: datetime, *, ends_at: datetime | None = None, comment: str | None = None) -> Silence:
        """The silence with another end or comment. Raises SilenceError when it is over already: make a new one."""
        if self.standing(now) is Standing.EXPIRED:
            raise SilenceError(f"it is over since {self.ends_at:%Y-%m-%d %H:%M}Z: add a new one")
        return replace(self, ends_at=ends_at or self.ends_at, comment=comment or self.comment, updated_at=now)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times as RFC 3339."""
        times = {name: getattr(self, name).isoformat() for name in ("starts_at", "ends_at", "updated_at")}
        return {
            "id": self.id,
            "matchers": list(map(str, self.matchers)),
            "author": self.author,
            "comment": self.comment,
            **times,
            "alert": self.alert,
            "during": list(self.during),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        starts_at, ends_at, updated_at = (
            datetime.fromisoformat(plain[name]) for name in ("starts_at", "ends_at", "updated_at")
        )
        return cls(
            id=plain["id"],
            matchers=tuple(matcher for text in plain["matchers"] for matcher in parse(text)),
            author=plain["author"],
            comment=plain["comment"],
            starts_at=starts_at,
            ends_at=ends_at,
            updated_at=updated_at,
            alert=plain["alert"],
            during=tuple(plain["during"]),
        )


class Silencer:
    """The silences that count now; not those whose time intervals are configured no more: better told than lost.

    They are found by the values that they demand, so that an alert costs the same, however many silences there are.
    """

    def __init__(self, silences: Iterable[Silence], now: datetime, intervals: Intervals) -> None:
        self._by_label: dict[tuple[str, str], list[Silence]] = {}
        self._others: list[Silence] = []
        for silence in silences:
            in_its_time = not silence.during or containing(silence.during, now, intervals)
            if silence.standing(now) is Standing.ACTIVE and in_its_time:
                self._where(silence).append(silence)

    def _where(self, silence: Silence) -> list[Silence]:
        for matcher in silence.matchers:
            if matcher.operator is Operator.EQUAL and matcher.value:
                return self._by_label.setdefault((matcher.name, matcher.value), [])
        return self._others

    def silencing(self, labels: Labels) -> list[Silence]:
        """The silences that keep an alert with these labels from being notified."""
        by_label = (one for label in labels.items() for one in self._by_label.get(label, ()))
        return [one for one in (*by_label, *self._others) if matches_all(one.matchers, labels)]


def of_alert(alert: AlertState) -> Matchers:
    """The matchers of one alert and no other: of what was posted, all its labels make it what it is."""
    labels = alert.labels or {"host": alert.host, "check": alert.check}
    return tuple(Matcher(name, Operator.EQUAL, value) for name, value in sorted(labels.items()) if value)


@dataclass(frozen=True)
class RunSilence:
    """A run's: the symptoms that it declared, on its own hosts, until it is over, and never longer than its limit."""

    run: str
    hosts: frozenset[str]
    symptoms: tuple[Matchers, ...]
    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        if not all(self.symptoms):
            raise SilenceError("a run silences only what it declares")
        if not timedelta(0) <= self.ends_at - self.starts_at <= LONGEST_RUN:
            raise SilenceError(f"a run silences for at most {LONGEST_RUN // timedelta(hours=1)} hours")

    def silences(self, labels: Labels, now: datetime) -> bool:
        if not self.starts_at <= now < self.ends_at or labels.get("host") not in self.hosts:
            return False
        if check_kind(labels.get("check", "")) in NEVER_BY_A_RUN:
            return False
        return any(matches_all(matchers, labels) for matchers in self.symptoms)

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "hosts": sorted(self.hosts),
            "symptoms": [text_of(matchers) for matchers in self.symptoms],
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        return cls(
            plain["run"],
            frozenset(plain["hosts"]),
            tuple(parse(text) for text in plain["symptoms"]),
            datetime.fromisoformat(plain["starts_at"]),
            datetime.fromisoformat(plain["ends_at"]),
        )


def silenced_by_run(labels: Labels, silences: Iterable[RunSilence], now: datetime) -> str | None:
    """The run that explains an alert with these labels now."""
    return next((silence.run for silence in silences if silence.silences(labels, now)), None)


def symptom(text: str) -> Matchers:
    """What a run declares: matchers, or the name of a check or kind of check (`reachable`, `run`, `data-disk`).

    Raises SilenceError when a run may not silence it.
    """
    if re.search(r"[=~]", text):
        return parse(text)
    if text in NEVER_BY_A_RUN:
        raise SilenceError(f"{text} alerts are never silenced by a run")
    if text in RESERVED_NAMES:
        # `run` is also `run:rounds`.
        return (Matcher("check", Operator.REGEX, f"{text}(:.*)?"),)
    return (Matcher("check", Operator.EQUAL, text),)
