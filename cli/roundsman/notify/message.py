"""What people read: one message about one host for one receiver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, select_autoescape

from roundsman.alerts.grouping import Group
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Status

TITLE_LENGTH = 120  # what a phone shows on its lock screen, with some margin

_TEXT = """\
{% for news in notifications %}
{{ news | headline }}
  {{ news.alert.summary | line }}
  Where:    {{ news.alert.host | line }}, check {{ news.alert.check | line }}
  Since:    {{ news.alert.opened_at | moment }}
{% if news.alert.resolved_at %}
  Until:    {{ news.alert.resolved_at | moment }}
{% endif %}
{% if news.alert.acknowledged_by %}
  Taken by: {{ news.alert.acknowledged_by | line }}
{% endif %}
{% if news.alert.evidence | facts %}
  Evidence: {{ news.alert.evidence | facts }}
{% endif %}
  Run:      {{ news.alert.run }}
  Next:     roundsman alerts show {{ news.alert.fingerprint }}

{% endfor %}
"""

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
class Message:
    """A message as every channel gets it; a channel takes the text or builds its own form from `notifications`."""

    receiver: str
    host: str
    kind: NotifyKind
    severity: Status
    title: str
    text: str
    notifications: tuple[Notify, ...]
    key: str  # idempotency key: the same for every attempt to deliver the same news to the same receiver

    @property
    def firing(self) -> bool:
        return self.kind is not NotifyKind.RESOLVED


def compose(group: Group) -> Message:
    """The message of one group."""
    news = "\n".join((group.receiver, *sorted(item.key for item in group.notifications)))
    return Message(
        receiver=group.receiver,
        host=group.host,
        kind=group.kind,
        severity=group.severity,
        title=_title(group),
        text=_template().render(notifications=group.notifications).strip() + "\n",
        notifications=group.notifications,
        key=hashlib.sha256(news.encode("utf-8", "surrogatepass")).hexdigest()[:32],
    )


def _title(group: Group) -> str:
    firing = group.firing
    if len(firing) == 1:
        title = f"{group.severity} {group.host}: {firing[0].alert.summary}"
    elif firing:
        title = f"{len(firing)} problems on {group.host}, worst {group.severity}"
    elif len(group.notifications) == 1:
        title = f"RESOLVED {group.host}: {_resolution(group.notifications[0].alert)}"
    else:
        title = f"RESOLVED {group.host}: {len(group.notifications)} problems"
    title = _line(title)
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…"


def _resolution(alert: AlertState) -> str:
    return f"{alert.message} (by {alert.resolved_by})" if alert.resolved_by else alert.message


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=select_autoescape(default_for_string=False),  # plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"headline": _headline, "line": _line, "moment": _moment, "facts": _facts}
    return environment.from_string(_TEXT)


def _headline(news: Notify) -> str:
    by = f" by {_line(news.alert.resolved_by)}" if news.alert.resolved_by else ""
    if news.kind is NotifyKind.RESOLVED:
        return f"RESOLVED{by} (was {news.alert.severity})"
    return f"{news.alert.status} ({news.kind})"


def _line(text: str) -> str:
    """One line without control characters: it comes from a host that may be broken or hostile."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _facts(evidence: Mapping[str, Any]) -> str:
    facts = [(label, evidence.get(key)) for key, label in _FACTS.items()]
    unit = evidence.get("unit") or ""
    shown = [
        f"{label} {_line(str(fact))}{' ' + _line(str(unit)) if label == 'value' and unit else ''}"
        for label, fact in facts
        if fact not in (None, "", 0) or (label == "value" and fact == 0)
    ]
    return ", ".join(shown)
