"""SQLite databases maintained by need, while somebody writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.database_sqlite import Header, header_of, needs
from hypothesis import given
from hypothesis import strategies as st

from .calling import call_module

LIMITS = {"bloat_bytes": 100_000, "bloat_percent": 40, "wal_bytes": 100_000}


@pytest.fixture(params=["wal", "delete"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database of 1 MB of which three quarters are free."""
    path = tmp_path / "shop ?#%.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"PRAGMA journal_mode={request.param}")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)")
        db.execute("CREATE INDEX of_text ON orders (text)")
        db.executemany("INSERT INTO orders (text) VALUES (?)", [(f"{n}" * 100,) for n in range(2000)])
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM orders WHERE id > 500")
    return path


def call(tmp_path: Path, *paths: Path, **more: Any) -> Any:
    asked = {"paths": list(map(str, paths)), **LIMITS, **more}
    return call_module("database_sqlite", tmp_path / "state", **asked)


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir() if path.is_file()}


@contextlib.contextmanager
def writer(path: Path) -> Iterator[list[float]]:
    """Somebody who writes all the time; yields how long each transaction took, in seconds."""
    took: list[float] = []
    over = threading.Event()

    def write() -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as db:
            while not over.is_set():
                began = time.monotonic()
                db.execute("UPDATE orders SET text = 'new' WHERE id = 1")
                took.append(time.monotonic() - began)
                # However slow the disk is, the database is free for half of the time.
                time.sleep(max(0.005, took[-1]))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def test_a_file_that_is_mostly_free_is_vacuumed_under_load(tmp_path: Path, shop: Path) -> None:
    before, large = files(tmp_path), shop.stat().st_size
    plan = call(tmp_path, shop, check=True)
    assert files(tmp_path) == before
    assert [(one["action"], one["outcome"]) for one in plan["maintenance"]["actions"]] == [("vacuum", "planned")]
    with writer(shop) as took:
        result = call(tmp_path, shop, wal_bytes=1 << 30, lock_wait_s=15)
    record = result["maintenance"]
    assert "failed" not in result
    assert [(one["action"], one["outcome"]) for one in record["actions"]] == [("vacuum", "done")]
    assert shop.stat().st_size < large / 2
    assert record["reclaimed_bytes"] > large / 3
    assert record["before"]["sqlite_size_bytes"] > 2 * record["after"]["sqlite_size_bytes"]
    # No attempt holds anybody up for longer than that; what is more, the machine took.
    assert max(took) < 15 + 15
    second = call(tmp_path, shop)
    assert (second["changed"], second["msg"]) == (False, "SQLite: nothing was needed in 1 file")
    assert call(tmp_path, shop, before=record["found"])["msg"] == "SQLite: 1 file as before"


def test_a_log_that_has_grown_is_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=wal")
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("CREATE TABLE lines (text TEXT)")
        db.executemany("INSERT INTO lines VALUES (?)", [("x" * 1000,) for _ in range(200)])
        log = tmp_path / "log.db-wal"
        assert log.stat().st_size > 500_000
        result = call(tmp_path, path)
        assert [one["action"] for one in result["maintenance"]["actions"]] == ["checkpoint"]
        assert log.stat().st_size == 0
        assert db.execute("SELECT count(*) FROM lines").fetchone() == (200,)


