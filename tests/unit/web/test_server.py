"""The process: it listens, does what is due, and ends when it is told to."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import threading
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from roundsman import times
from roundsman.exits import ExitCode
from roundsman.session import Session
from roundsman.store import StoreError
from roundsman.web import server as server_module
from roundsman.web.server import Loop, Server
from tests.alertmanager import wait_for
from tests.fleet.roundsman import Listener
from tests.serving import ROUNDSMAN, Served, served

from ..notify.servers import http_server
from .office import Desk

LABELS = {"alertname": "HighLoad", "instance": "web1:9100"}
SEEN = {**LABELS, "host": "web1", "priority": "P4"}


def quick(listener: Listener) -> str:
    target = {"name": "hook", "urls": [listener.url]}
    route = {"receiver": "hook", "group_by": ["..."], "group_wait": "100ms", "group_interval": "1s"}
    return json.dumps({"tick": "1s", "receivers": [target], "route": route})


def post(server: Served, *alerts: object) -> None:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{server.url}/api/v2/alerts", json.dumps(alerts).encode(), headers)) as answer:
        assert answer.status == 200


def firing(server: Served) -> list[dict[str, object]]:
    with urlopen(f"{server.url}/api/v2/alerts") as answer:
        found: list[dict[str, object]] = json.load(answer)
    return found


def delivered(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{folder}/state/store.db?mode=ro", uri=True)) as store:
        found: int = store.execute("SELECT COUNT(*) FROM deliveries").fetchone()[0]
    return found


def test_what_is_posted_is_told_and_survives(tmp_path: Path, listener: Listener) -> None:
    with served(tmp_path, quick(listener)) as server:
        post(server, {"labels": LABELS, "annotations": {"summary": "load is 40"}})
        # Before it is noted, a page is on its way: its end would wait for it, or for its lease to be over.
        wait_for(lambda: delivered(tmp_path) == 1)
        assert listener.deliveries[0]["alerts"][0]["labels"] == SEEN
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with served(tmp_path, quick(listener)) as server:
        assert [one["labels"] for one in firing(server)] == [SEEN]
        post(server, {"labels": LABELS, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:01Z"})
        wait_for(lambda: len(listener.deliveries) == 2)
        assert [one["status"] for one in listener.deliveries] == ["firing", "resolved"]
        assert server.ended() == 0
        assert server.log.read_text() == ""


def test_a_receiver_that_hangs_delays_no_other(tmp_path: Path, listener: Listener) -> None:
    with http_server() as hung:
        hung.behaviours = ["hang"]
        hanging = {"name": "hung", "webhooks": [{"url": f"http://127.0.0.1:{hung.port}/", "timeout": "60s"}]}
        receivers = [{"name": "hook", "urls": [listener.url]}, hanging]
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s"}
        routes = [{"receiver": "hung", "continue": True}, {"receiver": "hook"}]
        alerts = {"tick": "1s", "receivers": receivers, "route": {**route, "routes": routes}}
        with served(tmp_path, json.dumps(alerts)) as server:
            post(server, {"labels": LABELS})
            wait_for(lambda: hung.requests and len(listener.deliveries) == 1)
            post(server, {"labels": {**LABELS, "alertname": "OutOfMemory"}})
            wait_for(lambda: len(listener.deliveries) == 2)
            assert hung.requests == 1
            hung.stop.set()
            assert server.ended() == 0, "what was begun is brought to its end"


class Work:
    """Goes as it is told, and can be waited for."""

    def __init__(self, *happens: Exception | float) -> None:
        self.happens = list(happens)
        self.done = 0
        self.failed = threading.Event()
        self.loop = Loop(self._do, self.failed.set)
        self.loop.start()

    def _do(self) -> float:
        self.done += 1
        what = self.happens.pop(0) if self.happens else 60.0
        if isinstance(what, Exception):
            raise what
        return what

    def has_been_done(self, times: int) -> None:
        wait_for(lambda: self.done >= times)


def test_work_comes_again_when_it_says_so_or_is_woken() -> None:
    work = Work(0.0, 60.0)
    work.has_been_done(2)
    work.loop.wake()
    work.has_been_done(3)
    work.loop.end()
    assert (work.done, work.failed.is_set()) == (3, False)


@pytest.mark.parametrize("fault", [StoreError("the store is locked"), OSError(28, "No space left on device")])
def test_what_may_pass_is_tried_again(
    fault: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_AFTER_A_FAULT_S", 0.0)
    work = Work(fault)
    work.has_been_done(2)
    work.loop.end()
    assert str(fault) in capsys.readouterr().err


def test_a_fault_of_ours_ends_the_server_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    """Without its work alerts would come in and rest unseen."""
    work = Work(ValueError("a fault"))
    assert work.failed.wait(30)
    work.loop.end()
    assert "ValueError: a fault" in capsys.readouterr().err


def test_what_could_not_be_heard_gets_time_to_be_said_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setattr(times, "now", lambda: desk.now)

    def firing_after(minutes: float, server: Server) -> bool:
        desk.now += timedelta(minutes=minutes)
        server.tell()
        return desk.names() == ["HighLoad"]

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(Session(desk.settings), listening)
        server.tell()
        desk.post(desk.alert(endsAt=desk.stamp(2)))
        # While the machine is asleep nobody is heard.
        assert firing_after(60, server)
        assert [firing_after(0.9, server) for _ in range(6)] == [True] * 5 + [False]
        desk.post(desk.alert(endsAt=desk.stamp(2)))
        assert [firing_after(0.9, server) for _ in range(3)] == [True, True, False]
        # Nor before there is a server.
        desk.post(desk.alert(endsAt=desk.stamp(2)))
        assert firing_after(60, Server(Session(desk.settings), listening))


@pytest.mark.parametrize("listen", ["127.0.0.1:{port}", "localhost:{port}"])
def test_a_port_that_is_taken_is_said(tmp_path: Path, listen: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = tmp_path / "roundsman.yml"
        listen = listen.format(port=taken.getsockname()[1])
        config.write_text(f"state_dir: {tmp_path}/state\nserve: {{listen: '{listen}'}}\n")
        done = subprocess.run(
            [ROUNDSMAN, "serve", "-c", config], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == ExitCode.USAGE
    assert f"cannot listen on {listen}: Address already in use" in done.stderr
