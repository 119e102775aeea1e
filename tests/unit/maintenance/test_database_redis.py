"""What Redis needs, and a server that is only its protocol; a real one is in tests/fleet/test_maintain_database.py."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.database_redis import (
    fragmentation,
    why_rewrite,
)

from .calling import call_module

LIMITS = {"aof_factor": 2.0, "aof_bytes": 1000, "bloat_bytes": 1000}
GROWN = {
    "aof_enabled": "1", "aof_current_size": "3000", "aof_base_size": "1000", "used_memory": "5000",
    "used_memory_rss": "5500", "aof_last_bgrewrite_status": "ok", "aof_last_write_status": "ok",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "needed"),
    [
        ({}, True),
        ({"aof_enabled": "0"}, False),
        ({"aof_rewrite_in_progress": "1"}, False),
        ({"rdb_bgsave_in_progress": "1"}, False),
        ({"aof_base_size": "1501"}, False),
        ({"aof_base_size": "1500"}, True),
        ({"aof_current_size": "999", "aof_base_size": "0"}, False),
    ],
)
def test_a_file_that_has_grown_is_written_anew(changed: dict[str, str], needed: bool) -> None:
    assert (why_rewrite({**GROWN, **changed}, LIMITS) is not None) is needed


@pytest.mark.parametrize(("resident", "wasted"), [(5500, None), (7499, None), (7500, 2500), (500, None)])
def test_fragmentation(resident: int, wasted: int | None) -> None:
    assert fragmentation({**GROWN, "used_memory_rss": str(resident)}, LIMITS) == wasted


class Server(socketserver.ThreadingUnixStreamServer):
    """It answers INFO, and writes its file anew in the time of two more INFOs."""

    # A conversation that nobody ends must not keep the tests from ending.
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.info, self.asked, self.outcome = dict(GROWN), list[str](), "ok"
        self.spec = {"socket": str(path)}


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        while header := self.rfile.readline():
            words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2].decode() for _ in range(int(header[1:]))]
            self.server.asked.append(words[0])
            self.wfile.write(self._answer(words[0]))

    def _answer(self, word: str) -> bytes:
        info = self.server.info
        if word == "BGREWRITEAOF":
            info["aof_rewrite_in_progress"] = "2"
        elif word == "INFO":
            left = int(info.get("aof_rewrite_in_progress", "0"))
            if left:
                info["aof_rewrite_in_progress"] = str(left - 1)
                info.update(aof_current_size="1000", aof_last_bgrewrite_status=self.server.outcome)
            text = "".join(f"{name}:{value}\r\n" for name, value in info.items())
            return f"${len(text)}\r\n{text}\r\n".encode()
        return b"+OK\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "redis") as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def call(server: Server, tmp_path: Path, **more: Any) -> Any:
    return call_module("database_redis", tmp_path / "state", servers=[server.spec], **LIMITS, **more)


def test_it_waits_until_the_file_is_written(server: Server, tmp_path: Path) -> None:
    assert call(server, tmp_path, check=True)["maintenance"]["actions"][0]["outcome"] == "planned"
    assert "BGREWRITEAOF" not in server.asked
    first = call(server, tmp_path)
    assert first["msg"] == "Redis: wrote 1 append-only file anew, freed 2.0 KiB"
    assert first["maintenance"]["after"]["redis_aof_bytes"] == 1000
    second = call(server, tmp_path)
    assert (second["changed"], second["msg"]) == (False, "Redis: nothing was needed by 1 server")
    assert call(server, tmp_path, before=second["maintenance"]["found"])["msg"] == "Redis: 1 server as before"
    assert set(server.asked) == {"PING", "INFO", "BGREWRITEAOF"}


def test_a_file_that_could_not_be_written(server: Server, tmp_path: Path) -> None:
    server.outcome = "err"
    result = call(server, tmp_path)
    assert (result["failed"], result["maintenance"]["reason"]) == (True, "procedure_failed")
    assert "goes on with the old one" in result["msg"]
    server.info["aof_last_write_status"] = "err"
    proof = call(server, tmp_path, before=[server.spec["socket"]])
    assert proof["maintenance"]["reason"] == "verification_failed"


def test_what_needs_more_memory_than_there_is_is_left(server: Server, tmp_path: Path) -> None:
    server.info["used_memory"] = str(1 << 60)
    result = call(server, tmp_path)
    assert not result["changed"]
    assert "was not written anew" in result["maintenance"]["warnings"][0]
