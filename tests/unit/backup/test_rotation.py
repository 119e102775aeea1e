"""All data are read within so many days, whatever days are skipped, and no good part hides a damaged one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from .cast import Anna
from .test_damage import flip, packs

DAY_S = rotation.DAY_S
START = 1.8e9
parts = st.integers(1, 40)


def looked(
    memory: dict[str, Any], now: float, damaged: frozenset[int] = frozenset()
) -> tuple[dict[str, Any], list[int]]:
    due = rotation.due(memory, now)
    for part in due:
        memory = rotation.noted(memory, part, part not in damaged, now)
    return memory, due


@settings(deadline=None)
@given(parts, st.lists(st.floats(0, 90), min_size=1, max_size=60))
def test_nothing_stays_unread_for_longer(of: int, pauses_days: list[float]) -> None:
    """Right after any look, all data were read within the days, or the first days are not over yet."""
    memory = rotation.begin(None, "r", of, START)
    for pause in itertools.accumulate(pauses_days):
        now = START + pause * DAY_S
        memory, due = looked(memory, now)
        assert due
        assert len(set(due)) == len(due)
        for part in range(1, of + 1):
            assert now - memory["read"].get(str(part), START) <= of * DAY_S - DAY_S / 2


@settings(deadline=None)
@given(parts, st.lists(st.floats(-2, 2), min_size=1, max_size=90))
def test_day_by_day_it_is_one_part_a_day(of: int, hours_off: list[float]) -> None:
    memory = rotation.begin(None, "r", of, START)
    for day, off in enumerate(hours_off):
        memory, due = looked(memory, START + day * DAY_S + (off * 3600 if day else 0))
        assert due == [day % of + 1]


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 100), st.data())
def test_after_skipped_days_the_load_spreads_again(of: int, skipped: int, data: st.DataObject) -> None:
    memory = rotation.begin(None, "r", of, START)
    before = data.draw(st.integers(0, 3 * of))
    for day in range(before):
        memory, _ = looked(memory, START + day * DAY_S)
    resumed = before + skipped
    sizes = []
    for day in range(resumed, resumed + 2 * of + 1):
        memory, due = looked(memory, START + day * DAY_S)
        sizes.append(len(due))
    assert sizes[0] <= min(of, skipped + 1)
    assert set(sizes[of + 1 :]) == {1}


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_damage_comes_again_until_it_is_gone(of: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(1, of))
    memory = rotation.begin(None, "r", of, START)
    for day in range(3 * of):
        now = START + day * DAY_S
        memory, due = looked(memory, now, frozenset({bad}))
        assert (bad in due) is (day >= bad - 1)
        assert rotation.parts_read(memory, 0, now) < of
    other = rotation.begin(memory, "r", of + 1, now)
    assert len(rotation.due(other, now)) == of + 1, (
        "with another number of parts, known damage is looked for everywhere"
    )
    memory, due = looked(memory, now)
    assert bad in due
    assert memory["failed"] == []


@settings(deadline=None)
@given(parts, st.lists(st.floats(-1000, 1000), max_size=30))
def test_a_clock_that_jumps_makes_nothing_look_read(of: int, days: list[float]) -> None:
    memory = rotation.begin(None, "r", of, START)
    for day in days:
        now = START + day * DAY_S
        memory, _ = looked(rotation.begin(memory, "r", of, now), now)
        assert rotation.parts_read(memory, now, now) == 0
        newest = [moment for moment in memory["read"].values() if moment <= now]
        assert rotation.parts_read(memory, 0, now) == len(newest)


def memory_of(anna: Anna) -> dict[str, Any]:
    (path,) = (anna.state / "read").iterdir()
    memory: dict[str, Any] = json.loads(path.read_text())
    return memory


def test_a_snapshot_is_read_when_all_parts_were(anna: Anna) -> None:
    anna.write("a")
    anna.back_up()
    found = [anna.verify(level="read", read_days=3) for _ in range(3)]
    records = [result["verifications"][0] for result in found]
    assert not any(result.get("failed") for result in found), found
    assert [(one["outcome"], one["level"], one["parts_read"]) for one in records] == [
        ("ok", "stored", 1),
        ("ok", "stored", 2),
        ("ok", "read", 3),
    ]
    assert "stored, and 2 of 3 parts of the repository's data were read since it was made" in records[1]["message"]
    anna.write("b")
    anna.back_up()
    (record,) = anna.verify(read_days=3)["verifications"]
    assert (record["outcome"], record["level"], record["failed_level"]) == ("ok", "restored", None)
    assert "restored, and 1 of 3 parts" in record["message"]
    assert sorted(memory_of(anna)["read"]) == ["1", "2", "3"]


def test_rotation_finds_damage_and_keeps_finding_it(anna: Anna) -> None:
    anna.write("a", "content" * 1000)
    anna.back_up()
    flip(packs(anna)[0], 100)
    for number in range(5):
        anna.write("b", str(number))
        anna.back_up()
    outcomes = [anna.verify(level="read", read_days=2)["verifications"][0]["outcome"] for _ in range(4)]
    assert outcomes in (["damaged"] * 4, ["ok", "damaged", "damaged", "damaged"])
    (failed,) = memory_of(anna)["failed"]
    assert failed not in memory_of(anna)["read"]


@pytest.mark.parametrize("days", [0, 257])
def test_faulty_days_are_refused(tmp_path: Path, days: int) -> None:
    assert "read_days must be from 1 to 256" in Anna(tmp_path / "anna").verify(read_days=days)["msg"]
