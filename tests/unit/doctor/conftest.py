"""A real sshd on loopback, with keys of its own: what doctor says is compared with what a real server does."""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from roundsman.doctor import HostTarget
from tests.ports import free_port

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass
class Web1:
    """The host of these stories: an sshd on loopback that lets this user in with one key."""

    folder: Path
    port: int

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def key(self) -> Path:
        return self.folder / "client"

    def host_key(self, name: str = "host") -> str:
        return " ".join((self.folder / f"{name}.pub").read_text().split()[:2])

    def know(self, line: str | None = None) -> None:
        self.known_hosts.write_text(f"{line or f'[127.0.0.1]:{self.port} {self.host_key()}'}\n")

    def target(self, **changes: object) -> HostTarget:
        options = f"UserKnownHostsFile={self.known_hosts}", "GlobalKnownHostsFile=none", "IdentityAgent=none"
        described: dict[str, object] = {
            "name": "web1",
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "ssh_args": ("-F", "none", *(arg for option in options for arg in ("-o", option))),
            "private_key_file": str(self.key),
            "python": sys.executable,
        }
        return HostTarget(**{**described, **changes})  # type: ignore[arg-type]


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@functools.cache
def knows(option: str) -> bool:
    """Whether this sshd has the option: any other complaint of its test names something else."""
    tried = subprocess.run([SSHD, "-t", "-f", "/dev/null", "-o", option], capture_output=True, text=True, check=False)
    return "Bad configuration option" not in tried.stderr


@contextlib.contextmanager
def sshd(folder: Path, port: int, *options: str) -> Iterator[None]:
    config = folder / "sshd_config"
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'client.pub'}",
        f"PidFile {folder / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        *options,
        # Stories of failure are told one after the other here; OpenSSH 9.8 and newer would turn the teller away.
        *(["PerSourcePenalties no"] if knows("PerSourcePenalties=no") else []),
    ]
    config.write_text("\n".join(lines) + "\n")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"sshd did not start: {(folder / 'log').read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def running_web1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web1]:
    if not os.access(SSHD, os.X_OK):
        pytest.skip("no sshd here (apt-get install openssh-server): doctor was not tried against a real one")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = tmp_path_factory.mktemp("web1")
    for name in ("host", "other", "client", "stranger"):
        keygen(folder / name)
    web1 = Web1(folder, free_port())
    with sshd(folder, web1.port):
        yield web1


@pytest.fixture
def web1(running_web1: Web1) -> Web1:
    """Its key is known at the start of each story."""
    running_web1.know()
    return running_web1


@pytest.fixture
def listener() -> Iterator[Callable[[bytes | None], int]]:
    """A port that says something (or, for None, nothing) to whoever connects, and is no SSH server."""
    with contextlib.ExitStack() as stack:

        def listen(words: bytes | None) -> int:
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            sock.listen(1)
            if words is not None:
                _answer_once(sock, words)
            return int(sock.getsockname()[1])

        yield listen


def _answer_once(sock: socket.socket, words: bytes) -> None:
    import threading

    def answer() -> None:
        with contextlib.suppress(OSError):
            connection, _ = sock.accept()
            with connection:
                connection.sendall(words)

    threading.Thread(target=answer, daemon=True).start()


@pytest.fixture(autouse=True)
def ssh_client() -> None:
    """Doctor asks the ssh client what it would do, and so does Ansible: without one there is nothing to try."""
    if shutil.which("ssh") is None:
        pytest.skip("no ssh client here (apt-get install openssh-client)")
