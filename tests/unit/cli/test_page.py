"""The page of a host, from records: what is missing, what history says, and how it fits a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from roundsman.insight.advice import Invocation
from roundsman.page import HostPage, host_page
from roundsman.store import Store, checks, history
from roundsman.times import stamp
from roundsman.views.host_page import draw_host_page

from ..ledger.builders import Run, check
from .test_report import reported

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DISK = check("disk", "WARNING") | {"type": "filesystem", "area": "resources", "message": "/var 87% used", "value": 87.0}
SITE = check("site", "OK") | {"type": "http", "area": "api", "unit": "s", "message": "answers [in] time"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Ten days of a disk that fills, and a web site that is no longer looked at."""
    store = Store(f"sqlite:///{tmp_path}/store.db")
    with store.write() as tx:
        for hour in range(240, -1, -1):
            at = NOW - timedelta(hours=hour)
            history.record(tx, "web1", at, [DISK | {"value": 87 - hour / 8}])
        for result, seen_at in ((DISK, NOW), (SITE, NOW - timedelta(days=3))):
            checks.save_result(tx, "web1", result["id"], result=result, seen_at=stamp(seen_at), state={})
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
    assert {line.result["id"]: line.missing for line in swept.lines} == {"disk": True, "site": False}


def test_history_says_when_it_is_full_and_shows_a_day(store: Store) -> None:
    (disk,) = [line for line in page(store).lines if line.result["id"] == "disk"]
    assert len(disk.points) == 25
    (words,) = [word for word in disk.words if word.startswith("full in ")]
    assert "4 d" in words, "13 of 100 are left, at 3 a day"


@pytest.mark.parametrize("width", [80, 200])
def test_it_fits_the_terminal(store: Store, width: int) -> None:
    text = drawn(page(store), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
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
