"""A backup that is not due yet is not made, and says when it will be."""

from __future__ import annotations

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.schedule import due_at, faults, interval_s
from hypothesis import given
from hypothesis import strategies as st

from .cast import Anna
from .test_backup import record_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6h", 21600), ("30min", 1800), ("7d", 604800), ("1w", 604800), ("weekly", 604800), ("daily", 86400)],
)
def test_intervals(text: str, seconds: int) -> None:
    assert interval_s(text) == seconds
    assert faults({"every": text, "prove": None}) == []


@given(st.text(max_size=6) | st.integers() | st.none())
def test_anything_else_is_a_fault(text: object) -> None:
    if not interval_s(text) and text is not None:
        (fault,) = faults({"prove": text})
        assert fault.startswith("prove must be a duration such as 6h or 7d, or one of hourly, daily")


def test_what_runs_daily_at_the_same_hour_is_due_although_a_little_early() -> None:
    day_s = due_at("2026-11-26T02:00:30.000Z", "daily") - due_at("2026-11-25T02:00:30.000Z", "daily")
    assert day_s == 86400
    assert due_at("2026-11-25T02:00:30.000Z", "daily") < due_at("2026-11-25T02:00:10.000Z", "daily") + 60
    assert due_at("1970-01-01T00:00:00.000Z", "10h") == 9 * 3600


def test_only_what_is_due_is_saved(anna: Anna) -> None:
    anna.write("a")
    first = anna.back_up({"every": "1d"}, only_when_due=True)
    made = record_of(first)["snapshot"]
    assert (first["changed"], first["backup"]["plan"]) == (True, {"every": "1d"})

    second = anna.back_up({"every": "1d"}, only_when_due=True)

    assert not second["changed"]
    assert "is not due until 20" in second["msg"]
    assert made[:8] in second["msg"]
    assert (record_of(second)["snapshot"], [one["id"] for one in second["backup"]["snapshots"]]) == (None, [made])
    assert anna.back_up({"every": "1s"}, only_when_due=True)["changed"]
    assert anna.back_up(only_when_due=True)["changed"], "without an interval it is always due"
    assert anna.back_up({"every": "1d"})["changed"], "nobody asked whether it is due"


def test_a_snapshot_of_the_future_does_not_put_off_the_next(anna: Anna) -> None:
    anna.write("a")
    tags = ["--tag", "roundsman,source=data,complete", "--host", "anna"]
    anna.restic("backup", "--time", "2099-01-01 00:00:00", *tags, str(anna.source))
    assert anna.back_up({"every": "1d"}, only_when_due=True)["changed"]
    assert not anna.back_up({"every": "1d"}, only_when_due=True)["changed"]
