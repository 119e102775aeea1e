"""What people read: one message about one host for one receiver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, StrictUndefined, Template, select_autoescape

from roundsman.alerts.grouping import Group
from roundsman.alerts.model import NotifyKind, Status
from roundsman.notify.view import AlertView, one_line, view

TITLE_LENGTH = 120  # what a phone shows on its lock screen, with some margin

_TEXT = """\
{% for alert in alerts %}
{{ alert | headline }}
  {{ alert.summary }}
  Where:    {{ alert.host }}, check {{ alert.check }}
  Since:    {{ alert.since | moment }}
{% if alert.until %}
  Until:    {{ alert.until | moment }}
{% endif %}
{% if alert.acknowledged_by %}
  Taken by: {{ alert.acknowledged_by }}
{% endif %}
{% if alert.facts %}
  Evidence: {{ alert.facts }}
{% endif %}
  Run:      {{ alert.run }}
  Next:     {{ alert.command }}

{% endfor %}
"""


@dataclass(frozen=True)
class Message:
    """A message as every channel gets it; a channel takes the text or builds its own form from `alerts`."""

    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    host: str  # what people call the group
    kind: NotifyKind
    severity: Status
    title: str
    text: str
    alerts: tuple[AlertView, ...]
    key: str  # idempotency key: the same for every attempt to deliver the same news to the same receiver

    @property
    def firing(self) -> bool:
        return self.kind is not NotifyKind.RESOLVED


def compose(group: Group) -> Message:
    """The message of one group."""
    news = "\n".join((group.receiver, *sorted(item.key for item in group.notifications)))
    alerts = tuple(view(item) for item in group.notifications)
    return Message(
        receiver=group.receiver,
        group_key=group.key,
        group_labels=group.labels,
        host=one_line(group.name),
        kind=group.kind,
        severity=group.severity,
        title=_title(group, alerts),
        text=_template().render(alerts=alerts).strip() + "\n",
        alerts=alerts,
        key=hashlib.sha256(news.encode("utf-8", "surrogatepass")).hexdigest()[:32],
    )


def _title(group: Group, alerts: tuple[AlertView, ...]) -> str:
    host, firing = one_line(group.name), [alert for alert in alerts if alert.firing]
    if len(firing) == 1:
        title = f"{group.severity} {host}: {firing[0].summary}"
    elif firing:
        title = f"{len(firing)} problems on {host}, worst {group.severity}"
    elif len(alerts) == 1:
        title = f"RESOLVED {host}: {_resolution(alerts[0])}"
    else:
        title = f"RESOLVED {host}: {len(alerts)} problems"
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…"


def _resolution(alert: AlertView) -> str:
    return f"{alert.message} (by {alert.resolved_by})" if alert.resolved_by else alert.message


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=select_autoescape(default_for_string=False),  # plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"headline": _headline, "moment": _moment}
    return environment.from_string(_TEXT)


def _headline(alert: AlertView) -> str:
    by = f" by {alert.resolved_by}" if alert.resolved_by else ""
    return f"{alert.status} ({alert.kind})" if alert.firing else f"RESOLVED{by} (was {alert.severity})"


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
