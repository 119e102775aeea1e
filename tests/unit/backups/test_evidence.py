"""What many verifications of one snapshot say together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.backups.evidence import LEVELS, rank, standing


def held(level: str, time: str = "1") -> dict[str, Any]:
    return {"outcome": "ok", "level": level, "failed_level": None, "time": time}


def failed(at: str, time: str = "1") -> dict[str, Any]:
    reached = LEVELS[LEVELS.index(at) - 1] if at != "stored" else None
    return {"outcome": "damaged", "level": reached, "failed_level": at, "time": time}


UNKNOWN = {"outcome": "unknown", "level": None, "failed_level": "stored", "time": "9"}


@pytest.mark.parametrize(
    ("verifications", "level", "verified_at", "failed_level"),
    [
        ([], None, None, None),
        ([UNKNOWN], None, None, None),
        ([held("proven", "1"), held("restored", "2")], "proven", "1", None),
        ([held("restored", "1"), held("restored", "2")], "restored", "2", None),
        ([held("proven", "1"), failed("read", "2"), UNKNOWN], "stored", "2", "read"),
        ([failed("proven", "1"), held("restored", "2")], "restored", "2", "proven"),
        ([failed("read", "1"), held("restored", "2")], "restored", "2", None),
        ([failed("proven", "1"), held("restored", "2"), held("proven", "3")], "proven", "3", None),
        ([held("proven", "1"), failed("stored", "2")], None, None, "stored"),
    ],
)
def test_a_failure_stays_until_its_level_is_reached_again(
    verifications: list[dict[str, Any]], level: str | None, verified_at: str | None, failed_level: str | None
) -> None:
    now = standing(verifications)
    assert (now.level, now.verified_at, now.failed_level) == (level, verified_at, failed_level)


looked = st.one_of(st.just(UNKNOWN), st.sampled_from(LEVELS).map(held), st.sampled_from(LEVELS).map(failed))


@given(st.lists(looked))
def test_what_is_said_to_hold_is_below_what_fails(verifications: list[dict[str, Any]]) -> None:
    now = standing(verifications)
    assert now.failed_level is None or rank(now.level) < rank(now.failed_level)
    damaged = [one["failed_level"] for one in verifications if one["outcome"] == "damaged"]
    assert now.failed_level in {None, *damaged[-1:]}