def test_nobody_is_kept_waiting_by_what_somebody_holds(tmp_path: Path, shop: Path) -> None:
    before = shop.read_bytes()
    with contextlib.closing(sqlite3.connect(shop, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        result = call(tmp_path, shop, lock_wait_s=1, attempts=1)
        db.execute("ROLLBACK")
    assert "failed" not in result
    (warning,) = result["maintenance"]["warnings"]
    assert "was left as it is" in warning or "was not vacuumed" in warning
    assert shop.read_bytes() == before


def test_a_damaged_database_is_left_and_the_others_are_not(tmp_path: Path, shop: Path) -> None:
    damaged, none = tmp_path / "damaged.db", tmp_path / "none.db"
    shutil.copy(shop, damaged)
    with damaged.open("r+b") as stream:
        stream.seek(3 * 4096)
        stream.write(b"\xff" * 4096)
    none.write_text("not that")
    before = damaged.read_bytes(), none.read_bytes()
    result = call(tmp_path, damaged, shop, none, tmp_path / "never.db")
    assert result["failed"]
    assert result["maintenance"]["reason"] == "damaged"
    assert f"{damaged} is damaged, so nothing was changed in it" in result["msg"]
    assert f"{none} is damaged" in result["msg"]
    assert (damaged.read_bytes(), none.read_bytes()) == before
    assert [one["target"] for one in result["maintenance"]["actions"]] == [str(shop)]
    assert "never.db is not there" in result["maintenance"]["warnings"][0]
    proof = call(tmp_path, before={str(damaged): {}})
    assert proof["maintenance"]["reason"] == "verification_failed"


def test_a_plan_says_of_a_file_that_it_is_no_database(tmp_path: Path, shop: Path) -> None:
    none = tmp_path / "none.db"
    none.write_text("not that")
    plan = call(tmp_path, none, shop, check=True)
    assert plan["maintenance"]["reason"] == "damaged"
    assert f"{none} is damaged" in plan["msg"]
    assert [one["target"] for one in plan["maintenance"]["actions"]] == [str(shop)]


@pytest.mark.parametrize("check", [True, False])
def test_a_file_without_a_byte_may_be_a_database_that_nobody_has_written_to(tmp_path: Path, *, check: bool) -> None:
    new = tmp_path / "new.db"
    with contextlib.closing(sqlite3.connect(new)) as db:
        db.execute("PRAGMA user_version")
    new.touch()
    result = call(tmp_path, new, check=check)
    assert "failed" not in result
    (warning,) = result["maintenance"]["warnings"]
    assert warning.startswith(f"{new} has 0 bytes")
    assert (result["maintenance"]["found"], new.stat().st_size) == ({}, 0)


def test_what_had_bytes_or_a_log_was_truncated(tmp_path: Path) -> None:
    """SQLite itself would remove the log, in which the lost pages may be."""
    cut, log = tmp_path / "cut.db", tmp_path / "cut.db-wal"
    cut.touch()
    log.write_bytes(b"x" * 4152)
    result = call(tmp_path, cut)
    assert (result["failed"], result["maintenance"]["reason"]) == (True, "damaged")
    assert log.stat().st_size == 4152
    log.unlink()
    assert call(tmp_path, before={str(cut): {}})["maintenance"]["reason"] == "verification_failed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as somebody else")
def test_root_works_as_the_owner(tmp_path: Path, shop: Path) -> None:
    """What the owner of a directory lays there for SQLite's own files does not lead root astray."""
    with tempfile.TemporaryDirectory() as name:
        theirs = Path(name)
        shutil.chown(theirs, "nobody")
        for copy in ("good.db", "trap.db"):
            shutil.copy(shop, theirs / copy)
            shutil.chown(theirs / copy, "nobody")
        trap = tmp_path / "trap"
        trap.write_text("kept")
        for aside in ("journal", "wal", "shm"):
            (theirs / f"trap.db-{aside}").symlink_to(trap)
        result = call(tmp_path, theirs / "good.db", theirs / "trap.db")
        assert trap.read_text() == "kept"
        assert result["maintenance"]["actions"][0]["target"] == str(theirs / "good.db")
        assert {path.owner() for path in theirs.glob("good.db*")} == {"nobody"}


@pytest.mark.parametrize(
    ("header", "log_bytes", "needed"),
    [
        (Header(1_000_000, 0, False), 0, []),
        (Header(1_000_000, 400_000, False), 0, ["vacuum"]),
        (Header(1_000_000, 399_999, False), 0, []),
        (Header(200_000, 99_999, False), 0, []),
        (Header(1_000_000, 0, True), 100_000, ["checkpoint"]),
        (Header(1_000_000, 0, True), 99_999, []),
        (Header(1_000_000, 0, False), 100_000, []),
        (Header(1_000_000, 500_000, True), 100_000, ["checkpoint", "vacuum"]),
    ],
)
def test_needs(header: Header, log_bytes: int, needed: list[str]) -> None:
    assert list(needs(header, log_bytes, LIMITS)) == needed


@given(st.binary(max_size=200), st.integers(0, 1 << 40))
def test_any_bytes_have_a_header_or_none(data: bytes, size_bytes: int) -> None:
    assert header_of(data, size_bytes) is None
    header = header_of((b"SQLite format 3\0" + data).ljust(100, b"\0"), size_bytes)
    assert header is not None
    assert header.free_bytes <= header.size_bytes == size_bytes
