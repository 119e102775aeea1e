"""A backup tells the truth: what it saved, what it could not, and what became of the repository."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.registry import KINDS

from .cast import PASSWORD, Anna

NOT_ROOT = os.geteuid() != 0


def record_of(result: dict) -> dict:
    assert not result.get("failed"), result
    return result["backup"]


def reason_of(result: dict) -> str:
    assert result["failed"], result
    assert "\n" not in result["msg"]
    return result["backup"]["reason"]


def test_first_and_second_backup(anna: Anna) -> None:
    anna.write("a")
    first = record_of(anna.back_up())
    assert first["parent"] is None
    assert first["manifest_entries"] == 2
    assert first["engine"]["name"] == "restic"
    anna.write("b", "more")
    second = record_of(anna.back_up())
    assert second["parent"] == first["snapshot"]
    assert [s["id"] for s in second["snapshots"]] == [first["snapshot"], second["snapshot"]]
    assert all(s["complete"] for s in second["snapshots"])
    full = record_of(anna.back_up(backup_type="full"))
    assert full["parent"] is None
    assert full["added_bytes"] < 100_000
    assert (anna.state / "manifests" / "data.jsonl").stat().st_mode & 0o777 == 0o600
    assert anna.state.stat().st_mode & 0o777 == 0o700


def test_a_new_repository_is_made_once(anna: Anna) -> None:
    anna.write("a")
    shutil.rmtree(anna.repository)
    result = anna.back_up(initialize=False)
    assert reason_of(result) == "repository_missing"
    assert "a new repository was made" in record_of(anna.back_up())["warnings"][0]
    shutil.rmtree(anna.repository)
    result = anna.back_up()
    assert reason_of(result) == "repository_missing"
    assert "used before" in result["msg"]
    assert not Path(anna.repository).exists()
    anna.with_repository()
    assert reason_of(anna.back_up()) == "repository_changed"
    (record,) = anna.verify()["verifications"]
    assert (record["outcome"], record["reason"]) == ("unknown", "repository_changed")


def test_missing_source_saves_nothing(anna: Anna) -> None:
    anna.write("a")
    result = anna.back_up({"paths": [str(anna.source), "/nope/one", "/nope/two"]})
    assert reason_of(result) == "source_missing"
    assert "/nope/one, /nope/two" in result["msg"]
    assert anna.snapshots() == []


def test_faulty_definitions_are_refused_all_at_once(anna: Anna) -> None:
    result = anna.back_up(
        {"id": "a b", "paths": ["relative", 3], "excludes": ["[x"], "include_logs": "no", "pathes": []}
    )
    assert result["failed"]
    assert len(result["faults"]) == 6, result["faults"]
    assert "allowed are" in result["msg"]
    twice = [{"id": "x", "paths": ["/x"]}, {"id": "x", "paths": ["/y"]}, {"id": "z", "type": "postgres"}, {"id": "w"}]
    faults = anna.call("backup_info", sources=twice)["faults"]
    assert faults == [
        "source x: id is used twice",
        f"source z: type must be one of {', '.join(sorted(KINDS))}, not 'postgres'",
        "source w: paths must name at least one path",
    ]
    excluded = anna.call("backup_info", sources=[{"id": "x", "paths": ["/var/log"], "include_logs": False}])
    assert "nothing of it would be saved" in excluded["msg"]


def test_wrong_password(anna: Anna) -> None:
    anna.write("a")
    anna.password = "not-the-right-one"
    assert reason_of(anna.back_up()) == "wrong_password"
    (record,) = anna.verify()["verifications"]
    assert (record["outcome"], record["reason"]) == ("unknown", "wrong_password")


def test_unreachable_repository(anna: Anna) -> None:
    anna.write("a")
    anna.repository = "rest:http://someone:s3cr3t-w0rd@127.0.0.1:9/anna"
    result = anna.back_up(timeout_s=4)
    assert reason_of(result) == "repository_unavailable"
    assert "s3cr3t" not in str(result)
    assert result["backup"]["repository"] == "rest:http://127.0.0.1:9/anna"


def test_an_engine_that_is_too_old(anna: Anna) -> None:
    with anna.engine_behind("echo restic 0.9.6 compiled with go"):
        result = anna.back_up()
    assert reason_of(result) == "engine_missing"
    assert "0.14 or newer is needed" in result["msg"]


def test_check_mode_changes_nothing(anna: Anna) -> None:
    anna.write("a", "12345")
    result = anna.back_up(_ansible_check_mode=True)
    assert record_of(result)["files"] == 1
    assert result["backup"]["total_bytes"] == 5
    assert result["msg"].startswith("Would back up 2 entries of data with 5 bytes")
    assert not anna.state.exists()
    assert not list(Path(anna.repository, "snapshots").iterdir())


def test_names_and_kinds_of_all_sorts_are_restored(anna: Anna) -> None:
    anna.write("plain")
    anna.write("new\nline")
    anna.write("sub/setuid").chmod(0o4755)
    os.link(anna.source / "plain", anna.source / "hard-link")
    (anna.source / "link").symlink_to("plain")
    (anna.source / "dangling").symlink_to("/nowhere")
    (anna.source / "loop").symlink_to(".")
    os.mkfifo(anna.source / "fifo")
    raw = os.fsencode(anna.source) + b"/caf\xe9\xff"
    Path(os.fsdecode(raw)).write_text("latin")
    os.utime(raw, ns=(1_000_000_001, 1_234_567_890_123_456_789))
    (anna.source / "empty").mkdir(mode=0o750)
    anna.write("sparse", b"")
    os.truncate(anna.source / "sparse", 50_000_000)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(anna.source / "socket"))
        if not NOT_ROOT:
            os.mknod(anna.source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.chown(anna.source / "plain", 1234, 5678)
            os.chown(anna.source / "link", 1234, 5678, follow_symlinks=False)
        saved = record_of(anna.back_up())
    (checked,) = anna.verify()["verifications"]
    assert (checked["outcome"], checked["changed_during_backup"]) == ("ok", 0), checked
    assert checked["entries"] == saved["manifest_entries"]


def test_include_logs(anna: Anna) -> None:
    for name in ("keep", "log/app", "sub/logs/x", "catalog/y"):
        anna.write(name)
    with_logs = record_of(anna.back_up())["manifest_entries"]
    without = record_of(anna.back_up({"include_logs": False}))
    assert with_logs - without["manifest_entries"] == 4
    names = anna.restic("ls", without["snapshot"])
    assert "catalog/y" in names
    assert "/log/" not in names
    assert anna.verify()["verifications"][0]["outcome"] == "ok"


def test_the_repository_and_our_own_state_are_left_out(anna: Anna) -> None:
    anna.repository = str(anna.source / "backups" / "re[po]")
    anna.state = anna.source / "var" / "state"
    anna.with_repository()
    anna.write("keep")
    anna.write("var/other")
    anna.back_up({"excludes": ["*.jsonl", "manifests", "state"]})
    second = record_of(anna.back_up({"excludes": ["*.jsonl", "manifests"]}))
    names = anna.restic("ls", second["snapshot"])
    assert "re[po]" not in names
    assert "/state/cache" not in names
    assert "/state/manifests/data.jsonl" in names
    (checked,) = anna.verify()["verifications"]
    assert checked["outcome"] == "ok", checked
    assert checked["entries"] == second["manifest_entries"]


@pytest.mark.skipif(NOT_ROOT, reason="needs another user")
def test_unreadable_files_make_an_incomplete_snapshot(anna: Anna) -> None:
    """Root reads all modes, so the unreadable file is one that the kernel itself refuses to read."""
    anna.write("fine")
    mem = Path("/proc/self/mem")
    good = record_of(anna.back_up())
    result = anna.back_up({"paths": [str(anna.source), str(mem)]})
    assert reason_of(result) == "source_unreadable"
    assert "/proc/self/mem" in result["msg"] or "mem" in result["msg"]
    assert result["backup"]["snapshots"][-1]["complete"] is False
    assert result["backup"]["snapshot"] == result["backup"]["snapshots"][-1]["id"]
    (checked,) = anna.verify()["verifications"]
    assert checked["snapshot"] == good["snapshot"]
    (named,) = anna.verify(sources=[], snapshots=[result["backup"]["snapshot"]])["verifications"]
    assert (named["outcome"], named["reason"]) == ("damaged", "source_unreadable")
    assert record_of(anna.back_up())["parent"] == good["snapshot"]


def test_a_lock_of_a_living_process_is_respected(anna: Anna) -> None:
    anna.write("a", os.urandom(500_000))
    anna.back_up()
    sleeper = hold_exclusive_lock(anna)
    try:
        result = anna.back_up()
        assert reason_of(result) == "repository_locked"
        (record,) = anna.verify()["verifications"]
        assert (record["outcome"], record["reason"]) == ("unknown", "repository_locked")
    finally:
        os.kill(sleeper.pid, signal.SIGKILL)
        sleeper.wait()
    # Its lock is stale now: cleared, and the work goes on.
    assert anna.verify(lock_timeout_s=20)["verifications"][0]["outcome"] == "ok"
    assert record_of(anna.back_up(lock_timeout_s=20))["snapshot"]


def hold_exclusive_lock(anna: Anna) -> subprocess.Popen[bytes]:
    """A restic that holds the repository exclusively for as long as it lives: `check` through a thin pipe."""
    env = {**os.environ, "RESTIC_REPOSITORY": anna.repository, "RESTIC_PASSWORD": PASSWORD}
    process = subprocess.Popen(
        [str(anna.restic_binary), "check", "--read-data", "--no-cache", "--limit-download", "1"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # A name with "-tmp" is a file that is still written.
    wait_for(lambda: any("-tmp" not in path.name for path in Path(anna.repository, "locks").iterdir()))
    return process


def wait_for(condition: Callable[[], bool], limit_s: float = 120) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_the_hosts_own_lock(anna: Anna) -> None:
    anna.write("a")
    anna.back_up()
    locks = list((anna.state / "locks").iterdir())
    assert len(locks) == 2, "of the repository and of the source"
    for lock in locks:
        assert lock.read_text() == "", "who is gone is not named"
        with lock.open("r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            result = anna.back_up()
        assert reason_of(result) == "repository_locked"
        assert "Another Roundsman process" in result["msg"]


def test_timeout_stops_the_engine(anna: Anna) -> None:
    anna.write("a")
    started = time.monotonic()
    with anna.engine_behind('case "$1" in backup) sleep 987;; *) exec "$RESTIC" "$@";; esac'):
        assert reason_of(anna.back_up(timeout_s=5)) == "timeout"
    assert time.monotonic() - started < 300
    # It was killed with its group; on a busy machine it is seen for a moment more.
    wait_for(lambda: not said_by_ps("sleep 987"))


def said_by_ps(words: str) -> bool:
    return words in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


def test_secrets_stay_out_of_argv(anna: Anna, tmp_path: Path) -> None:
    anna.write("a")
    anna.environment = {"AWS_SECRET_ACCESS_KEY": "very-secret-key"}
    held = anna.root / "held"
    held.touch()
    seen: set[str] = set()

    def look() -> None:
        """What is found of the module and of all that it began; other tests have secrets of their own."""
        for one in [ours, *ours.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # it has just ended
                seen.update(one.cmdline())

    def saving() -> bool:
        look()
        return str(anna.source) in seen

    # The engine is met by its arguments, and waits until it was seen.
    with anna.engine_behind(f'case $1 in backup) while [ -e {held} ]; do sleep 0.05; done;; esac\nexec "$RESTIC" "$@"'):
        process = anna.start("backup", **anna.arguments(source={"id": "data", "paths": [str(anna.source)]}))
        ours = psutil.Process(process.pid)
        wait_for(saving)
        held.unlink()
        while process.poll() is None:
            look()
        out, _err = process.communicate()
    assert '"reason": null' in out, out
    for secret in (PASSWORD, "very-secret-key"):
        assert not [word for word in seen if secret in word]
        assert secret not in out
    stored = subprocess.run(["grep", "-r", PASSWORD, str(anna.state)], check=False)
    assert stored.returncode == 1


@pytest.mark.skipif(NOT_ROOT, reason="gives a directory away")
def test_a_state_directory_of_someone_else_is_not_used(anna: Anna) -> None:
    anna.write("a")
    anna.state.mkdir()
    os.chown(anna.state, 1234, 1234)
    result = anna.back_up()
    assert reason_of(result) == "unprivileged"
    assert "belongs to another user" in result["msg"]
    assert anna.snapshots() == []
