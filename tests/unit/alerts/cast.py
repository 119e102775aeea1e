"""The cast: web3's disk fills, db2 holds the shop's database; Alice is on call, Bob after her."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from roundsman.alerts.decide import Decision, decide
from roundsman.alerts.model import (
    Acknowledge,
    AlertState,
    CheckResult,
    Event,
    NoData,
    Resolve,
    Status,
    Tick,
    Unacknowledge,
)

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
    """Let the words happen to web3's disk, a minute apart. `(CRITICAL)` in brackets happens while web3 is inhibited."""
    state: AlertState | None = None
    decisions = []
    for minute, word in enumerate(words):
        by = "reach-of-web3" if word.startswith("(") else None
        decisions.append(decide(state, happening(word.strip("()"), minute), MUCH_LATER, inhibited_by=by))
        state = decisions[-1].state
    return state, decisions


def alert(*words: str) -> AlertState:
    state, _ = story(*words)
    assert state is not None
    return state
