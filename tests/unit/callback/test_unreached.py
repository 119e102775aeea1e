"""The way that SSH's own configuration goes, asked of hosts that could not be reached."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.roundsman.fleet.plugins.plugin_utils import unreached

CONFIG = """
Host web
  ProxyJump admin@bastion:2222,[2001:db8::1]:22
Host db
  ProxyCommand ssh -W [%h]:%p admin@gate
Host near
  ProxyJump none
Host *
  ServerAliveInterval 10
"""


@pytest.mark.parametrize(("host", "hops"), [("web", ["bastion", "2001:db8::1"]), ("db", ["gate"]), ("near", [])])
def test_jump_hosts_of_ssh_config(tmp_path: Path, host: str, hops: list[str]) -> None:
    (tmp_path / "config").write_text(CONFIG)
    assert unreached.configured_jumps(host, ["-F", str(tmp_path / "config")]) == hops


def told(asked: unreached.Unreached, host: str, **variables: Any) -> dict[str, Any]:
    manager = SimpleNamespace(get_vars=lambda **_: variables)
    play = SimpleNamespace(get_variable_manager=lambda: manager, get_loader=DataLoader)
    found: dict[str, Any] = asked.told(play, SimpleNamespace(get_name=lambda: host))
    return found


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What an SSH that never answers is asked. It is noted here: it may be stopped before it could note anything."""
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(unreached, "SSH_LIMIT_S", 0.5)
    asked, run = list[list[str]](), subprocess.run

    def noted(argv: list[str], **options: Any) -> Any:
        asked.append(argv)
        return run(argv, **options)

    monkeypatch.setattr(unreached.subprocess, "run", noted)
    return asked


def test_an_ssh_that_takes_long_holds_up_a_run_once(calls: list[list[str]]) -> None:
    run = unreached.Unreached()
    for host in ("web1", "web2"):
        assert told(run, host, ansible_host="198.51.100.7")["routing"]["depends_on"] == []
    assert calls == [["ssh", "-G", "198.51.100.7"]]


@pytest.mark.parametrize(
    ("host", "variables"),
    [("web1", {"ansible_connection": "local"}), ("-oProxyCommand=x", {}), ("web1", {"ansible_ssh_args": "'open"})],
)
def test_where_ssh_is_not_asked(calls: list[list[str]], host: str, variables: dict[str, Any]) -> None:
    assert told(unreached.Unreached(), host, **variables)["routing"]["depends_on"] == []
    assert calls == []
