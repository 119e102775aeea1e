"""What an RDB file tells of itself, and what is asked of a definition."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.process import Finished
from ansible_collections.roundsman.fleet.plugins.module_utils.redis_wire import RefusedError
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import rdb, redis_server, registry
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.redis import RedisSource
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID = """[offset 0] Checking RDB file dump.rdb
[offset 3] AUX FIELD ctime = '1795657437'
[offset 3] AUX FIELD used-mem = '1047888'
[offset 4] Selecting DB ID 0
[offset 12] Selecting DB ID 7
[offset 21] \\o/ RDB looks OK! \\o/
[info] {read} keys read
"""
# Two keys, one with an expiry, in database 0; 300 keys in database 7.
FILE = b"REDI" + b"\xfb\x02\x01" + b"-----" + b"\xfb\x41\x2c\x00" + b"-----"


class Says:
    """Effects whose programs say one thing."""

    def __init__(self, out: str, failure: BackupError | None = None) -> None:
        self.out = out
        self.failure = failure

    def run(self, _argv: list[str], _reason: str, _doing: str) -> Finished:
        if self.failure:
            raise self.failure
        return Finished(0, self.out, "")


def encoded(number: int) -> bytes:
    """A length as Redis's documentation of the format has it."""
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return bytes([0x40 | number >> 8, number & 0xFF])
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


@given(st.integers(0, (1 << 64) - 1) | st.sampled_from([63, 64, 16383, 16384, (1 << 32) - 1, 1 << 32]), st.binary())
def test_lengths(number: int, rest: bytes) -> None:
    assert rdb.length(encoded(number) + rest) == (number, rest)


def test_sizes_of_databases_are_read_where_the_check_saw_them(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(FILE)
    held = rdb.look_through(Says(SAID.format(read=302)), ["check"], str(path), "dump_failed")
    assert held == rdb.Rdb({0: (2, 1), 7: (300, 0)}, 1047888, "1795657437")
    assert rdb.values(held.databases) == {
        "keys": 302,
        "keys of db0": 2,
        "keys of db0 with an expiry": 1,
        "keys of db7": 300,
        "keys of db7 with an expiry": 0,
    }


def test_a_file_that_holds_other_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(FILE)
    with pytest.raises(BackupError, match="says that it holds 302 keys, and redis-check-rdb reads 301") as failure:
        rdb.look_through(Says(SAID.format(read=301)), ["check"], str(path), "proof_failed")
    assert failure.value.reason == "proof_failed"


def test_an_older_redis_cannot_judge(tmp_path: Path) -> None:
    too_new = BackupError("proof_failed", "Checking failed: Can't handle RDB format version 12")
    with pytest.raises(BackupError, match="Install the Redis that wrote it") as failure:
        rdb.look_through(Says("", too_new), ["check"], str(tmp_path / "dump.rdb"), "proof_failed")
    assert failure.value.reason == "application_missing"


def test_the_keyspace_of_a_server() -> None:
    said = "# Keyspace\ndb0:keys=2,expires=1,avg_ttl=0,subexpiry=0\ndb7:keys=300,expires=0,avg_ttl=0\n"
    assert rdb.keyspace(said) == {0: (2, 1), 7: (300, 0)}
    assert rdb.values(rdb.keyspace("# Keyspace\n")) == {"keys": 0}


def test_a_private_server_is_given_databases_enough() -> None:
    assert "databases 16\n" in redis_server.of_nobody(rdb.Rdb({}, 0, None))
    assert "databases 41\n" in redis_server.of_nobody(rdb.Rdb({40: (1, 0)}, 0, None))


def test_more_data_than_memory_is_not_started() -> None:
    with pytest.raises(BackupError, match="Nothing was started") as failure:
        redis_server.require_memory(rdb.Rdb({}, 1 << 60, None))
    assert failure.value.reason == "no_space"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, None),
        ({"host": "cache1", "port": 6380, "username": "backup", "password": "x"}, None),
        ({"socket": "/run/redis.sock"}, None),
        ({"port": "6379"}, "port must be a whole number from 1 to 65535, not '6379'"),
        ({"port": True}, "port must be a whole number from 1 to 65535, not True"),
        ({"password": 7}, "password must be text that is not empty, not 7"),
        ({"database": 1}, "database is no key of type redis"),
    ],
)
def test_definitions(keys: dict[str, Any], fault: str | None) -> None:
    found = registry.faults([{"id": "cache", "type": "redis", **keys}])
    assert (len(found) == 1 and fault in found[0]) if fault else found == []


