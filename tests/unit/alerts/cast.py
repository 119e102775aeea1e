"""The cast: web3's disk fills, db2 holds the shop's database; Alice is on call, Bob after her."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from roundsman.alerts.decide import Decision, decide
from roundsman.alerts.groups import GroupState, Note
from roundsman.alerts.model import (
    Acknowledge,
    AlertState,
    CheckResult,
    Event,
    NoData,
    Notify,
    Phase,
    Resolve,
    Status,
    Tick,
    Unacknowledge,
)
from roundsman.alerts.names import REACHABLE
from roundsman.alerts.routing import tree
from roundsman.alerts.turn import Rules, turn

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MUCH_LATER = START + timedelta(days=365)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def result(status: str, minute: float = 0, host: str = "web3", check: str = "disk", message: str = "") -> CheckResult:
    said = message or f"{check} is {status}"
    return CheckResult(host, check, Status(status), said, {"value": 97, "unit": "%"}, f"run-{minute}", at(minute))


def no_data(minute: float = 0, host: str = "web3", check: str = "disk") -> NoData:
    return NoData(host, check, "host unreachable", f"run-{minute}", at(minute))


def happening(word: str, minute: float) -> Event:
    """An event from a word: a status, `no data`, what Alice does, or that a night passes."""
    humans: dict[str, Any] = {"ack": Acknowledge, "unack": Unacknowledge, "resolve": Resolve}
    if word == "night":
        return Tick(at(minute + 8 * 60))
    if word == "bob-ack":
        return Acknowledge("bob", at(minute))
    if word in humans:
        return humans[word]("alice", at(minute))
    return no_data(minute) if word == "no data" else result(word, minute)


def story(*words: str) -> tuple[AlertState | None, list[Decision]]:
    """Let the words happen to web3's disk, a minute apart."""
    state: AlertState | None = None
    decisions = []
    for minute, word in enumerate(words):
        decisions.append(decide(state, happening(word, minute), MUCH_LATER))
        state = decisions[-1].state
    return state, decisions


def alert(*words: str) -> AlertState:
    state, _ = story(*words)
    assert state is not None
    return state


TEAM = Rules(
    tree(
        {
            "receiver": "team",
            "group_by": ("host",),
            "group_wait": timedelta(0),
            "group_interval": timedelta(seconds=1),
            "repeat_interval": timedelta(days=30),
        }
    )
)


class Tale:
    """What the team hears of web3's disk while words happen to it, a minute apart.

    `(CRITICAL)` in brackets happens while web3 cannot be reached.
    """

    def __init__(self, rules: Rules = TEAM) -> None:
        self.rules = rules
        self.state: AlertState | None = None
        self.groups: dict[str, GroupState] = {}
        self.heard: list[Notify] = []
        self.minute = -1.0
        self.decision: Decision | None = None
        self.notes: list[Note] = []

    def tell(self, word: str, back: float = 0) -> list[Notify]:
        """Let one word happen; what is heard of it."""
        self.minute += 8 * 60 if word == "night" else 1
        event = Tick(at(self.minute)) if word == "night" else happening(word.strip("()"), self.minute - back)
        self.decision = decide(self.state, event, at(self.minute))
        self.state = self.decision.state
        return self.flush(inhibited=word.startswith("("))

    def flush(self, *, inhibited: bool = False) -> list[Notify]:
        alerts = [self.state] if self.state else []
        if inhibited:
            down = decide(None, result("CRITICAL", self.minute, check=REACHABLE), at(self.minute)).state
            assert down is not None
            alerts.append(replace(down, phase=Phase.ACKNOWLEDGED, acknowledged_by="bob"))
        new: list[Notify] = []
        for turned in turn(alerts, self.groups, self.rules, at(self.minute)):
            self.groups.pop(turned.before.id, None)
            if turned.flushed.group:
                self.groups[turned.before.id] = turned.flushed.group
            new += turned.flushed.news
            self.notes += turned.flushed.notes
        self.heard += new
        return new
