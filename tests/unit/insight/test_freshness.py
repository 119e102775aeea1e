from __future__ import annotations

from datetime import timedelta

import pytest

from roundsman.insight.freshness import (
    LEAST_PATIENCE,
    NO_PATIENCE,
    USUAL_PATIENCE,
    Missing,
    missing,
    patience,
    vanished,
)

from ..alerts.cast import at

HOUR = timedelta(hours=1)


def test_what_nobody_looked_at_for_too_long_is_missing_with_its_age() -> None:
    seen = {"load": at(0), "disk": at(0), "site": at(170)}
    assert missing(seen, at(180), HOUR) == [Missing("disk", 3 * HOUR), Missing("load", 3 * HOUR)]
    assert missing(seen, at(30), HOUR) == []


def test_what_a_sweep_of_some_checks_was_without_is_not_missing() -> None:
    assert missing({"disk": at(10), "other": at(5)}, at(11), HOUR) == []


def test_a_result_from_the_future_is_fresh() -> None:
    assert missing({"disk": at(600)}, at(0), HOUR) == []


def test_a_host_that_was_just_asked_has_no_excuse() -> None:
    assert [one.check for one in missing({"disk": at(0), "load": at(600)}, at(0), NO_PATIENCE)] == ["disk", "load"]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([], USUAL_PATIENCE),
        ([0, 5, 10], USUAL_PATIENCE),
        ([0, 60, 120, 180], timedelta(minutes=150)),
        ([180, 0, 60, 120, 2000], timedelta(minutes=150)),
        ([0, 1, 2, 3], LEAST_PATIENCE),
    ],
)
def test_patience_follows_the_rhythm_of_the_rounds(minutes: list[float], expected: timedelta) -> None:
    assert patience([at(minute) for minute in minutes]) == expected


def test_only_what_was_away_for_a_day_has_vanished() -> None:
    when = {"disk": at(0), "old": at(0), "young": at(60)}
    assert vanished(when, {"disk"}, at(24 * 60 + 1)) == ["old"]
