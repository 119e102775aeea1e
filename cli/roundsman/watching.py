"""The flow of Roundsman's alerts about itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from .alerting import measure, states_of
from .alerts import own
from .alerts.model import CheckResult
from .alerts.names import REACHABLE
from .alerts.silencing import Silence
from .store import Transaction, alerts, checks, runs, silences
from .times import moment


def watch(tx: Transaction, now: datetime, expected: timedelta | None) -> None:
    """Judge ourselves; `expected` is how often rounds should be made, None when that is not known."""
    measure(tx, states_of(tx, own.HOST), [_isolation(tx, now), *_rounds(tx, now, expected), _silences(tx, now)], now)


def _isolation(tx: Transaction, now: datetime) -> CheckResult:
    unreachable = {
        state["host"]: moment(state["opened_at"]) for state in alerts.listed(tx) if state["check"] == REACHABLE
    }
    return own.isolation(unreachable, len(unreachable.keys() | checks.hosts(tx)), now)


def _rounds(tx: Transaction, now: datetime, expected: timedelta | None) -> list[CheckResult]:
    if expected is None:
        return []
    # A clock that was put back by less than a round is none that was wrong.
    last = runs.last_sweep(tx, now + expected)
    return [own.late_rounds(moment(last) if last else None, expected, now)]


def _silences(tx: Transaction, now: datetime) -> CheckResult:
    return own.forgotten_silences(map(Silence.from_dict, silences.listed(tx, now)), now)