def test_secrets_stay_out_of_the_manifest() -> None:
    spec = {"id": "cache", "type": "redis", "password": "geheim"}
    assert "geheim" not in str(registry.without_secrets(spec))
    assert registry.secrets_of(spec) == ["geheim"]


class Live:
    """A live server that takes over a copy, or refuses one command."""

    def __init__(self, keys: int, refuses: str = "") -> None:
        self.keys = keys
        self.asked: list[tuple[Any, ...]] = []
        self.refuses = refuses
        self.linked = False

    def ask(self, *words: Any) -> Any:
        self.asked.append(words)
        if self.refuses and self.refuses in words:
            raise BackupError("engine_failed", "NOPERM")
        if words[0] == "REPLICAOF":
            self.linked = words[1] != "NO"
            self.keys = 5 if self.linked else self.keys
        return f"db0:keys={self.keys},expires=0" if words[0] == "INFO" else "OK"

    def info(self) -> dict[str, str]:
        return {"master_link_status": "up"} if self.linked else {}


class Lives:
    @staticmethod
    def poll() -> None:
        return None


LENDER = redis_server.Running(Lives(), 7777, "one-time", lambda: "db0:keys=5,expires=0")


class Ticking:
    @staticmethod
    def tick() -> None:
        pass


BEFORE = redis_server.Before(9, [("masteruser", ""), ("masterauth", "old")])
HELD = rdb.Rdb({0: (7, 2)}, 0, None)


def replaced(live: Live) -> list[str]:
    @contextmanager
    def connected(_reason: str, _patience_s: int = 0) -> Iterator[Live]:
        yield live

    done: list[str] = redis_server.replace(Ticking(), connected, LENDER, BEFORE, HELD)
    return done


def test_a_live_server_takes_over_a_copy_and_stands_alone_again() -> None:
    live = Live(9)
    assert replaced(live) == ["replaced 9 keys by the 5 of the copy; 2 of it had expired"]
    assert live.asked[-4:-1] == [
        ("REPLICAOF", "NO", "ONE"),
        ("CONFIG", "SET", "masteruser", ""),
        ("CONFIG", "SET", "masterauth", "old"),
    ]


def test_a_server_that_refuses_to_replicate_keeps_its_data_and_its_settings() -> None:
    live = Live(9, refuses="127.0.0.1")
    with pytest.raises(BackupError, match=r"NOPERM. The server holds 9 keys now; it had 9, and the copy has 5"):
        replaced(live)
    assert ("CONFIG", "SET", "masterauth", "old") in live.asked


def test_a_server_that_answers_nothing_more_is_left_with_a_word_for_the_hand() -> None:
    with pytest.raises(BackupError, match="still has to be told REPLICAOF NO ONE by hand"):
        replaced(Live(9, refuses="REPLICAOF"))


def test_what_a_server_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_args: Any) -> None:
        raise RefusedError("NOAUTH Authentication required.")

    monkeypatch.setattr("ansible_collections.roundsman.fleet.plugins.module_utils.redis_wire.log_in", refusing)
    source = RedisSource({"id": "cache", "type": "redis"})
    with pytest.raises(BackupError, match="localhost:6379 refuses: NOAUTH"), source._connected("dump_failed"):
        pass
