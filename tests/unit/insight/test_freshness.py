from __future__ import annotations

from datetime import timedelta

import pytest

from roundsman.alerts.model import Status
from roundsman.insight.freshness import LEAST_PATIENCE, USUAL_PATIENCE, Seen, missing, patience, vanished

from ..alerts.cast import at

HOUR = timedelta(hours=1)


def seen(host: str, check: str, minute: float) -> Seen:
    return Seen(host, check, Status.OK, at(minute))


def test_what_nobody_looked_at_for_too_long_is_missing_with_its_age() -> None:
    known = [seen("web3", "disk", 0), seen("web3", "load", 0), seen("web1", "disk", 170)]
    found = missing(known, at(180), HOUR)
    assert [(one.host, one.check) for one in found] == [("web3", "disk"), ("web3", "load")]
    assert found[0].message == "not looked at for 3 h; was OK"
    assert missing(known, at(30), HOUR) == []


def test_what_the_newest_sweep_was_without_is_missing_at_once() -> None:
    (one,) = missing([seen("web3", "disk", 10), seen("web3", "old", 5)], at(11), HOUR)
    assert (one.check, one.was, one.age) == ("old", Status.OK, timedelta(minutes=6))
    assert one.message == "not looked at for 6 min, not in the newest sweep of its host either; was OK"


def test_a_result_from_the_future_is_fresh() -> None:
    assert missing([seen("web3", "disk", 600)], at(0), HOUR) == []


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
