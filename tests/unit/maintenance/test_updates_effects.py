"""Locks of package managers, transactions that outlive their module, and HAProxy's runtime API: with real ones."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import haproxy
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import detached, package_locks, restarting
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError

HOLD = """
import fcntl, sys, time
stream = open(sys.argv[1], "w")
fcntl.lockf(stream, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
STEP = SimpleNamespace(tick=lambda: None, keep_fds=[])


@contextlib.contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_holds_a_lock_is_named_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert package_locks.holder(str(path)) is None
    with holding(path) as process:
        assert package_locks.holder(str(path)) == process.pid
        with pytest.raises(ProcedureError, match=rf"python.* \(pid {process.pid}\) holds {path}") as caught:
            package_locks.wait_for(STEP, 0, [str(path)])
        assert caught.value.reason == "locked"
        waited: list[float] = []

        def let_go(seconds: float) -> None:
            waited.append(seconds)
            process.kill()
            process.wait()

        package_locks.wait_for(STEP, 60, [str(path)], sleep=let_go)
    assert len(waited) == 1
    assert package_locks.holder(str(path)) is None


MODULE = """
import sys, time
from types import SimpleNamespace
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import detached
detached._scope = lambda: []
step = SimpleNamespace(tick=lambda: None, keep_fds=[int(sys.argv[1])])
script = "echo begun; while [ -e %s ]; do sleep 0.05; done; echo ended" % sys.argv[2]
detached.run_detached(step, ["sh", "-c", script], {}, sys.argv[3])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_transaction_outlives_its_module_and_keeps_the_lock(tmp_path: Path, number: int) -> None:
    held, log = tmp_path / "held", tmp_path / "log"
    held.touch()
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        argv = [sys.executable, "-c", MODULE, str(lock.fileno()), str(held), str(log)]
        module = subprocess.Popen(argv, pass_fds=[lock.fileno()], start_new_session=True)
    until(lambda: log.exists() and "begun" in log.read_text())
    os.killpg(module.pid, number)
    module.wait()
    with (tmp_path / "lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.unlink()
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits until it has ended
    assert log.read_text() == "begun\nended\n"


def test_a_transaction_that_takes_too_long_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tick() -> None:
        raise ProcedureError("timeout", "the time limit was reached")

    monkeypatch.setattr(detached, "_scope", list)
    step = SimpleNamespace(tick=tick, keep_fds=[])
    held, mark = tmp_path / "held", tmp_path / "mark"
    held.touch()
    script = f"while [ -e {held} ]; do sleep 0.05; done; touch {mark}"
    with pytest.raises(ProcedureError, match="goes on as pid"):
        detached.run_detached(step, ["sh", "-c", script], {}, str(tmp_path / "log"))
    held.unlink()
    until(mark.exists)


def test_services_that_run_what_was_replaced(tmp_path: Path) -> None:
    def process(pid: str, maps: str, namespace: str = "pid:[1]") -> None:
        (tmp_path / pid / "ns").mkdir(parents=True)
        (tmp_path / pid / "maps").write_text(maps)
        (tmp_path / pid / "cgroup").write_text(f"0::/system.slice/s{pid}.service\n")
        (tmp_path / pid / "ns" / "pid").symlink_to(namespace)

    old = "7f00-7f01 r-xp 00000000 08:01 10 /usr/lib/libssl.so.3 (deleted)\n"
    process("self", "")
    process("7", old)
    process("8", old.replace(" (deleted)", ""))
    process("9", old, namespace="pid:[2]")  # a container's
    (tmp_path / "10").mkdir()  # ends just now
    assert restarting.outdated(STEP, proc=str(tmp_path)) == ["s7.service"]


class Haproxy(socketserver.ThreadingUnixStreamServer):
    """As much of HAProxy as its runtime API shows: one server, shop/web1, whose last session ends after a while."""

    def __init__(self, path: Path) -> None:
        self.state, self.sessions = "UP", 2
        self.path = str(path)
        super().__init__(self.path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    server: Haproxy

    def handle(self) -> None:
        command = self.rfile.readline().decode().strip()
        found = re.fullmatch(r"set server (\S+) state (\S+)", command)
        if command == "show stat":
            rows = f"shop,web1,0,{self.server.sessions},{self.server.state},\nshop,BACKEND,0,5,UP,\n\n"
            self.server.sessions = max(0, self.server.sessions - 1)
            self.wfile.write(b"# pxname,svname,qcur,scur,status,\n" + rows.encode())
        elif found and found.group(1) == "shop/web1":
            self.server.state = {"ready": "UP", "drain": "DRAIN"}[found.group(2)]
            self.wfile.write(b"\n")
        else:
            self.wfile.write(b"No such server.\n")


def call(proxy: Haproxy, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    asked = {"socket": proxy.path, "server": "shop/web1", "_ansible_check_mode": check, **arguments}
    module = "ansible_collections.roundsman.fleet.plugins.modules.haproxy_server"
    done = subprocess.run(
        [sys.executable, "-m", module], input=json.dumps({"ANSIBLE_MODULE_ARGS": asked}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_haproxy_is_told_and_waited_for(tmp_path: Path) -> None:
    server = Haproxy(tmp_path / "admin.sock")
    assert call(server, state="drain", check=True)["changed"] is True
    assert server.state == "UP"
    drained = call(server, state="drain")
    assert (drained["changed"], drained["status"], drained["sessions"]) == (True, "DRAIN", 0)
    assert call(server, state="ready")["status"] == "UP"
    refused = call(server, server="shop/web9", state="drain")
    assert "has no server shop/web9" in refused["msg"]
    server.shutdown()
    server.server_close()
    (tmp_path / "admin.sock").unlink()
    assert "HAProxy does not answer at" in call(server, state="ready")["msg"]


def test_a_server_that_does_not_come_up_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "look", lambda _address, _server: ("DOWN 1/2", 0))
    clock = iter([0.0, 1.0, 61.0])
    waited = haproxy.wait("/socket", "shop/web1", "ready", 60, clock=lambda: next(clock), sleep=lambda _s: None)
    assert waited == (False, "DOWN 1/2", 0)


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
