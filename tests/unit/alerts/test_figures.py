"""Times to acknowledge and to resolve, as figures that can be believed."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.figures import Episode, Figures, figures, statistics

from .cast import at


def episode(opened: float, acknowledged: float | None = None, resolved: float | None = None, **more: object) -> Episode:
    times = {"acknowledged_at": acknowledged, "resolved_at": resolved}
    known = {"fingerprint": "f", "host": "web3", "check": "disk", "severity": "CRITICAL", "opened_at": at(opened)}
    known |= {name: None if minute is None else at(minute) for name, minute in times.items()}
    return Episode(**{**known, **more})  # type: ignore[arg-type]


def test_what_has_no_time_yet_is_counted_apart() -> None:
    some = [episode(0, 1, 10), episode(0, 3, 20), episode(0, None, 30), episode(0, 5), episode(0)]
    assert figures(some) == Figures(5, 3, 3, 180, 300, 1200, 1800)
    assert figures([episode(0)]) == Figures(1, 0, 0, None, None, None, None)


def test_the_clock_that_was_set_back_makes_nobody_faster_than_light() -> None:
    assert figures([episode(10, 5)]).acknowledge_median_s == 0


def test_they_are_told_by_severity_receiver_and_assignee() -> None:
    some = [
        episode(0, 1, 2, receivers=("team", "pager"), assignee="alice"),
        episode(0, 3, 4, severity="WARNING", receivers=("team",)),
    ]
    found = statistics(some, at(0), at(10))
    assert {name: one.acknowledge_median_s for name, one in found.by_severity.items()} == {
        "CRITICAL": 60, "WARNING": 180,
    }  # fmt: skip
    assert {name: one.count for name, one in found.by_receiver.items()} == {"team": 2, "pager": 1}
    assert {name: one.count for name, one in found.by_assignee.items()} == {"alice": 1}


def test_only_those_that_opened_since_then_count() -> None:
    found = statistics([episode(-1, 1, 2), episode(0, 1, 2), episode(11)], at(0), at(10))
    assert found.total.count == 1


def test_what_nobody_acknowledged_is_listed_the_longest_open_first() -> None:
    some = [episode(1, None, 3), episode(2), episode(3, 4), episode(0, None, 9)]
    found = statistics(some, at(0), at(10)).never_acknowledged
    assert [(one.opened_at, one.resolved_at) for one in found] == [(at(0), at(9)), (at(2), None), (at(1), at(3))]


@given(st.lists(st.integers(0, 10000), min_size=1))
def test_nine_of_ten_were_as_quick_as_that_and_one_was_exactly_so(minutes: list[int]) -> None:
    found = figures([episode(0, minute) for minute in minutes])
    p90_s = found.acknowledge_p90_s
    assert p90_s is not None
    quick = [minute for minute in minutes if timedelta(minutes=minute).total_seconds() <= p90_s]
    assert len(quick) >= 0.9 * len(minutes)
    assert p90_s / 60 in minutes
