"""What a helper does not do is done without it, and no helper outlives whom it helps."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.helper import Helper

from .test_backup import wait_for
from .test_interruptions import alive


def nothing() -> None:
    """There is all the time in the world."""


def where(request: Any) -> list[Any]:
    return [request, os.getpid()]


def here() -> list[Any]:
    return ["done here", os.getpid()]


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_one_request_after_the_other_is_answered_by_another_process() -> None:
    before = children()
    with Helper(where) as helper:
        for request in (None, "\udcff\n", {"large": "x" * 300_000}):
            helper.ask(request)
            answer, pid = helper.answer(nothing, here)
            assert (answer, pid in children()) == (request, True)
            assert pid not in (*before, os.getpid())
    assert children() == before


def failing(_request: Any) -> NoReturn:
    raise ValueError("seen by nobody")


def killed(_request: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leaving(_request: Any) -> NoReturn:
    raise SystemExit(0)


@pytest.mark.parametrize("work", [failing, killed, leaving])
def test_what_no_helper_did_is_done_here(work: Any) -> None:
    before = children()
    with Helper(work) as helper:
        for _ in range(2):
            helper.ask("something")
            assert helper.answer(nothing, here) == here()
            assert children() == before, "it is gone before its work is done once more"


@pytest.mark.parametrize("moment", ["before it is asked", "after it was asked"])
def test_a_helper_killed_while_it_waits(moment: str) -> None:
    with Helper(where) as helper:
        helper.ask()
        _answer, pid = helper.answer(nothing, here)
        if moment == "after it was asked":
            os.kill(pid, signal.SIGSTOP)
            helper.ask()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid))
        if moment == "before it is asked":
            helper.ask()
        assert helper.answer(nothing, here) == here()


def test_without_a_second_process_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> NoReturn:
        raise BlockingIOError("no more processes")

    with Helper(where, wanted=False) as helper:
        helper.ask()
        assert helper.answer(nothing, here) == here()
    monkeypatch.setattr(os, "fork", refused)
    before = descriptors()
    with Helper(where) as helper:
        helper.ask()
        assert helper.answer(nothing, here) == here()
    assert descriptors() == before


def test_the_time_limit_ends_the_waiting_and_the_helper() -> None:
    class TimeIsUpError(Exception):
        pass

    ticks = iter(range(3))

    def tick() -> None:
        if next(ticks) == 1:
            raise TimeIsUpError

    before = children()
    with Helper(lambda _request: signal.pause()) as helper:
        helper.ask()
        with pytest.raises(TimeIsUpError):
            helper.answer(tick, here)
        assert len(children()) == len(before) + 1
    assert children() == before


_PARENT = """
import signal, sys, time
from ansible_collections.roundsman.fleet.plugins.module_utils.helper import Helper
def work(request):
    print(__import__("os").getpid(), flush=True)
    time.sleep(60)
with Helper(work) as helper:
    helper.ask()
    helper.answer(lambda: None, lambda: None)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_helper_dies_with_whom_it_helps(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            parent.wait(20)
        wait_for(lambda: not alive(pid))
