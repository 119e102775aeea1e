"""The values that alert decisions are made of: events in, state kept, effects out. All times are aware datetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from roundsman.alerts.names import fingerprint


class Status(StrEnum):
    """Status of a check result, as docs/records.md has it."""

    OK = "OK"
    WARNING = "WARNING"
    UNKNOWN = "UNKNOWN"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """How bad it is: CRITICAL > UNKNOWN > WARNING > OK."""
        return list(Status).index(self)


class Phase(StrEnum):
    """Where an alert is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class NotifyKind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    WORSENED = "worsened"
    EXPIRED = "acknowledgement expired"
    ESCALATED = "escalated"
    STILL = "still firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class CheckResult:
    """One check on one host was looked at, `at` that time, by that run."""

    host: str
    check: str
    status: Status
    message: str
    evidence: Mapping[str, Any]
    run: str
    at: datetime

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.host, self.check)


@dataclass(frozen=True)
class NoData:
    """One check on one host could not be looked at; `message` says why."""

    host: str
    check: str
    message: str
    run: str
    at: datetime

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.host, self.check)


@dataclass(frozen=True)
class Acknowledge:
    """Somebody has taken the alert on, until then; without an end, for `acknowledgement.ACKNOWLEDGED_FOR`."""

    by: str
    at: datetime
    note: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Unacknowledge:
    """Somebody gives the alert back."""

    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class Resolve:
    """Somebody says that it is over; the next result that says otherwise opens it again."""

    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""

    at: datetime


Measurement = CheckResult | NoData
HumanEvent = Acknowledge | Unacknowledge | Resolve
Event = Measurement | HumanEvent | Tick


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value


@dataclass(frozen=True)
class AlertState:
    """All that is known about the alert of one check on one host."""

    fingerprint: str
    host: str
    check: str
    phase: Phase
    status: Status
    message: str  # of the newest result; NoData leaves it alone
    run: str  # of the newest result or NoData
    opened_at: datetime
    updated_at: datetime  # of the newest result or NoData: whatever is older is stale
    evidence: Mapping[str, Any] = field(default_factory=dict)
    last_known: Status | None = None  # newest WARNING or CRITICAL of this episode; says what an UNKNOWN was before
    no_data: str | None = None  # why there is no data; None while the check is measured
    labels: Mapping[str, str] = field(default_factory=dict)  # all that an alert is that somebody posted (external.py)
    generator_url: str = ""  # where that somebody shows it
    expires_at: datetime | None = None  # until when that holds unless it is said again
    acknowledged_by: str | None = None
    acknowledged_status: Status | None = None  # the worst that the person has seen; what is worse ends it
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None
    expired_at: datetime | None = None  # when an acknowledgement of this episode ran out, so that all are told again
    assigned_to: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None  # the person; None when an OK result resolved it
    episode: int = 1  # how often it has opened

    @property
    def is_open(self) -> bool:
        """True unless resolved; an acknowledged alert is still open."""
        return self.phase is not Phase.RESOLVED

    @property
    def known_status(self) -> Status:
        """What was measured last: no data neither worsens nor betters it."""
        return self.status if self.no_data is None else self.last_known or Status.UNKNOWN

    @property
    def severity(self) -> Status:
        """How bad it is, or, once resolved, how bad it was last."""
        return self.status if self.is_open else self.last_known or Status.UNKNOWN

    @property
    def summary(self) -> str:
        """One line: the message, and why it is no longer measured."""
        if self.no_data is None:
            return self.message
        was = f", was {self.last_known}: {self.message}" if self.last_known else f", was: {self.message}"
        return f"no data: {self.no_data}{was}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times as RFC 3339."""
        # Not asdict, which copies all evidence to its depth: that took longer than to keep it.
        plain = {key: _plain(value) for key, value in vars(self).items()}
        return {**plain, "evidence": dict(self.evidence), "labels": dict(self.labels)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The state that `to_dict` wrote; keys of a later version are ignored.

        Raises KeyError or ValueError when a needed key is missing or a value is not what it says.
        """
        known = {f.name: plain[f.name] for f in fields(cls) if f.name in plain}
        known["phase"] = Phase(plain["phase"])
        known["status"] = Status(plain["status"])
        for key in ("last_known", "acknowledged_status"):
            known[key] = Status(plain[key]) if plain.get(key) else None
        for key in ("opened_at", "updated_at"):
            known[key] = datetime.fromisoformat(plain[key])
        for key in ("acknowledged_at", "acknowledged_until", "expired_at", "resolved_at", "expires_at"):
            known[key] = datetime.fromisoformat(plain[key]) if plain.get(key) else None
        return cls(**known)


@dataclass(frozen=True)
class Notify:
    """Effect: tell the receivers about the alert as it is in this snapshot, once per `key`."""

    kind: NotifyKind
    alert: AlertState
    key: str
    labels: Mapping[str, str] = field(default_factory=dict)  # all that the alert was routed by; empty: its own

    def to_dict(self) -> dict[str, Any]:
        plain = {"kind": str(self.kind), "key": self.key, "alert": self.alert.to_dict()}
        return {**plain, "labels": dict(self.labels)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        alert = AlertState.from_dict(plain["alert"])
        return cls(NotifyKind(plain["kind"]), alert, plain["key"], plain.get("labels", {}))


Effect = Notify
