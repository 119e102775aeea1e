"""Generic webhook: POST of a JSON document close to the one that Alertmanager sends (docs/alerts.md)."""

from __future__ import annotations

from typing import Any

from roundsman import times
from roundsman.notify.channel import Outcome, Target
from roundsman.notify.http import Request, ask, encode, url_problem
from roundsman.notify.message import Message
from roundsman.notify.signature import secret_problem, signed
from roundsman.notify.view import AlertView, rfc3339

PAYLOAD_VERSION = "1"
UNSET_TIME = "0001-01-01T00:00:00Z"  # what Alertmanager sends for a time that has not come yet


class Webhook:
    """Posts to an http or https URL."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def problem(self) -> str | None:
        if problem := url_problem(self._target.url):
            return problem
        if self._target.secret is not None and (problem := secret_problem(self._target.secret)):
            return problem
        bad = [key for key, value in self._target.headers.items() if not _is_header(key, value)]
        return f"header {bad[0]!r} has a name or value that HTTP does not allow" if bad else None

    def send(self, message: Message) -> Outcome:
        problem = self.problem()
        if problem is not None:
            return Outcome(ok=False, permanent=True, detail=problem)
        body = encode(payload(message))
        headers = {**self._target.headers, "Idempotency-Key": message.key}
        if self._target.secret is not None:
            headers |= signed(self._target.secret, message.key, int(times.now().timestamp()), body)
        request = Request("POST", self._target.url, body, headers, self._target.timeout_s, secrets=self._target.secrets)
        return ask(request).outcome


def _is_header(key: str, value: str) -> bool:
    token = bool(key) and all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in key)
    return token and key.isascii() and value.isascii() and value.isprintable() and value == value.strip()


def payload(message: Message) -> dict[str, Any]:
    """The document, version 1, as docs/alerts.md describes it."""
    alerts = [_alert(alert) for alert in message.alerts]
    labels = [alert["labels"].items() for alert in alerts]
    common = [pair for pair in labels[0] if all(pair in other for other in labels)]
    newest = max(message.alerts, key=lambda alert: alert.updated_at)
    return {
        "version": PAYLOAD_VERSION,
        "receiver": message.receiver,
        "status": "firing" if message.firing else "resolved",
        "groupKey": message.group_key,
        "groupLabels": dict(message.group_labels),
        "commonLabels": dict(common),
        "title": message.title,
        "alerts": alerts,
        **({"notes": list(message.notes)} if message.notes else {}),
        "run": newest.run,
    }


def _alert(alert: AlertView) -> dict[str, Any]:
    links = {"generatorURL": alert.url} if alert.url else {}
    known = {"backup": alert.backup, "runbook_url": alert.runbook_url, "acknowledged_by": alert.acknowledged_by}
    return {
        "status": "firing" if alert.firing else "resolved",
        "labels": dict(alert.labels),
        "annotations": {
            "summary": alert.summary,
            "kind": str(alert.kind),
            "command": alert.command,
            "recommended": alert.recommended,
            **{name: text for name, text in known.items() if text},
        },
        "startsAt": rfc3339(alert.since),
        "endsAt": rfc3339(alert.until) if alert.until else UNSET_TIME,
        **links,
        "fingerprint": alert.fingerprint,
        "evidence": dict(alert.evidence),
        "run": alert.run,
    }
