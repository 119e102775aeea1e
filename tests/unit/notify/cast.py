"""Messages for the tests of delivery."""

from __future__ import annotations

from collections.abc import Mapping

from roundsman.alerts.decide import decide
from roundsman.alerts.grouping import Group, worst_first
from roundsman.alerts.model import AlertState, CheckResult, Event, Notify, NotifyKind, Resolve, Status
from roundsman.notify.message import Message, compose
from roundsman.notify.templates import Style

from .clock import MUCH_LATER, at

DEFAULT = Style()
DISK = {"target": "/var", "value": 97, "unit": "%", "warn": "80%", "crit": "90%"}


def problem(check: str, said: str, status: str = "CRITICAL", minute: float = 0, **evidence: object) -> CheckResult:
    return CheckResult("web3", check, Status(status), said, evidence, "01JD", at(minute))


def heard(*events: Event) -> Notify:
    """The last that is heard of an alert after these events."""
    states: list[AlertState] = []
    for event in events:
        state = decide(states[-1] if states else None, event, MUCH_LATER).state
        assert state is not None
        states.append(state)
    before, last = states[-2] if states[:-1] else None, states[-1]
    if not last.is_open:
        kind = NotifyKind.RESOLVED
    elif last.expired_at:
        kind = NotifyKind.EXPIRED
    else:
        kind = NotifyKind.WORSENED if before and before.is_open else NotifyKind.OPENED
    return Notify(kind, last, f"{last.fingerprint}/{last.episode}/{kind}")


def full_disk() -> Notify:
    return heard(CheckResult("web3", "disk", Status.CRITICAL, "/var 97% used", DISK, "01JD", at(0)))


def repaired_disk() -> Notify:
    return heard(problem("disk", "/var 97% used"), problem("disk", "/var 41% used", "OK", 30))


def disk_resolved_by_alice() -> Notify:
    return heard(problem("disk", "/var 97% used"), Resolve("alice", at(5), "deleted old dumps"))


def message(*news: Notify, style: Style = DEFAULT, backups: Mapping[str, str] | None = None) -> Message:
    group = Group("team", '{}:{host="web3"}', {"host": "web3"}, worst_first(news or (full_disk(),)))
    return compose(group, style, backups)
