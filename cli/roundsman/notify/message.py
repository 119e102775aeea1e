"""What people read: one message about one host for one receiver."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roundsman.alerts.grouping import Group
from roundsman.alerts.model import NotifyKind, Status
from roundsman.notify.templates import DEFAULT_TEXT, Style, TemplateError, render
from roundsman.notify.view import AlertView, one_line, view

TITLE_LENGTH = 120  # what a phone shows on its lock screen, with some margin
TEXT_LENGTH = 100_000


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
    notes: tuple[str, ...]  # why it comes to this receiver, when it was meant for another
    key: str  # idempotency key: the same for every attempt to deliver the same news to the same receiver

    @property
    def firing(self) -> bool:
        return self.kind is not NotifyKind.RESOLVED


_DEFAULT = Style()


def compose(group: Group, style: Style = _DEFAULT, backups: Mapping[str, str] | None = None) -> Message:
    """The message of one group. `backups`: host -> what of it could be restored.

    A template that fails is told of in the message and costs nobody the news.
    """
    facts = facts_of(group, style.external_url, backups)
    faults: list[str] = []
    title = _own("title", style.title, facts, faults) or facts["title"]
    text = _own("text", style.text, facts, faults) or render(DEFAULT_TEXT, facts)
    parts = [*facts["notes"], text, *faults]
    news = "\n".join((group.receiver, *sorted(item.key for item in group.notifications)))
    return Message(
        receiver=group.receiver,
        group_key=group.key,
        group_labels=group.labels,
        host=one_line(group.name),
        kind=group.kind,
        severity=group.severity,
        title=_cut(one_line(title), TITLE_LENGTH),
        text=_cut("\n\n".join(_printable(part).strip("\n") for part in parts), TEXT_LENGTH) + "\n",
        alerts=tuple(facts["alerts"]),
        notes=tuple(facts["notes"]),
        key=hashlib.sha256(news.encode("utf-8", "surrogatepass")).hexdigest()[:32],
    )


def facts_of(group: Group, external_url: str | None = None, backups: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What templates know, as docs/alerts.md has it."""
    known = backups or {}
    alerts = [view(news, external_url, known.get(news.alert.host)) for news in group.notifications]
    return {
        "receiver": group.receiver,
        "host": one_line(group.name),
        "status": "firing" if group.firing else "resolved",
        "kind": str(group.kind),
        "severity": str(group.severity),
        "title": _title(group, alerts),
        "alerts": alerts,
        "counts": _counts(alerts),
        "firing": [alert for alert in alerts if alert.firing],
        "resolved": [alert for alert in alerts if not alert.firing],
        "notes": [_note(target, why) for target, why in group.instead_of.items()],
    }


def _counts(alerts: Sequence[AlertView]) -> str:
    """`40 x disk, 12 x load`, the most first, of what fires."""
    found = Counter(alert.check.partition(":")[0] for alert in alerts if alert.firing)
    return ", ".join(f"{number} x {check}" for check, number in found.most_common(10))


def _note(target: str, why: str) -> str:
    return f"This was meant for {one_line(target)}, which could not be told: {one_line(why)}"


def _own(name: str, source: str | None, facts: Mapping[str, Any], faults: list[str]) -> str | None:
    """What a receiver's own template makes; None without one, or when it fails, which `faults` then tells."""
    if source is None:
        return None
    try:
        made = render(source, facts).strip()
        said = "it makes nothing"
    except TemplateError as error:
        made, said = "", one_line(str(error))
    if not made:
        faults.append(f"(The {name} template of receiver {facts['receiver']} failed, this is the default: {said})")
    return made or None


def _title(group: Group, alerts: Sequence[AlertView]) -> str:
    host, firing = one_line(group.name), [alert for alert in alerts if alert.firing]
    if group.kind is NotifyKind.ACKNOWLEDGED:
        what = firing[0].summary if len(firing) == 1 else f"{len(firing)} problems"
        title = f"ACKNOWLEDGED {host}: {what} (by {firing[0].acknowledged_by})"
    elif len(firing) == 1:
        title = f"{group.severity} {host}: {firing[0].summary}"
    elif firing:
        title = f"{len(firing)} problems on {host}, worst {group.severity}"
    elif len(alerts) == 1:
        title = f"RESOLVED {host}: {_resolution(alerts[0])}"
    else:
        title = f"RESOLVED {host}: {len(alerts)} problems"
    return _cut(title, TITLE_LENGTH)


def _resolution(alert: AlertView) -> str:
    return f"{alert.message} (by {alert.resolved_by})" if alert.resolved_by else alert.message


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _printable(text: str) -> str:
    """Without what would steer a terminal, or what no mail can hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)
