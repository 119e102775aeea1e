"""An alert as messages tell it: in words for people, without secrets. What templates and channels are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from roundsman.alerts.labels import labels_of
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Status
from roundsman.notify.recommended import recommended
from roundsman.notify.redact import scrub

# What of the evidence tells most, in this order, with the word that people read.
_FACTS = {
    "target": "on",
    "value": "value",
    "warn": "warn",
    "crit": "crit",
    "reason": "reason",
    "snapshot": "snapshot",
    "failed_level": "failed level",
    "mismatch_count": "mismatches",
    "repository": "repository",
    "task": "task",
    "remedy": "remedy",
}


@dataclass(frozen=True)
class AlertView:
    """One alert of a message. docs/alerts.md lists these fields for those who write templates."""

    host: str
    check: str
    kind: NotifyKind
    status: Status
    severity: Status
    summary: str  # the message, and why the check is no longer measured
    message: str  # of the newest result
    since: datetime
    updated_at: datetime
    until: datetime | None
    acknowledged_by: str | None
    resolved_by: str | None
    evidence: Mapping[str, Any]
    facts: str  # the evidence that tells most, on one line
    run: str
    fingerprint: str
    episode: int
    labels: Mapping[str, str]
    priority: str | None
    command: str  # shows the alert
    recommended: str  # looks closer at what is wrong, or does again what failed
    backup: str | None  # what of the host could be restored; None when nothing is known
    runbook_url: str | None
    url: str | None  # a page on which somebody can acknowledge it

    @property
    def firing(self) -> bool:
        return self.kind is not NotifyKind.RESOLVED


def view(news: Notify, external_url: str | None = None, backup: str | None = None) -> AlertView:
    alert = news.alert
    evidence = scrub(alert.evidence)
    command = f"roundsman alerts show {alert.fingerprint}"
    return AlertView(
        host=one_line(alert.host),
        check=one_line(alert.check),
        kind=news.kind,
        status=alert.status,
        severity=alert.severity,
        summary=one_line(scrub(alert.summary)),
        message=one_line(scrub(alert.message)),
        since=alert.opened_at,
        updated_at=alert.updated_at,
        until=alert.resolved_at,
        acknowledged_by=_name(alert.acknowledged_by),
        resolved_by=_name(alert.resolved_by),
        evidence=evidence,
        facts=_facts(evidence),
        run=alert.run,
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        labels=dict(news.labels) or _labels(alert),
        priority=news.labels.get("priority"),
        command=command,
        recommended=recommended(one_line(alert.host), alert.check, alert.run) if alert.host else command,
        backup=backup,
        runbook_url=_web_address(evidence.get("runbook_url")),
        url=f"{external_url.rstrip('/')}/alerts/{alert.fingerprint}" if external_url else None,
    )


def _labels(alert: AlertState) -> dict[str, str]:
    """As routes see them: a check that can no longer be looked at keeps its severity, or its page would seem over."""
    if alert.labels:
        return labels_of(alert)
    severity = alert.known_status if alert.is_open else alert.severity
    return {"host": alert.host, "check": alert.check, "severity": severity.lower()}


def one_line(text: str) -> str:
    """One line without control characters: it comes from a host that may be broken or hostile."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _web_address(value: object) -> str | None:
    """Nothing else becomes a link: the value has been on the host."""
    web = isinstance(value, str) and value.startswith(("https://", "http://")) and value.isprintable()
    return str(value) if web and " " not in str(value) else None


def _name(person: str | None) -> str | None:
    return one_line(person) if person else None


def _facts(evidence: Mapping[str, Any]) -> str:
    facts = [(label, evidence.get(key)) for key, label in _FACTS.items()]
    unit = evidence.get("unit") or ""
    shown = [
        f"{label} {one_line(str(fact))}{' ' + one_line(str(unit)) if label == 'value' and unit else ''}"
        for label, fact in facts
        if fact not in (None, "", 0) or (label == "value" and fact == 0)
    ]
    return ", ".join(shown)
