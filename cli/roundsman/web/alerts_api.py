"""Alerts: what is posted, and what fires."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roundsman import alerting
from roundsman.alerts.external import RESOLVE_TIMEOUT
from roundsman.alerts.matchers import matches_all
from roundsman.alerts.model import AlertState
from roundsman.alerts.routing import Route
from roundsman.alerts.seen import Seen, look
from roundsman.notify.alertmanager import ID_LABEL
from roundsman.store import alerts
from roundsman.telling import rules_with

from . import reading, shapes
from .asking import Asked, Office, RefusedError
from .original import NOBODY


def post(office: Office, asked: Asked) -> None:
    """POST /api/v2/alerts"""
    _take(office, asked, reading.alerts(asked.body, asked.at, asked.at + RESOLVE_TIMEOUT))


def post_notification(office: Office, asked: Asked) -> None:
    """POST /api/v1/alertmanager-webhook"""
    _take(office, asked, reading.notification(asked.body, asked.at, ID_LABEL))


def _take(office: Office, asked: Asked, read: reading.Read) -> None:
    """Faulty alerts do not keep the others out."""
    with office.store.write() as tx:
        alerting.receive(tx, read.posts, asked.at)
    office.wake()
    if read.faults:
        raise RefusedError(f"{len(read.posts)} alerts were taken, not these: " + "; ".join(read.faults))


def get(office: Office, asked: Asked) -> list[dict[str, Any]]:
    """GET /api/v2/alerts"""
    url = office.settings.alerts.external_url
    return [shapes.alert(seen, url, asked.at) for seen, routes in _wanted(office, asked) if routes]


def get_groups(office: Office, asked: Asked) -> list[dict[str, Any]]:
    """GET /api/v2/alerts/groups"""
    url = office.settings.alerts.external_url
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for seen, routes in _wanted(office, asked):
        document = shapes.alert(seen, url, asked.at)
        for route in routes:
            new = {"labels": route.group_labels(seen.labels), "receiver": {"name": route.receiver}, "alerts": []}
            groups.setdefault((route.receiver, route.group_key(seen.labels)), new)["alerts"].append(document)
    return [groups[key] for key in sorted(groups)]


def _wanted(office: Office, asked: Asked) -> Iterator[tuple[Seen, list[Route]]]:
    """The alerts that are asked for, each with those of its routes that are."""
    active, silenced, inhibited = (asked.flag(name) for name in ("active", "silenced", "inhibited"))
    # Here none is ever unprocessed.
    asked.flag("unprocessed")
    matchers, receiver = asked.filter(), asked.receiver()
    with office.store.read() as tx:
        states = [AlertState.from_dict(row) for row in alerts.listed(tx)]
        rules = rules_with(tx, office.settings, office.settings.alerts.tree() or NOBODY, asked.at)
    for seen in look(states, rules, asked.at):
        hidden = (
            (not active and not seen.suppressed)
            or (not silenced and seen.silenced_by)
            or (not inhibited and seen.inhibited_by)
        )
        if not hidden and matches_all(matchers, seen.labels):
            yield seen, [route for route in seen.routes if receiver.matches({"receiver": route.receiver})]
