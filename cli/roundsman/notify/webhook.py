"""Generic webhook: POST of a JSON document close to the one that Alertmanager sends (docs/alerts.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from roundsman.alerts.model import Notify, NotifyKind
from roundsman.notify.channel import Outcome, Target
from roundsman.notify.message import Message
from roundsman.notify.quiet import quiet
from roundsman.notify.redact import redact

SCHEMES = ("http", "https")
PAYLOAD_VERSION = "1"
UNSET_TIME = "0001-01-01T00:00:00Z"  # what Alertmanager sends for a time that has not come yet
# Also what a person mends in the course of a day: credentials, permissions, a path that is not there yet.
_TEMPORARY = frozenset({401, 403, 404, 408, 425, 429})


class Webhook:
    """Posts to an http or https URL. Redirects are not followed: they would carry the headers' secrets elsewhere."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def problem(self) -> str | None:
        try:
            url = httpx.URL(self._target.url)
        except (httpx.InvalidURL, UnicodeError):  # the error's words may hold parts of the password
            return "not a usable webhook URL; percent-encode special characters in user and password"
        if url.scheme not in SCHEMES or not url.host:
            return "not a usable webhook URL: it names no host"
        bad = [key for key, value in self._target.headers.items() if not _is_header(key, value)]
        return f"header {bad[0]!r} has a name or value that HTTP does not allow" if bad else None

    def send(self, message: Message) -> Outcome:
        problem = self.problem()
        if problem is not None:
            return Outcome(ok=False, permanent=True, detail=problem)
        quiet("httpx", "httpcore")
        headers = {**self._target.headers, "Idempotency-Key": message.key}
        try:
            with (
                httpx.Client(timeout=self._target.timeout_s, follow_redirects=False) as client,
                client.stream("POST", self._target.url, json=payload(message), headers=headers) as response,
            ):
                return _judge(response)
        except httpx.TimeoutException:
            return Outcome(ok=False, detail=f"no answer within {self._target.timeout_s:g} s")
        except (httpx.HTTPError, UnicodeError) as error:
            return Outcome(ok=False, detail=redact(f"{type(error).__name__}: {error}", self._target))


def _judge(response: httpx.Response) -> Outcome:
    """The reply's body and words are left out: a server may echo the request, secrets included."""
    status = response.status_code
    detail = f"HTTP {status} {httpx.codes.get_reason_phrase(status)}".strip()
    if response.is_success:
        return Outcome(ok=True, detail=detail)
    if response.is_redirect:
        detail += ": redirects are not followed; put the final address into roundsman.yml"
    permanent = status < 500 and status not in _TEMPORARY
    return Outcome(ok=False, permanent=permanent, detail=detail, retry_after_s=_retry_after(response.headers))


def _is_header(key: str, value: str) -> bool:
    token = bool(key) and all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in key)
    return token and key.isascii() and value.isascii() and value.isprintable() and value == value.strip()


def payload(message: Message) -> dict[str, Any]:
    """The document, version 1, as docs/alerts.md describes it."""
    alerts = [_alert(news) for news in message.notifications]
    labels = [alert["labels"].items() for alert in alerts]
    common = [pair for pair in labels[0] if all(pair in other for other in labels)]
    newest = max(message.notifications, key=lambda news: news.alert.updated_at)
    return {
        "version": PAYLOAD_VERSION,
        "receiver": message.receiver,
        "status": "firing" if message.firing else "resolved",
        "groupKey": f"{message.receiver}/{message.host}",
        "groupLabels": {"host": message.host},
        "commonLabels": dict(common),
        "title": message.title,
        "alerts": alerts,
        "run": newest.alert.run,
    }


def _alert(news: Notify) -> dict[str, Any]:
    alert = news.alert
    return {
        "status": "resolved" if news.kind is NotifyKind.RESOLVED else "firing",
        "labels": {"host": alert.host, "check": alert.check, "severity": alert.severity.lower()},
        "annotations": {
            "summary": alert.summary,
            "kind": str(news.kind),
            "command": f"roundsman alerts show {alert.fingerprint}",
        },
        "startsAt": _time(alert.opened_at),
        "endsAt": _time(alert.resolved_at) if alert.resolved_at else UNSET_TIME,
        "fingerprint": alert.fingerprint,
        "evidence": dict(alert.evidence),
        "run": alert.run,
    }


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds: a number, or a date, which is measured against the reply's own Date."""
    asked = headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
