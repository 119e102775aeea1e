"""Killed with -9 at ten points of a round: afterwards all records agree, and the next round completes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.fleet import faults
from tests.fleet.roundsman import PASSWORD, Listener, Roundsman, backed_up

if TYPE_CHECKING:
    import subprocess

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

SICK = 2  # exit code: critical findings
REPOSITORY = "/var/backups/roundsman"
BASICS: list[dict[str, Any]] = [{"type": "systemd"}, {"id": "ssh", "type": "tcp", "port": 22, "warn": None}]

Point = Callable[["Fleet", Roundsman, "subprocess.Popen[str]"], bool]


def after_lines(number: int) -> Point:
    """The newest ledger has so many lines: 1 start, 2 and 3 health, 4 and 5 backups, 6 and 7 evidence, 8 end."""

    def reached(_fleet: Fleet, roundsman: Roundsman, _process: subprocess.Popen[str]) -> bool:
        ledgers = sorted((roundsman.state / "ledger").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        return (
            bool(ledgers)
            and ledgers[-1].read_bytes().count(b"\n") >= number
            and ledgers[-1].name not in seen(roundsman)
        )

    return reached


def seen(roundsman: Roundsman) -> set[str]:
    return set((roundsman.folder / "seen").read_text().split())


def before_ansible(_fleet: Fleet, roundsman: Roundsman, _process: subprocess.Popen[str]) -> bool:
    return any((roundsman.state / "runner").glob("*"))


def ansible_runs(_fleet: Fleet, _roundsman: Roundsman, process: subprocess.Popen[str]) -> bool:
    return len(psutil.Process(process.pid).children(recursive=True)) > 1


def restic_at_work(*words: str) -> Point:
    def reached(fleet: Fleet, _roundsman: Roundsman, _process: subprocess.Popen[str]) -> bool:
        hosts = fleet.hosts.values()
        return any(host.inside("pgrep", "-f", f"restic.*{words[0]}").returncode == 0 for host in hosts)

    return reached


def everything(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def only_the_command(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [psutil.Process(process.pid)]


def only_ansible(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


# Where restic is held at that command, so that it is met there.
HELD = {"restic backs up": "backup", "restic restores": "restore"}
POINTS: list[tuple[str, Point, Callable[[subprocess.Popen[str]], list[psutil.Process]]]] = [
    ("before Ansible", before_ansible, everything),
    ("Ansible has begun", ansible_runs, everything),
    ("the run is announced", after_lines(1), everything),
    ("first health", after_lines(2), everything),
    ("all health", after_lines(3), only_the_command),
    ("restic backs up", restic_at_work("backup"), everything),
    ("first backup", after_lines(4), only_ansible),
    ("all backups", after_lines(5), everything),
    ("restic restores", restic_at_work("restore"), everything),
    ("first evidence", after_lines(6), everything),
]


def test_ten_kills(fleet: Fleet, tmp_path: Path, listener: Listener) -> None:
    for name in ("web1", "web2"):
        fleet.host(name, variables=backed_up("/etc", "/srv/shop", roundsman_checks=BASICS))
    # web2 is unwell all the time: that is told once, whatever is killed, and its end is told last.
    web2 = fleet.hosts["web2"]
    web2.suffer(faults.failed_unit)
    roundsman = Roundsman(tmp_path, fleet.inventory(), listener)
    for host in fleet.hosts.values():
        host.run("mkdir /srv/shop && head -c 8M /dev/urandom | split -b 256k - /srv/shop/part-")
    assert roundsman.run("rounds").returncode == SICK

    for what, point, victims in POINTS:
        ledgers = (roundsman.state / "ledger").glob("*.jsonl")
        (roundsman.folder / "seen").write_text("\n".join(path.name for path in ledgers))
        with contextlib.ExitStack() as held:
            for host in fleet.hosts.values() if what in HELD else ():
                held.enter_context(faults.held_restic(host, HELD[what]))
            kill_at(fleet, roundsman, point, victims, what)
        for host in fleet.hosts.values():
            # New data, so that every round has something to save.
            host.run("head -c 1M /dev/urandom > /srv/shop/part-new")

        after = roundsman.run("rounds")

        assert after.returncode == SICK, f"after a kill at {what!r}:\n{after.stdout}\n{after.stderr}"
        records_agree(fleet, roundsman, what)

    web2.recover(faults.failed_unit)
    assert roundsman.run("rounds").returncode == 0
    told = dict(zip(listener.keys, listener.deliveries, strict=True))
    assert [delivery["status"] for delivery in told.values()] == ["firing", "resolved"]


def kill_at(
    fleet: Fleet,
    roundsman: Roundsman,
    point: Point,
    victims: Callable[[subprocess.Popen[str]], list[psutil.Process]],
    what: str,
) -> None:
    process = roundsman.start("rounds")
    end = time.monotonic() + 120
    while not point(fleet, roundsman, process):
        assert process.poll() is None, f"{what}: the round was over before: {process.stdout and process.stdout.read()}"
        assert time.monotonic() < end, f"{what} was never reached"
        time.sleep(0.01)
    for victim in victims(process):
        try:
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait(timeout=120)


def records_agree(fleet: Fleet, roundsman: Roundsman, what: str) -> None:
    with sqlite3.connect(roundsman.state / "store.db") as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        statuses = [status for (status,) in store.execute("SELECT status FROM runs ORDER BY started_at")]
        entries = store.execute("SELECT run_id, seq FROM entries ORDER BY run_id, seq").fetchall()
        snapshots = store.execute("SELECT host, id FROM snapshots WHERE present ORDER BY host, id").fetchall()
        open_alerts = store.execute("SELECT COUNT(*) FROM alerts WHERE phase != 'resolved'").fetchone()
    assert statuses[-1] == "finished"
    assert set(statuses) <= {"finished", "interrupted", "failed"}, what
    assert entries == ledger_entries(roundsman), what
    assert snapshots == [pair for host in fleet.hosts.values() for pair in held(host)], what
    assert open_alerts == (1,), what
    assert list((roundsman.state / "runner").iterdir()) == [], "nothing of ansible-runner's is left"


def ledger_entries(roundsman: Roundsman) -> list[tuple[str, int]]:
    found = []
    for path in sorted((roundsman.state / "ledger").glob("*.jsonl")):
        whole = path.read_bytes().rpartition(b"\n")[0]
        found += [(path.stem, json.loads(line)["seq"]) for line in whole.splitlines()]
    return sorted(found)


def held(host: Host) -> list[tuple[str, str]]:
    """What the repository says, without Roundsman; it is sound and nobody holds it."""
    environment = f"RESTIC_REPOSITORY={REPOSITORY} RESTIC_PASSWORD={PASSWORD}"
    assert host.run(f"{environment} restic list locks --no-lock -q").stdout == ""
    host.run(f"{environment} restic check -q")
    assert host.run("ls /var/lib/roundsman/scratch 2>/dev/null", check=False).stdout == ""
    listed = json.loads(host.run(f"{environment} restic snapshots --json").stdout)
    return sorted(
        (host.name, snapshot["id"]) for snapshot in listed if "incomplete" not in (snapshot.get("tags") or [])
    )


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_person_stops_a_round(fleet: Fleet, tmp_path: Path, signal_number: int) -> None:
    web1 = fleet.host("web1", variables=backed_up("/etc", roundsman_checks=BASICS))
    roundsman = Roundsman(tmp_path, fleet.inventory())
    (roundsman.folder / "seen").write_text("")
    with faults.held_restic(web1, "backup"):
        process = roundsman.start("rounds")
        while not after_lines(2)(fleet, roundsman, process):
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal_number)
        assert process.wait(timeout=120) == 130
    assert "interrupted" in roundsman.run("runs", "list").stdout
    assert roundsman.run("rounds").returncode == 0
