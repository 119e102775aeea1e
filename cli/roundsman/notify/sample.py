"""Messages about nothing: what receivers and templates are tried with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from roundsman.alerts.grouping import Group
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Phase, Status
from roundsman.alerts.names import fingerprint
from roundsman.notify.message import facts_of
from roundsman.notify.templates import TemplateError, render

HOST, CHECK = "example-host", "test"
_DISK = {"type": "filesystem", "target": "/var", "value": 97, "unit": "%", "warn": "80%", "crit": "90%"}


def trial(receiver: str, by: str, now: datetime, *, resolved: bool = False) -> Group:
    """A test alert that says of itself what it is, or its end."""
    said = f"TEST by {by}: nothing is wrong, receiver {receiver} is being tried"
    news = _news(CHECK, said, now, _DISK)
    return _group(receiver, _ended(news, now) if resolved else news)


def template_fault(template: str) -> str | None:
    """What is wrong with a template: it is tried with several alerts, with one, and with an end."""
    now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    disk, backup = _news("data-disk", "/var 97% used", now, _DISK), _news("backup:shop", "it failed", now, {})
    for news in ((disk, backup), (disk,), (_ended(disk, now),)):
        group = _group("example", *news)
        try:
            made = render(template, facts_of(group))
        except TemplateError as error:
            return str(error)
        if not made.strip():
            return "it makes nothing"
    return None


def _group(receiver: str, *news: Notify) -> Group:
    return Group(receiver, f'{{}}:{{host="{HOST}"}}', {"host": HOST}, news)


def _news(check: str, said: str, now: datetime, evidence: Mapping[str, Any]) -> Notify:
    state = AlertState(
        fingerprint=fingerprint(HOST, check),
        host=HOST,
        check=check,
        phase=Phase.OPEN,
        status=Status.WARNING,
        message=said,
        run="test",
        opened_at=now,
        updated_at=now,
        evidence=evidence,
        last_known=Status.WARNING,
    )
    return Notify(NotifyKind.OPENED, state, f"{state.fingerprint}/test/{now.isoformat()}")


def _ended(news: Notify, now: datetime) -> Notify:
    state = replace(news.alert, phase=Phase.RESOLVED, status=Status.OK, resolved_at=now)
    return Notify(NotifyKind.RESOLVED, state, f"{news.key}/end")
