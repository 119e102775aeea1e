"""Repositories behind a network, and filesystems that are full."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .cast import Anna
from .test_backup import wait_for

ROOT = os.geteuid() == 0


def port_of(process: subprocess.Popen[bytes]) -> int | None:
    """Where a program listens that was told to take any port: one chosen beforehand may be another's by then."""
    assert process.poll() is None, "the server ended"
    listening = psutil.Process(process.pid).net_connections("tcp4")
    return next((one.laddr.port for one in listening if one.status == psutil.CONN_LISTEN), None)


@contextlib.contextmanager
def rest_server(anna: Anna, *options: str) -> Iterator[None]:
    """Serves her repository over HTTP, with a user and a password."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")
    argv = ["rclone", "serve", "restic", "--addr", "127.0.0.1:0", "--user", "anna", "--pass", "s3cr3t/w0rd"]
    process = subprocess.Popen([*argv, *options, anna.repository], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: port_of(process) is not None)
        anna.repository = f"rest:http://anna:s3cr3t%2Fw0rd@127.0.0.1:{port_of(process)}/"
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def sshd(*argv: str) -> Iterator[int]:
    """A port at which each connection gets an sshd of its own. (A single one would not take any port that is free.)"""
    begun: list[subprocess.Popen[bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):  # it was shut down
                while True:
                    connection, _address = listening.accept()
                    with connection:
                        begun.append(
                            subprocess.Popen(["/usr/sbin/sshd", "-i", *argv], stdin=connection, stdout=connection)
                        )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for process in begun:
                process.terminate()
                process.wait()


def test_rest(anna: Anna) -> None:
    anna.write("a")
    with rest_server(anna):
        result = anna.back_up()
        assert not result.get("failed"), result
        checked = anna.verify()
        assert checked["verifications"][0]["outcome"] == "ok"
        for text in (str(result), str(checked), str(list(anna.state.rglob("*.json")))):
            assert "s3cr3t" not in text
        anna.repository = anna.repository.replace("s3cr3t", "guessed")
        refused = anna.back_up(timeout_s=20)
        assert refused["backup"]["reason"] == "repository_unavailable", refused
        assert "guessed" not in str(refused)


def test_a_missing_repository_behind_rest_is_made(anna: Anna) -> None:
    anna.write("a")
    shutil.rmtree(anna.repository)
    with rest_server(anna):
        result = anna.back_up()
        assert "a new repository was made" in result["backup"]["warnings"][0], result


def test_one_source_goes_to_two_repositories_one_after_the_other(anna: Anna) -> None:
    """Spool, manifest and runbook of a source have one place: whoever comes meanwhile is refused before anything."""
    anna.write("a")
    other = {"repository": str(anna.root / "other")}
    held = anna.root / "held"
    held.touch()
    with anna.engine_behind(f'case $1 in backup) while [ -e {held} ]; do sleep 0.05; done;; esac\nexec "$RESTIC" "$@"'):
        process = anna.start("backup", **anna.arguments(source={"id": "data", "paths": [str(anna.source)]}))
        manifest = anna.state / "manifests" / "data.jsonl"
        wait_for((anna.state / "unjudged").exists)
        first = manifest.read_bytes()
        refused = anna.back_up(**other)
        assert (refused["backup"]["reason"], refused["backup"]["snapshots"]) == ("repository_locked", []), refused
        assert "works with source data and holds" in refused["msg"]
        assert not Path(other["repository"]).exists()
        assert manifest.read_bytes() == first
        held.unlink()
        assert '"reason": null' in process.communicate()[0]
    assert not anna.back_up(**other).get("failed")
    for repository in ({}, other):
        assert anna.verify(**repository)["verifications"][0]["outcome"] == "ok"


def test_append_only(anna: Anna) -> None:
    """Backup and verification work; removal is refused, and an incomplete snapshot stays incomplete."""
    anna.write("a")
    with rest_server(anna, "--append-only"):
        assert not anna.back_up().get("failed")
        anna.write("a", "changed")
        good = anna.back_up()["backup"]["snapshot"]
        assert anna.verify()["verifications"][0]["outcome"] == "ok"
        # The engine meets a file that it cannot read, although the manifest could.
        error = '{"message_type":"error","error":{"Op":"open","Err":13},"item":"/data/a"}'
        script = f'"$RESTIC" "$@" || exit\ncase $1 in backup) echo \'{error}\' >&2; exit 3;; esac'
        with anna.engine_behind(script):
            result = anna.back_up()
        assert result["backup"]["reason"] == "source_unreadable", result
        assert "/data/a" in result["msg"]
        assert [s["id"] for s in anna.snapshots() if s["complete"]][-1] == good
        assert anna.verify()["verifications"][0]["snapshot"] == good
        held = anna.snapshots()
        pruned = anna.prune(keep_last=1, timeout_s=10)
        assert pruned["failed"]
        assert anna.snapshots() == held
        assert pruned["prune"]["reason"] in ("repository_unavailable", "timeout"), pruned


@pytest.mark.skipif(not ROOT or not Path("/usr/sbin/sshd").exists(), reason="needs root and sshd")
def test_sftp(anna: Anna) -> None:
    anna.write("a")
    keys = anna.root / "ssh"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    config = keys / "sshd_config"
    config.write_text(
        f"HostKey {keys}/host\nAuthorizedKeysFile {keys}/user.pub\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    local = anna.repository
    with sshd("-f", str(config)) as port:
        known = (keys / "host.pub").read_text().split()
        (keys / "known").write_text(f"[127.0.0.1]:{port} {known[0]} {known[1]}\n")
        (anna.bin / "ssh").write_text(
            f'#!/bin/sh\nexec /usr/bin/ssh -F none -p {port} -i {keys}/user -o UserKnownHostsFile={keys}/known "$@"\n'
        )
        (anna.bin / "ssh").chmod(0o755)
        anna.repository = f"sftp:root@127.0.0.1:{local}"
        assert not anna.back_up().get("failed")
        assert anna.verify()["verifications"][0]["outcome"] == "ok"
    gone = anna.back_up()
    assert gone["backup"]["reason"] == "repository_unavailable", gone


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.skipif(not ROOT, reason="mounts a filesystem")
def test_no_room_to_restore_is_unknown(anna: Anna) -> None:
    anna.write("a")
    anna.back_up()
    with small_disk(anna.root / "small", "1m") as disk:
        (checked,) = anna.verify(scratch_dir=str(disk))["verifications"]
        assert (checked["outcome"], checked["reason"], checked["level"]) == ("unknown", "no_space", "read"), checked
        assert not list(disk.iterdir())


@pytest.mark.skipif(not ROOT, reason="mounts a filesystem")
def test_a_full_repository(anna: Anna) -> None:
    anna.write("a", os.urandom(8_000_000))
    with small_disk(anna.root / "small", "3m") as disk:
        shutil.copytree(anna.repository, disk / "repository")
        anna.repository = str(disk / "repository")
        result = anna.back_up(timeout_s=60)
        assert result["backup"]["reason"] == "no_space", result
        assert anna.snapshots() == []
