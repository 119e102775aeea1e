"""Health as people and other programs read it, on real hosts: the page, Nagios, Prometheus, JUnit."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from junitparser import JUnitXml

from roundsman import perfdata
from tests.debian import unpacked
from tests.fleet import nagios_daemon
from tests.fleet.roundsman import Roundsman

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleet.hosts import Fleet

HOSTILE = 'disk "of" \\ <web>&|\'ö{}=1'
CHECKS: list[dict[str, Any]] = [
    {"type": "load", "warn": "50", "crit": "100"},
    {"type": "uptime"},
    {"id": HOSTILE, "type": "filesystem", "path": "/", "warn": "99.99%", "crit": None},
    {"id": "site", "type": "tcp", "port": 81, "warn": "1s", "crit": "5s"},
]


@pytest.fixture(scope="module")
def desk(shared_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roundsman]:
    """web1 answers, with a port that nobody listens on; db1 is away."""
    variables = {"roundsman_default_checks": [], "roundsman_checks": CHECKS}
    shared_fleet.host("web1", variables=variables)
    shared_fleet.host("db1", variables=variables, down=True)
    return Roundsman(tmp_path_factory.mktemp("desk"), shared_fleet.inventory())


def test_prometheus_reads_a_sweep(desk: Roundsman) -> None:
    done = desk.run("health", "--output", "prometheus")
    assert done.returncode == 2, done.stderr
    promtool = unpacked("prometheus") / "usr/bin/promtool"

    def checked(text: str) -> tuple[int, str]:
        said = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        return said.returncode, said.stdout + said.stderr

    assert checked(done.stdout) == (0, "")
    assert checked(done.stdout.replace('\\"', '"'))[0] != 0, "promtool would say so"
    assert 'roundsman_host_reachable{host="db1"} 0.0' in done.stdout


def test_junit_is_read_by_another_program(desk: Roundsman) -> None:
    done = desk.run("health", "--output", "junit")
    read = JUnitXml.fromstring(done.stdout.encode())
    cases = {(suite.name, case.name): [type(one).__name__ for one in case.result] for suite in read for case in suite}
    assert cases == {
        ("web1", "load"): [], ("web1", "uptime"): [], ("web1", HOSTILE): [], ("web1", "site"): ["Failure"],
        ("db1", "reachable"): ["Error"],
    }  # fmt: skip
    assert (read.tests, read.failures, read.errors, read.skipped) == (5, 1, 1, 0)


def test_nagios_runs_it_as_a_plugin(desk: Roundsman, tmp_path: Path) -> None:
    """The daemon itself, with one service; its status file says what it understood."""
    status = nagios_daemon.check_once(tmp_path, desk.command("health", "web1", "--output", "nagios"))
    assert status["current_state"] == "2"
    assert status["plugin_output"].startswith("ROUNDSMAN CRITICAL - CRITICAL site: ")
    assert "CRITICAL site: " in status["long_plugin_output"]
    measured = {item.label: item.value for item in perfdata.parse(status["performance_data"])}
    assert any(label.startswith('disk "of"') for label in measured)
    assert "load::load1" in measured


def test_the_page_of_a_host_that_goes_away_and_comes_back(desk: Roundsman, shared_fleet: Fleet) -> None:
    web1 = shared_fleet.hosts["web1"]
    for _time in range(2):
        done = desk.run("health", "web1")
    assert done.returncode == 2
    assert re.search(r"web1 +CRITICAL +1 of 4 checks amiss", done.stdout), done.stdout
    for word in ("services", "resources", "load", "in ", "warn 50 crit 100", "▁"):
        assert word in done.stdout, done.stdout

    page = desk.json("health", "web1", "--last")["page"]
    assert {one["id"] for one in page["checks"]} == {"load", "uptime", HOSTILE, "site"}
    load = next(one for one in page["checks"] if one["id"] == "load")
    assert (load["status"], load["missing"], len(load["history"]) >= 2) == ("OK", False, True)

    web1.stop()
    try:
        away = desk.run("health", "web1")
    finally:
        web1.start()
    assert away.returncode == 4
    assert re.search(r"web1 +UNREACHABLE +5 of 5 checks amiss", away.stdout), away.stdout
    assert "UNKNOWN" in away.stdout
    assert re.search(r"not seen since 20\d\d-\d\d-\d\d \d\d:\d\d UTC \(.* ago\); was OK: load", away.stdout)
    assert "roundsman doctor --limit web1" in away.stdout

    last = desk.run("health", "web1", "--last")
    assert "not seen since" not in last.stdout, "an old result is no missing one before its time"
    assert desk.run("health", "web1").returncode == 2


def test_watch_goes_on_until_ctrl_c_and_redraws_on_a_terminal(desk: Roundsman) -> None:
    ours, theirs = pty.openpty()
    command = ["env", "--default-signal=INT", *desk.command("health", "web1", "--watch=1s")]
    watching = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    os.close(theirs)
    seen, until = b"", time.monotonic() + 180
    while seen.count(b"checks amiss") < 2 and time.monotonic() < until:
        seen += os.read(ours, 65536)
    watching.send_signal(signal.SIGINT)
    code = watching.wait(120)
    os.close(ours)
    assert (seen.count(b"checks amiss"), seen.count(b"\x1b[2J")) >= (2, 2), seen
    assert code == 130
