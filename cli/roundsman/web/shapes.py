"""Documents of Alertmanager's API, version 2, as its clients read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from roundsman.alerts.external import RESOLVE_TIMEOUT
from roundsman.alerts.matchers import Matcher, Operator
from roundsman.alerts.model import AlertState, Notify, NotifyKind
from roundsman.alerts.seen import Seen
from roundsman.alerts.silencing import Silence
from roundsman.notify.view import view
from roundsman.times import stamp


def alert(seen: Seen, external_url: str | None, now: datetime) -> dict[str, Any]:
    """What has no end yet is said to hold for a while, as Alertmanager itself has it."""
    state = seen.alert
    return {
        "labels": dict(seen.labels),
        **_told(state, external_url),
        "startsAt": stamp(state.opened_at),
        "endsAt": stamp(state.expires_at or now + RESOLVE_TIMEOUT),
        "updatedAt": stamp(state.updated_at),
        "fingerprint": state.fingerprint,
        "receivers": [{"name": name} for name in dict.fromkeys(route.receiver for route in seen.routes)],
        "status": {
            "state": "suppressed" if seen.suppressed else "active",
            "silencedBy": list(seen.silenced_by),
            "inhibitedBy": list(seen.inhibited_by),
            "mutedBy": [],
        },
    }


def _told(state: AlertState, external_url: str | None) -> dict[str, Any]:
    """What was posted goes out as it came."""
    if state.labels:
        return {"annotations": dict(state.evidence), "generatorURL": state.generator_url}
    shown = view(Notify(NotifyKind.OPENED, state, ""), external_url)
    annotations = {
        "summary": shown.summary,
        "description": shown.facts,
        "command": shown.command,
        "runbook_url": shown.runbook_url,
    }
    return {
        "annotations": {name: text for name, text in annotations.items() if text},
        "generatorURL": shown.url or "",
    }


def silence(one: Silence, now: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "status": {"state": str(one.standing(now))},
        "matchers": [_matcher(matcher) for matcher in one.matchers],
        "startsAt": stamp(one.starts_at),
        "endsAt": stamp(one.ends_at),
        "updatedAt": stamp(one.updated_at),
        "createdBy": one.author,
        "comment": one.comment,
    }


def _matcher(matcher: Matcher) -> dict[str, Any]:
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": matcher.operator in (Operator.REGEX, Operator.NOT_REGEX),
        "isEqual": matcher.operator in (Operator.EQUAL, Operator.REGEX),
    }
