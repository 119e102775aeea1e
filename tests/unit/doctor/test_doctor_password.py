"""Passwords, against a server that remembers everything it was told before and during authentication."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from roundsman.doctor import HostTarget, probe_host
from roundsman.doctor.known_hosts import Key


class Remembers(paramiko.ServerInterface):
    """Lets ops in with one password, given at once (password) or when asked (keyboard-interactive)."""

    def __init__(self, methods: str) -> None:
        self.methods, self.told = methods, []

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def _judge(self, username: str, given: str) -> int:
        self.told.append((username, given))
        good = (username, given) == ("ops", "hunter two")
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return self._judge(username, password) if "password" in self.methods else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | paramiko.InteractiveQuery:
        self.user = username
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._judge(self.user, responses[0])

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.told.append((username, key.get_name()))
        return paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class Db1:
    def __init__(self, folder: Path, methods: str) -> None:
        self.folder, self.remembers = folder, Remembers(methods)
        self.key = paramiko.RSAKey.generate(2048)
        self.sock = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
            connection, _ = self.sock.accept()
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            transport.start_server(server=self.remembers)
            transport.join(600)

    def target(self, password: str, known: bool = True) -> HostTarget:
        port, known_hosts = self.sock.getsockname()[1], self.folder / "known_hosts"
        line = f"[127.0.0.1]:{port} {Key(self.key.get_name(), self.key.asbytes()).line}\n"
        known_hosts.write_text(line if known else "")
        options = (f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=none", "IdentityAgent=none")
        args = ("-F", "none", *(arg for option in options for arg in ("-o", option)))
        nothing = str(self.folder / "no-key")
        return HostTarget("db1", "ssh", "127.0.0.1", port, "ops", args, nothing, password)


@pytest.fixture(params=["password", "keyboard-interactive"])
def db1(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Db1]:
    host = Db1(tmp_path, request.param)
    with host.sock:
        yield host


def statuses(target: HostTarget) -> dict[str, tuple[str, str]]:
    return {finding.rung: (finding.status.value, finding.message) for finding in probe_host(target, 60).findings}


def test_the_right_password(db1: Db1) -> None:
    found = statuses(db1.target("hunter two"))
    assert found["authentication"] == ("ok", "as ops with the inventory's password")


def test_a_wrong_password_is_not_repeated_in_the_message(db1: Db1) -> None:
    status, message = statuses(db1.target("hunter three"))["authentication"]
    assert status == "failed"
    assert "tried the inventory's password" in message
    assert "hunter" not in message


def test_a_host_with_an_unknown_key_is_told_nothing(db1: Db1) -> None:
    found = statuses(db1.target("hunter two", known=False))
    assert found["host_key"][0] == "failed"
    assert "authentication" not in found
    assert db1.remembers.told == []
