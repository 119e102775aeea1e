"""PagerDuty's Events API v2: each alert is one event, and PagerDuty makes incidents of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from roundsman.alerts.model import NotifyKind, Status
from roundsman.notify.channel import Outcome
from roundsman.notify.http import Request, ask, encode, url_problem
from roundsman.notify.message import Message
from roundsman.notify.view import AlertView, rfc3339

# PagerDuty's limits.
_LONGEST_SUMMARY = 1024
_LARGEST_EVENT = 512_000
_KEY_LENGTH = 32
_SEVERITIES = {Status.CRITICAL: "critical", Status.UNKNOWN: "error", Status.WARNING: "warning", Status.OK: "info"}


@dataclass(frozen=True)
class PagerDuty:
    """One event for each alert of a message, recognised by the alert's fingerprint: a repeat changes nothing there."""

    routing_key: str = field(repr=False)
    url: str
    timeout_s: float = 10.0

    def problem(self) -> str | None:
        if len(self.routing_key) != _KEY_LENGTH or not (self.routing_key.isascii() and self.routing_key.isalnum()):
            return "routing_key is not the key of an Events API v2 integration: 32 letters and digits"
        return url_problem(self.url)

    def send(self, message: Message) -> Outcome:
        """All events, as far as PagerDuty takes any now; one that it refuses for good does not keep the others back."""
        if problem := self.problem():
            return Outcome(ok=False, permanent=True, detail=problem)
        refused: list[Outcome] = []
        # What it knows and what goes on is told again only when nothing else is: then it is a reminder.
        news = [alert for alert in message.alerts if alert.kind is not NotifyKind.STILL] or message.alerts
        for alert in news:
            outcome = self._post(event(alert, self.routing_key, message.notes))
            if not outcome.ok and not outcome.permanent:
                return outcome
            if not outcome.ok:
                refused.append(outcome)
        if refused:
            of = f"{len(refused)} of {len(news)} events refused: " if len(news) > 1 else ""
            return Outcome(ok=False, permanent=True, detail=of + refused[0].detail)
        return Outcome(ok=True, detail=outcome.detail)

    def _post(self, document: dict[str, Any]) -> Outcome:
        request = Request(
            "POST", self.url, encode(document), timeout_s=self.timeout_s, secrets=(self.routing_key,), quotes=True
        )
        return ask(request).outcome


def event(alert: AlertView, routing_key: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    payload = {
        "summary": f"{alert.severity} {alert.host}: {alert.summary}"[:_LONGEST_SUMMARY],
        "source": alert.host,
        "severity": _SEVERITIES[alert.severity],
        "timestamp": rfc3339(alert.updated_at),
        "component": alert.check,
        "class": str(alert.evidence.get("type") or alert.check.partition(":")[0]),
        "custom_details": _details(alert, notes),
    }
    return {
        "routing_key": routing_key,
        "event_action": _action(alert),
        "dedup_key": f"roundsman-{alert.fingerprint}",
        "client": "Roundsman",
        "payload": payload,
        "links": [{"href": href, "text": text} for href, text in _links(alert) if href],
    }


def _links(alert: AlertView) -> list[tuple[str | None, str]]:
    return [(alert.url, "Show and acknowledge"), (alert.runbook_url, "Runbook")]


def _action(alert: AlertView) -> str:
    if not alert.firing:
        return "resolve"
    return "acknowledge" if alert.kind is NotifyKind.ACKNOWLEDGED else "trigger"


def _details(alert: AlertView, notes: Sequence[str]) -> dict[str, Any]:
    """What is known, with the evidence as far as PagerDuty takes it."""
    details: dict[str, Any] = {
        **({"notes": list(notes)} if notes else {}),
        "since": rfc3339(alert.since),
        "run": alert.run,
        "command": alert.command,
        "recommended": alert.recommended,
        "backup": alert.backup,
        "evidence": dict(alert.evidence),
    }
    if len(json.dumps(details)) > _LARGEST_EVENT - 10 * _LONGEST_SUMMARY:
        details["evidence"] = alert.facts
    return details
