"""Locks that dead hosts left: cleared when restic takes them as stale, named when not, and nobody else is hit."""

from __future__ import annotations

import datetime
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cast import PASSWORD, Anna
from .quick_repository import lock

OWN = socket.gethostname()
NOBODY = 4_194_304  # one more than the highest process id of Linux


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that got the process id of a restic from before a restart."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def left_lock(anna: Anna, host: str, pid: int, age_s: float) -> Path:
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s)
    record = {"time": made.isoformat(), "exclusive": True, "hostname": host, "username": "root", "pid": pid}
    return lock(Path(anna.repository), PASSWORD, record)


@pytest.mark.parametrize(("host", "pid", "age_s"), [(OWN, NOBODY, 5), ("db9", 17, 1801), ("db9", NOBODY, 1801)])
def test_stale_locks_are_cleared_at_once(anna: Anna, host: str, pid: int, age_s: float) -> None:
    anna.write("a")
    left = left_lock(anna, host, pid, age_s)
    result = anna.back_up()
    assert not result.get("failed"), result
    assert not left.exists()


@pytest.mark.parametrize(("age_s", "told"), [(600, "last refreshed 6"), (-9e7, "last refreshed -")])
def test_the_lock_of_another_host_is_left_to_it_and_named(anna: Anna, age_s: float, told: str) -> None:
    anna.write("a")
    left = left_lock(anna, "db9", 17, age_s)
    result = anna.back_up()
    assert result["backup"]["reason"] == "repository_locked"
    for words in ("db9 (pid 17, root) holds an exclusive lock", told, "restic unlock --remove-all"):
        assert words in result["msg"]
    assert left.exists()


def test_whoever_got_the_process_id_is_not_hit(anna: Anna, stranger: subprocess.Popen[bytes]) -> None:
    anna.write("a")
    left_lock(anna, OWN, stranger.pid, 60)
    left_lock(anna, "db9", 17, 7200)
    result = anna.back_up()
    assert result["backup"]["reason"] == "repository_locked"
    assert "another program by now" in result["msg"]
    assert stranger.poll() is None

    for path in Path(anna.repository, "locks").iterdir():
        path.unlink()
    left_lock(anna, OWN, stranger.pid, 1801)
    assert not anna.back_up().get("failed")
    assert stranger.poll() is None
