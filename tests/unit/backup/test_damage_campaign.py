"""Each damage is met at each level of evidence; what was found is the table in docs/backup.md, row by row.

Nothing damaged is good at the level that claims to see it, and a backup on top hides nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from .cast import Anna, engines
from .test_backup import wait_for
from .test_damage import data_pack, deleted_pack, flip, index, packs, snapshot_file, tree_pack
from .test_interruptions import arguments_of, engines_of
from .test_repositories import ROOT, rest_server, small_disk

LEVELS = ("stored", "read", "restored", "proven")
TABLE = (Path(__file__).parents[3] / "docs" / "backup.md").read_text()


@pytest.fixture(scope="module", params=sorted(engines()) or ["none"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Anna:
    """A host with one good snapshot of a database; tests work on twins of hers."""
    if request.param == "none":
        pytest.skip("restic is not installed")
    anna = Anna(tmp_path_factory.mktemp("shop") / "anna", engines()[request.param]).with_repository()
    with contextlib.closing(sqlite3.connect(anna.source / "shop.db")) as db, db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text BLOB)")
    sell(anna, 2000)
    assert save(anna)["changed"]
    return anna


def sell(anna: Anna, number: int) -> None:
    with contextlib.closing(sqlite3.connect(anna.source / "shop.db")) as db, db:
        db.executemany("INSERT INTO orders (text) VALUES (?)", [(os.urandom(500),) for _ in range(number)])


def save(anna: Anna, **more: Any) -> dict[str, Any]:
    definition = {"id": "data", "type": "sqlite", "path": str(anna.source / "shop.db")}
    return anna.call("backup", **anna.arguments(source=definition, **more))


def config(anna: Anna) -> None:
    flip(Path(anna.repository, "config"))


def truncated_pack(anna: Anna) -> None:
    path = packs(anna)[0]
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size // 2)


def manifest(anna: Anna) -> None:
    """What is saved as manifest is not what the snapshot's tag says."""
    (snapshot,) = anna.snapshots()
    told = "manifest=" + snapshot["manifest_sha256"]
    anna.restic("tag", "--remove", told, "--add", "manifest=" + "0" * 64, snapshot["id"])


def found_at(anna: Anna, level: str, **more: Any) -> str:
    """What a verification says that is asked for this level."""
    (record,) = anna.verify(level=level, **more)["verifications"]
    if record["outcome"] == "ok":
        assert (record["level"], record["failed_level"]) == (level, None)
        return "-"
    # It claims what holds below the level that failed, and nothing from there on.
    below = LEVELS[LEVELS.index(record["level"]) + 1] if record["level"] else LEVELS[0]
    assert record["failed_level"] == below
    assert LEVELS.index(below) <= LEVELS.index(level)
    return "**damaged**" if record["outcome"] == "damaged" else f"unknown: `{record['reason']}`"


def at_each_level(anna: Anna, **more: Any) -> list[str]:
    return [found_at(anna, level, **more) for level in LEVELS]


def is_proven(anna: Anna) -> bool:
    return not anna.verify(level="proven").get("failed")


def next_backup(anna: Anna, **more: Any) -> str:
    """How the next backup ends, and what is then said of the newest snapshot."""
    sell(anna, 10)
    result = save(anna, **more)
    if result.get("failed"):
        return f"fails: `{result['backup']['reason']}`"
    found = found_at(anna, "proven", **more)
    return "is sound" if found == "-" else f"saved, and {found}"


def must_be_told(name: str, found: list[str], later: str) -> None:
    row = f"| {name} | {' | '.join(found)} | {later} |"
    assert row in TABLE.splitlines(), row


# Those come first for which some versions of restic wait a minute, hoping that the pack comes back.
DAMAGES = (deleted_pack, truncated_pack, data_pack, tree_pack, index, snapshot_file, config, manifest)


def test_damages(shop: Anna, tmp_path: Path) -> None:
    """Each level and the next backup meet a copy of their own, all at once."""
    with ThreadPoolExecutor(12) as pool:
        seen = {damage: looks_at(damaged(shop, damage, tmp_path), pool) for damage in DAMAGES}
        for damage, (*levels, later) in seen.items():
            must_be_told(damage.__name__.replace("_", " "), [one.result() for one in levels], later.result())


def damaged(shop: Anna, damage: Callable[[Anna], None], tmp_path: Path) -> Anna:
    anna = shop.twin(tmp_path / damage.__name__)
    damage(anna)
    return anna


def looks_at(anna: Anna, pool: ThreadPoolExecutor) -> list[Future[str]]:
    def twin(name: str) -> Anna:
        return anna.twin(anna.root.with_name(f"{anna.root.name}-{name}"))

    levels = [pool.submit(found_at, twin(level), level) for level in LEVELS]
    return [*levels, pool.submit(next_backup, twin("later"))]


def test_wrong_password(shop: Anna, tmp_path: Path) -> None:
    anna = shop.twin(tmp_path / "twin")
    right, anna.password = anna.password, "another one"
    must_be_told("wrong password", at_each_level(anna), next_backup(anna))
    anna.password = right
    assert len(anna.snapshots()) == 1
    assert is_proven(anna)


@pytest.mark.skipif(not ROOT, reason="mounts a filesystem")
def test_full_repository(shop: Anna, tmp_path: Path) -> None:
    anna = shop.twin(tmp_path / "twin")
    with small_disk(anna.root / "small", "4m") as disk:
        anna.repository = shutil.copytree(anna.repository, disk / "repository").as_posix()
        with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"x" * 4096)
        must_be_told("repository full", at_each_level(anna, timeout_s=60), next_backup(anna, timeout_s=60))
        (disk / "ballast").unlink()
        assert len(anna.snapshots()) == 1
        assert is_proven(anna)


def test_server_gone_in_mid_backup(shop: Anna, tmp_path: Path) -> None:
    anna = shop.twin(tmp_path / "twin")
    local = anna.repository
    sell(anna, 2000)
    with rest_server(anna):
        definition = {"id": "data", "type": "sqlite", "path": str(anna.source / "shop.db")}
        slowly = anna.arguments(source=definition, limit_upload_kib_s=20, timeout_s=25)
        process = anna.start("backup", **slowly)
        # At this rate the upload takes longer than the time limit, so that the server is hit in its midst.
        wait_for(lambda: any(b"\0backup\0" in arguments_of(pid) for pid in engines_of(process.pid)))
        wait_for(lambda: any(Path(local, "locks").iterdir()))
        (server,) = [child for child in psutil.Process().children() if child.name() == "rclone"]
        server.kill()
        result = json.loads(process.communicate()[0])
        later = f"fails: `{result['backup']['reason']}`"
        must_be_told("server gone in mid-backup", at_each_level(anna, timeout_s=4), later)
    anna.repository = local
    assert len(anna.snapshots()) == 1
    assert is_proven(anna)
