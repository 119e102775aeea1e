"""The page of a host, from records: what is missing, what history says, and how it fits a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from roundsman import ledger
from roundsman.insight.advice import Invocation
from roundsman.page import HostPage, host_page
from roundsman.store import Store, checks, history, runs
from roundsman.times import stamp
from roundsman.views.host_page import draw_host_page

from ..ledger.builders import Run, check
from .test_report import reported

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DISK = check("disk", "WARNING") | {"type": "filesystem", "area": "resources", "message": "/var 87% used", "value": 87.0}


def filled(percent: float) -> dict[str, Any]:
    return DISK | {"value": percent, "perfdata": f"'/var'={percent}%;80;95;0;100"}


SITE = check("site", "OK") | {"type": "http", "area": "api", "unit": "s", "message": "answers [in] time"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A disk that fills, and a web site that is no longer looked at."""
    return recorded(tmp_path, grows_by=1 / 8)


def recorded(tmp_path: Path, grows_by: float, status: str = "WARNING") -> Store:
    """Ten days of the disk, by the hour, and the newest results."""
    store = Store(f"sqlite:///{tmp_path}/store.db")
    with store.write() as tx:
        for hour in range(240, -1, -1):
            at = NOW - timedelta(hours=hour)
            history.record(tx, "web1", at, [filled(87 - hour * grows_by)])
        for result, seen_at in ((filled(87) | {"status": status}, NOW), (SITE, NOW - timedelta(days=3))):
            checks.save_all(tx, "web1", {result["id"]: {"result": result, "seen_at": stamp(seen_at), "state": {}}}, ())
    return store


def page(store: Store, report: Any = None) -> HostPage:
    with store.read() as tx:
        return host_page(tx, "web1", NOW, report, Invocation(["hosts.yml"]))


def drawn(found: HostPage, width: int, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", write_through=True)
    draw_host_page(Console(file=stream, width=width, highlight=False), found)
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_what_nobody_has_seen_lately_is_unknown_with_its_age(store: Store) -> None:
    found = {line.result["id"]: line for line in page(store).lines}
    assert (found["site"].missing, found["site"].result["status"]) == (True, "UNKNOWN")
    assert found["site"].result["message"].startswith("not seen since 2026-11-20 12:00 UTC (3 d ago); was OK: answers")
    assert (found["disk"].missing, page(store).status) == (False, "UNKNOWN")


def test_after_a_sweep_all_that_it_did_not_answer_is_unknown(store: Store) -> None:
    away = page(store, reported(Run(hosts=("web1",)).unreachable("web1").finish(web1={"unreachable": 1})))
    assert (away.status, {line.result["status"] for line in away.lines}) == ("UNREACHABLE", {"UNKNOWN"})
    assert [problem.check for problem in away.problems] == ["reachable"]
    assert "roundsman doctor --limit web1" in [command for _why, command in away.recommendations]

    swept = page(store, reported(Run(hosts=("web1",)).health("web1", site="OK").finish(web1={})))
    assert {line.result["id"]: line.missing for line in swept.lines} == {"site": False}, "disk is not declared any more"


def test_what_the_newest_round_of_ours_was_without_is_not_declared_any_more(tmp_path: Path) -> None:
    """A playbook of one's own may look at some checks only: that says nothing about the others."""
    store = Store(f"sqlite:///{tmp_path}/store.db")

    def read(run_id: str, command: str, minute: int, **statuses: str) -> dict[str, bool]:
        run = Run(run_id, start=f"2026-11-23T11:{minute}").health("web1", **statuses).finish(web1={})
        if command == "roundsman health":
            with store.write() as tx:
                runs.register(
                    tx, run_id, command=command, playbook="roundsman.fleet.health", pattern="web1", check_mode=False,
                    started_at=stamp(NOW),
                )  # fmt: skip
        run.write(tmp_path / "ledger")
        ledger.catch_up(store, tmp_path / "ledger", NOW)
        return {line.result["id"]: line.missing for line in page(store).lines}

    assert read("a", "roundsman health", 10, disk="OK", old="CRITICAL") == {"disk": False, "old": False}
    assert read("b", "ansible-playbook", 25, disk="OK") == {"disk": False, "old": False}
    assert read("c", "roundsman health", 40, disk="OK") == {"disk": False}
    assert read("d", "ansible-playbook", 55, extra="OK") == {"disk": False, "extra": False}


def test_history_says_when_it_is_full_and_shows_a_day(store: Store) -> None:
    (disk,) = [line for line in page(store).lines if line.result["id"] == "disk"]
    assert len(disk.points) == 25
    (words,) = [word for word in disk.words if word.startswith("/var full in ")]
    assert "4 d" in words, "13 of 100 are left, at 3 a day"


@pytest.mark.parametrize("status", ["WARNING", "OK"])
def test_what_is_amiss_says_why_nobody_can_tell_when_it_is_full(tmp_path: Path, status: str) -> None:
    store = recorded(tmp_path, grows_by=0, status=status)
    (disk,) = [line for line in page(store).lines if line.result["id"] == "disk"]
    untold = "/var: when it is full cannot be told, there is no steady growth"
    assert [word for word in disk.words if "full" in word] == ([untold] if status == "WARNING" else [])


@pytest.mark.parametrize("width", [80, 200])
def test_it_fits_the_terminal(store: Store, width: int) -> None:
    text = drawn(page(store), width)
    # Commands are not folded: a person pastes them.
    assert max(len(line.rstrip()) for line in text.partition("recommendations")[0].splitlines()) <= width
    flat = " ".join(text.split())
    for word in ("resources", "performance", "84 % to 87 % in 1 d", "warn 80 crit 95", "▁", "full in", "answers [in]"):
        assert word in flat, text


def test_a_terminal_without_blocks_gets_ascii(store: Store) -> None:
    text = drawn(page(store), 80, "ascii")
    assert "84 % to 87 %" in text
    assert "?" not in text


def test_a_host_of_which_nothing_is_known(store: Store) -> None:
    with store.read() as tx:
        nothing = host_page(tx, "web9", NOW, None, Invocation(["hosts.yml"]))
    assert (nothing.status, "no check of this host is known" in drawn(nothing, 80)) == ("UNKNOWN", True)
