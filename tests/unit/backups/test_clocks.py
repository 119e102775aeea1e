"""Which sources are due, and whose clocks run late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.model import Status
from roundsman.backups.due import fresh
from roundsman.backups.freshness import clocks
from roundsman.backups.objectives import Known

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def shop(plan: dict[str, Any], **known: Any) -> Known:
    return Known("db1", "shop", plan, known.pop("since", ago(days=90)), "run", **known)


HOURLY, WEEKLY, PROVEN_WEEKLY = {"every_s": 3600}, {"verify_every_s": 604800}, {"prove_s": 604800}


@pytest.mark.parametrize(
    ("one", "level", "is_fresh"),
    [
        (shop(WEEKLY, verified_at={"restored": ago(days=3)}), "restored", True),
        (shop(WEEKLY, verified_at={"restored": ago(days=3)}), "read", True),
        (shop(WEEKLY, verified_at={"read": ago(days=3)}), "restored", False),
        (shop(WEEKLY, verified_at={"restored": ago(days=6.9)}), "restored", False),
        (shop(WEEKLY, verified_at={"restored": ago(days=3)}, newest_failed=True), "restored", False),
        (shop({}, backup_at=ago(days=3), newest_level="restored"), "restored", True),
        (shop({}, backup_at=ago(days=3), newest_level="read"), "restored", False),
        (shop({}), "restored", False),
        (shop({}), "proven", True),
        (shop(PROVEN_WEEKLY, verified_at={"restored": ago(days=1)}), "proven", False),
        (shop(PROVEN_WEEKLY, verified_at={"proven": ago(days=1)}), "proven", True),
    ],
)
def test_what_is_fresh_is_left_out(one: Known, level: str, is_fresh: bool) -> None:
    assert fresh([one], level, NOW) == ({"db1": ["shop"]} if is_fresh else {})


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(minutes=70), Status.OK),
        (timedelta(minutes=80), Status.WARNING),
        (timedelta(hours=3), Status.CRITICAL),
    ],
)
@pytest.mark.parametrize("ever", [True, False])
def test_a_clock_runs_late_by_the_plan(age: timedelta, status: Status, ever: bool) -> None:
    known = {"backup_at": NOW - age} if ever else {"since": NOW - age}
    (clock,) = clocks(shop(HOURLY, **known), NOW)
    assert (clock.name, clock.status) == ("backup", status)
    assert clock.message.startswith("the last complete backup of shop was" if ever else "no complete backup of shop")


def test_each_clock_is_judged_by_itself() -> None:
    plan = {**HOURLY, **WEEKLY, **PROVEN_WEEKLY, "retention": True}
    known = {"backup_at": ago(minutes=5), "verified_at": {"restored": ago(days=1)}, "pruned_at": ago(days=10)}
    found = {clock.name: clock.status for clock in clocks(shop(plan, **known), NOW)}
    assert found == {"backup": "OK", "retention": "WARNING", "check": "OK", "drill": "CRITICAL"}
    assert clocks(shop({}), NOW) == []


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)), st.integers(60, 10**7))
def test_what_is_due_alerts_only_later(age: timedelta, span_s: int) -> None:
    """Whoever works whatever is due never sees its clock late."""
    one = shop({"verify_every_s": span_s}, verified_at={"restored": NOW - age}, since=ago(days=400))
    (clock,) = clocks(one, NOW)
    assert clock.status is Status.OK or fresh([one], "restored", NOW) == {}
