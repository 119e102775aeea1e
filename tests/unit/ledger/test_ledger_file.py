"""The file that the callback writes."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.plugin_utils.ledger_file import CURRENT, LedgerFile, current

from roundsman import ledger

RUN = "20261123T020000Z-00beef"
TIME = "2026-11-23T02:00:00.000Z"


def records(path: str | Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def test_records_are_numbered_private_and_whole(tmp_path: Path) -> None:
    file = LedgerFile(str(tmp_path / "ledger"), RUN)
    for host in ("web1", "web2"):
        file.append(TIME, "health", {"host": host, "ok": True}, sync=True)
    assert [(one["seq"], one["host"]) for one in records(file.path)] == [(1, "web1"), (2, "web2")]
    assert Path(file.path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o700


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    file = LedgerFile(str(tmp_path), RUN)
    name = os.fsdecode(b"caf\xe9")
    file.append(TIME, "backup", {"data": {"path": name}}, sync=False)
    assert records(file.path)[0]["data"] == {"path": name}


def test_without_a_ledger_runs_of_two_controllers_have_no_id_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """Controllers in containers have the same few process ids."""
    monkeypatch.delenv(CURRENT, raising=False)
    node = os.uname().nodename
    assert current() == (f"ansible-{node}-{os.getppid()}", node)


def test_while_it_is_open_the_run_is_alive(tmp_path: Path) -> None:
    file = LedgerFile(str(tmp_path), RUN)
    assert ledger.is_alive(tmp_path, RUN)
    file.close()
    assert not ledger.is_alive(tmp_path, RUN)


def test_a_full_disk_leaves_no_half_line_and_nothing_is_lost(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the same short write, then an error."""
    file = LedgerFile(str(tmp_path), RUN)
    file.append(TIME, "health", {"host": "web1"}, sync=False)
    size = Path(file.path).stat().st_size
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, previous[1]))
        with pytest.raises(OSError, match="File too large"):
            file.append(TIME, "health", {"host": "web2"}, sync=False)
        assert Path(file.path).stat().st_size == size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, handler)
    file.append(TIME, "health", {"host": "web3"}, sync=False)
    assert [(one["seq"], one["host"]) for one in records(file.path)] == [(1, "web1"), (2, "web2"), (3, "web3")]
