"""A SQLite database under load is saved as it was at one moment, proven from its copy, and put back."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.base import Effects, moment_of
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.sqlite import SqliteSource
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

from .cast import Anna
from .test_backup import reason_of, record_of, wait_for

WRITER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
while True:
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO orders (at) VALUES (?)", (time.time(),))
    db.execute("INSERT INTO lines SELECT max(id) FROM orders")
    db.execute("COMMIT")
"""


@pytest.fixture(params=["wal", "delete"])
def shop(request: pytest.FixtureRequest, anna: Anna) -> Path:
    """A database of 5,000 orders with one line each, in both ways of writing."""
    path = anna.root / "shop ?#%.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"PRAGMA journal_mode={request.param}")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, at REAL)")
        db.execute("CREATE TABLE lines (orders INTEGER)")
        db.executemany("INSERT INTO orders (at) VALUES (?)", [(1_700_000_000 + n,) for n in range(5000)])
        db.execute("INSERT INTO lines SELECT id FROM orders")
    path.chmod(0o640)
    return path


def spec(path: Path, **more: Any) -> dict[str, Any]:
    return {"id": "data", "type": "sqlite", "path": str(path), "paths": None, **more}


def back_up(anna: Anna, path: Path, **more: Any) -> dict[str, Any]:
    definition = {key: value for key, value in spec(path, **more).items() if value is not None}
    return anna.call("backup", **anna.arguments(source=definition))


def orders_in(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as db:
        return int(db.execute("SELECT count(*) FROM orders").fetchone()[0])


def verification_of(result: dict[str, Any]) -> dict[str, Any]:
    (record,) = result["verifications"]
    return record


def test_under_load_it_is_of_one_moment_and_proven(anna: Anna, shop: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(shop)])
    try:
        wait_for(lambda: orders_in(shop) > 5000)
        record_of(back_up(anna, shop, canary="SELECT max(at) FROM orders"))
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()
    assert not list((anna.state / "spool").iterdir())

    proven = verification_of(anna.verify(level="proven", self_test=True, where="elsewhere"))

    assert (proven["outcome"], proven["level"], proven["where"]) == ("ok", "proven", "elsewhere")
    found = {one["what"]: one["found"] for one in proven["findings"]}
    assert found["rows of orders"] == found["rows of lines"] > 5000
    assert found["integrity"] == "ok"
    assert proven["canary_at"] == moment_of(found["canary"]) > "2026"
    assert proven["drill_s"] >= proven["restore_s"]
    assert not list((anna.state / "scratch").iterdir())


