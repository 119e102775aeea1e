"""No snapshot is made that would be sorted wrongly, whatever a host's clock says."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import clock
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from hypothesis import given
from hypothesis import strategies as st

from .cast import Anna
from .test_roles import play

NOW = 1.8e9
DAY_S = 86400


@given(st.floats(-1e10, 1e10), st.lists(st.floats(0, 2e9), max_size=5))
def test_what_is_saved_is_sorted_rightly(ahead_s: float, taken_s: list[float]) -> None:
    host_s = NOW + ahead_s
    ahead_s = host_s - NOW  # as far as a float can tell
    try:
        warning = clock.judge(host_s, NOW, taken_s)
    except BackupError:
        assert abs(ahead_s) > clock.TOLERANCE_S
        return
    assert host_s <= NOW + clock.TOLERANCE_S
    assert (warning is None) is (ahead_s >= -clock.TOLERANCE_S)
    if warning:
        assert not any(host_s <= moment <= NOW for moment in taken_s)


def test_a_clock_ahead_saves_nothing(anna: Anna) -> None:
    anna.write("a")
    result = anna.back_up(controller_time_s=time.time() - 400)
    assert result["backup"]["reason"] == "clock_wrong"
    assert "ahead of the controller's. Nothing was saved" in result["msg"]
    assert anna.snapshots() == []


def test_a_clock_behind_is_told_and_never_hides_a_snapshot(anna: Anna) -> None:
    anna.write("a")
    first = anna.back_up(controller_time_s=time.time() + 400)
    assert "s behind the controller's" in first["backup"]["warnings"][-1]
    late = anna.back_up(controller_time_s=time.time() + 400)
    assert not late.get("failed"), "the clock is behind, but later than the snapshot that is there"
    anna.restic(
        "backup", "--host", "anna", "--tag", "roundsman,source=data,complete", "--time", _local(300), anna.source
    )
    early = anna.back_up(controller_time_s=time.time() + 400)
    assert early["backup"]["reason"] == "clock_wrong"
    assert "look older than those that are there" in early["msg"]


def _local(ahead_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + ahead_s))


def test_a_snapshot_from_the_future_is_not_taken_for_the_newest(anna: Anna) -> None:
    anna.write("a")
    good = anna.back_up()["backup"]["snapshot"]
    tags = "roundsman,source=data,complete"
    anna.restic("backup", "--host", "anna", "--tag", tags, "--time", "2099-01-01 00:00:00", str(anna.source))
    assert not anna.back_up(controller_time_s=time.time()).get("failed"), "it must not block what is right"
    (record,) = anna.verify()["verifications"]
    assert (record["outcome"], record["level"]) == ("ok", "restored")
    assert record["snapshot"] in {one["id"] for one in anna.snapshots() if one["time"] < "2099"} - {good}


@pytest.mark.parametrize(("ahead_s", "saved"), [(73 * 365 * DAY_S, False), (0, True)])
def test_the_role_compares_clocks(tmp_path: Path, ahead_s: int, saved: bool) -> None:
    """The host's Python reads a clock that is set to 2099."""
    anna = Anna(tmp_path / "anna").with_repository()
    anna.write("a")
    (anna.root / "sitecustomize.py").write_text(
        f"import time\nright = time.time\ntime.time = lambda: right() + {ahead_s}\n"
    )
    python = anna.root / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={anna.root} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    code, said = play(anna, "backup", python=str(python))
    assert (code == 0) is saved, said
    assert len(anna.snapshots()) == saved
    if not saved:
        assert "s ahead of the controller's. Nothing was saved" in said, said
