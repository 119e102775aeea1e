"""Who may change a host: numbers only grow, and only the newest lease counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.lease import KEPT_JOURNALS, Leases
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State
from hypothesis import given, settings
from hypothesis import strategies as st

LASTS_S = 900


@pytest.fixture
def leases(tmp_path: Path) -> Any:
    return Leases(State(str(tmp_path)))


def wanted(run: str) -> dict[str, Any]:
    return {"run": run, "procedure": "caches", "controller": "ops1", "lasts_s": LASTS_S}


def begin(leases: Any, run: str, now: float, dead: str | None = None) -> int:
    number: int = leases.begin(wanted(run), now, 0, dead)[0]["number"]
    return number


def refusal(leases: Any, number: int | None, now: float) -> str | None:
    try:
        leases.require(number, now)
    except ProcedureError as error:
        return str(error.reason)
    return None


def test_who_holds_it_may_work_and_nobody_else(leases: Any) -> None:
    number = begin(leases, "first", 1000)
    assert refusal(leases, number, 1001) is None
    assert refusal(leases, None, 1001) == "locked"
    with pytest.raises(ProcedureError, match=r"caches of run first .* holds this host.*--take-over first`"):
        begin(leases, "second", 1001)


def test_after_it_was_given_back_anybody_may(leases: Any) -> None:
    number = begin(leases, "first", 1000)
    leases.end(number, 1010, 0)
    assert refusal(leases, number, 1011) == "fenced"
    assert refusal(leases, None, 1011) is None
    assert begin(leases, "second", 1011) == number + 1


def test_a_dead_run_is_taken_over_and_its_tasks_are_fenced(leases: Any) -> None:
    old = begin(leases, "first", 1000)
    young = begin(leases, "second", 1001, dead="first")
    assert (refusal(leases, old, 1002), refusal(leases, young, 1002)) == ("fenced", None)
    leases.end(old, 1003, 0)
    assert refusal(leases, young, 1004) is None


@pytest.mark.parametrize("named", ["first", "1", "2", "sec", ""])
def test_what_names_another_run_takes_nothing_over(leases: Any, named: str) -> None:
    """Each host counts its own leases, so a number, or the beginning of an id, means other runs on other hosts."""
    begin(leases, "first", 1000)
    young = begin(leases, "second", 1001, dead="first")
    with pytest.raises(ProcedureError, match="run second"):
        begin(leases, "third", 1002, dead=named)
    assert refusal(leases, young, 1003) is None


def test_a_lease_ends_by_itself_unless_a_step_needs_longer(leases: Any) -> None:
    number = begin(leases, "first", 1000)
    leases.extend(number, 5000, 1800)
    with pytest.raises(ProcedureError):
        begin(leases, "second", 1000 + LASTS_S)
    assert begin(leases, "second", 6800) == number + 1


def test_a_lease_taken_with_a_clock_far_ahead_does_not_lock_the_host_for_ever(leases: Any) -> None:
    begin(leases, "first", 4_000_000_000)
    assert begin(leases, "second", 1000) == 2


def test_old_journals_go(leases: Any, tmp_path: Path) -> None:
    for turn in range(KEPT_JOURNALS + 3):
        number = begin(leases, "run", 1000 + turn)
        leases.journal(number).write(started={})
        leases.end(number, 1000 + turn, 0)
    kept = sorted(int(path.stem) for path in (tmp_path / "maintenance").glob("*.jsonl"))
    assert (len(kept), kept[-1]) == (KEPT_JOURNALS, KEPT_JOURNALS + 3)


MOVES = st.lists(st.tuples(st.sampled_from(["begin", "take over", "end"]), st.integers(0, 2), st.integers(0, 2000)))


@settings(deadline=None)
@given(MOVES)
def test_never_may_two_work(tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int]]) -> None:
    leases = Leases(State(str(tmp_path_factory.mktemp("host"))))
    now, numbers, holder = 1000.0, [0], None
    for move, run, later in moves:
        now += later
        if move == "end":
            leases.end(numbers[-1], now, 0)
            continue
        try:
            numbers.append(begin(leases, f"run-{run}", now, dead=holder if move == "take over" else None))
        except ProcedureError:
            continue
        holder = f"run-{run}"
        assert numbers == sorted(set(numbers))
        assert sum(refusal(leases, number, now) is None for number in numbers) <= 1