def test_a_copy_that_answers_otherwise_is_damaged(anna: Anna, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary that depends on the time of asking stands for an application that lost something."""
    record_of(back_up(anna, shop, canary="SELECT strftime('%f %s', 'now')"))
    result = anna.verify(level="proven")
    record = verification_of(result)
    assert result["failed"]
    assert (record["outcome"], record["reason"], record["level"]) == ("damaged", "proof_failed", "restored")
    assert record["failed_level"] == "proven"
    assert record["findings"][0]["what"] == "canary"
    assert "1 of 4 values are not those of backup time, first canary" in record["message"]


def test_the_log_of_a_database_that_was_truncated_to_nothing_survives_the_attempt(anna: Anna) -> None:
    """SQLite takes a log beside a file without a byte for a leftover and removes it, also when it may only read."""
    path = anna.root / "cut.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode=wal")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        log = (anna.root / "cut.db-wal").read_bytes()
    path.write_bytes(b"")
    assert len(record_of(back_up(anna, path))["snapshots"]) == 1, "a database that nobody has written to"
    (anna.root / "cut.db-wal").write_bytes(log)
    refused = back_up(anna, path)
    assert reason_of(refused) == "dump_failed"
    assert f"{path} has 0 bytes and a write-ahead log" in refused["msg"]
    assert (anna.root / "cut.db-wal").read_bytes() == log


def test_what_is_damaged_missing_or_locked_is_not_saved(anna: Anna, shop: Path) -> None:
    missing = back_up(anna, anna.root / "never.db")
    assert reason_of(missing) == "source_missing"
    good = shop.read_bytes()
    shop.write_bytes(good[:4096] + b"\xff" * (len(good) - 4096))
    damaged = back_up(anna, shop)
    assert reason_of(damaged) == "dump_failed"
    shop.write_bytes(b"no database at all" * 1000)
    assert reason_of(back_up(anna, shop)) == "dump_failed"
    shop.write_bytes(good)
    assert len(record_of(back_up(anna, shop))["snapshots"]) == 1
    assert not list((anna.state / "spool").iterdir())


def test_it_is_put_back_whether_or_not_it_is_still_there(anna: Anna, shop: Path) -> None:
    source = SqliteSource(spec(shop))
    copy = anna.root / "copy" / str(shop).lstrip("/")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(shop.read_bytes())
    copy.chmod(0o640)
    with sqlite3.connect(shop) as db:
        db.execute("DELETE FROM orders")

    class Effects:
        @staticmethod
        def tick() -> None:
            """There is time."""

    with pytest.raises(BackupError, match="Nothing was overwritten"):
        source.put_back(str(anna.root / "elsewhere"), {}, Effects())
    for existed in (True, False):
        if not existed:
            for file in (shop, Path(f"{shop}-wal"), Path(f"{shop}-shm")):
                file.unlink(missing_ok=True)
        (said,) = source.put_back(str(anna.root / "copy"), {}, Effects())
        assert said == f"{shop} {'was overwritten' if existed else 'was made'}: 10000 rows"
        assert shop.stat().st_mode & 0o777 == 0o640
        with sqlite3.connect(shop) as db:
            assert db.execute("SELECT count(*) FROM orders").fetchone() == (5000,)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1_700_000_000, "2023-11-14T22:13:20.000Z"),
        ("1700000000.25", "2023-11-14T22:13:20.250Z"),
        ("2026-11-26 01:02:03", "2026-11-26T01:02:03.000Z"),
        ("2026-11-26T01:02:03.456789+01:00", "2026-11-26T00:02:03.456Z"),
        ("2026-11-26 01:02:03+02", "2026-11-25T23:02:03.000Z"),
        ("2026-13-26 01:02:03", None),
        (4711, None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_canary_may_be_a_time(value: object, moment: str | None) -> None:
    assert moment_of(value) == moment


@pytest.mark.parametrize("statement", ["VACUUM INTO '{0}'", "ATTACH '{0}' AS other"])
def test_the_canary_of_a_snapshot_writes_nothing_where_it_is_proven(tmp_path: Path, statement: str) -> None:
    """It comes with the snapshot, whose host may be an intruder's, and is asked on the drill host by root."""
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute("CREATE TABLE t (n)")
    target = tmp_path / "ld.so.preload"
    source = SqliteSource({"id": "data", "path": "/a.db", "canary": statement.format(target)})
    effects = Effects(State(str(tmp_path / "state")), [], None, lambda: None, lambda: 5.0, str)
    with pytest.raises(BackupError, match="authori") as failure:
        source.prove(str(tmp_path), {}, effects)
    assert failure.value.reason == "proof_failed"
    assert not target.exists()


def test_what_is_no_database_any_more_is_not_overwritten_and_the_way_out_is_told(tmp_path: Path) -> None:
    copy, live = tmp_path / "copy", tmp_path / "live.db"
    restored = copy / str(live).lstrip("/")
    restored.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(restored)) as db, db:
        db.execute("CREATE TABLE t (n)")
    source = SqliteSource({"id": "data", "path": str(live)})
    effects = Effects(State(str(tmp_path / "state")), [], None, lambda: None, lambda: 5.0, str)
    live.write_bytes(b"spoilt" * 1000)
    with pytest.raises(BackupError, match="Move it away") as failure:
        source.put_back(str(copy), {}, effects)
    assert failure.value.reason == "engine_failed"
    assert live.read_bytes() == b"spoilt" * 1000
    live.unlink()
    assert source.put_back(str(copy), {}, effects) == [f"{live} was made: 0 rows"]


def test_what_is_live_of_a_dump_cannot_be_compared(anna: Anna) -> None:
    """All of it would be said to be removed."""
    path = anna.root / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE t (n)")
    record = record_of(back_up(anna, path))
    said = anna.call("backup_diff", **anna.arguments(snapshot=record["snapshot"], live=True))
    assert (said.get("failed"), "without --live" in said["msg"]) == (True, True)
