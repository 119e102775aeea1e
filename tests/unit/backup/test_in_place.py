"""A restore in place brings back what was there, says what it did, and can be undone."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import registry

from .cast import Anna


def tree_of(root: Path) -> dict[str, tuple[object, ...]]:
    """What a person would compare: kinds, modes, times and contents."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        info = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None  # noqa: PTH115
        found[str(path)] = (info.st_mode, info.st_mtime_ns, content)
    return found


def put_back(anna: Anna, **more: Any) -> dict[str, Any]:
    return anna.restore(target=None, in_place=True, **more)


def forget_what_moved(anna: Anna) -> None:
    """Written right before the backup, entries may have changed meanwhile as far as the host knows."""
    shutil.rmtree(anna.state / "changes", ignore_errors=True)


@pytest.fixture
def elsewhere(anna: Anna) -> Iterator[Path]:
    """A scratch directory on another filesystem, from which files are copied to their place."""
    memory = Path("/dev/shm")
    if memory.stat().st_dev == anna.root.stat().st_dev:
        pytest.skip("there is no second filesystem")
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


def test_lost_and_spoilt_files_come_back_and_the_rest_stays(anna: Anna) -> None:
    one, two = anna.write("one"), anna.write("sub/two")
    os.link(one, anna.source / "linked")
    (anna.source / "link").symlink_to("one")
    anna.write("cache/kept", "excluded from backups")
    spec = {"excludes": ["cache"]}
    anna.back_up(spec)
    forget_what_moved(anna)
    before = tree_of(anna.source)
    assert not put_back(anna)["changed"]

    untouched = two.stat().st_ino
    one.unlink()
    (anna.source / "link").unlink()
    (anna.source / "link").symlink_to("/etc/passwd")
    new = anna.write("new", "made since")
    spoilt = tree_of(anna.source)
    planned = put_back(anna, _ansible_check_mode=True)
    assert planned["changed"]
    assert (planned["restore"]["change_count"], planned["restore"]["extra"]) == (3, [str(new)]), planned
    assert tree_of(anna.source) == spoilt

    done = put_back(anna)
    assert done.get("changed"), done
    assert two.stat().st_ino == untouched
    assert new.read_text() == "made since"
    safety = done["restore"]["safety"]
    assert f"--snapshot {safety[:8]} --in-place" in done["msg"]
    assert put_back(anna, delete=True)["restore"]["deleted"] == 1
    assert tree_of(anna.source) == before

    undone = put_back(anna, snapshot=safety, delete=True)
    assert undone["changed"], undone
    assert tree_of(anna.source) == spoilt


@pytest.mark.parametrize("copied", [False, True])
def test_names_of_one_file_are_one_file_again(anna: Anna, elsewhere: Path, copied: bool) -> None:
    for name in ("a1", "b1", "c1", "d1"):
        os.link(anna.write(name, name), anna.source / name.replace("1", "2"))
    os.mkfifo(anna.source / "pipe")
    anna.back_up()
    forget_what_moved(anna)
    before = tree_of(anna.source)
    for lost in ("a1", "b2", "c1", "c2", "pipe"):
        (anna.source / lost).unlink()
    (anna.source / "d2").unlink()
    anna.write("d2", "d1")
    done = put_back(anna, **({"scratch_dir": str(elsewhere)} if copied else {}))
    assert done.get("changed"), done
    for name in ("a", "b", "c", "d"):
        assert (anna.source / f"{name}1").samefile(anna.source / f"{name}2"), name
    assert tree_of(anna.source) == before


def test_one_of_the_names_alone(anna: Anna) -> None:
    one = anna.write("sub/one", "good")
    os.link(one, anna.source / "first")
    anna.back_up()
    forget_what_moved(anna)
    one.unlink()
    done = put_back(anna, paths=[str(one)])
    assert done.get("changed"), done
    assert one.read_text() == "good"


def test_a_safety_snapshot_counts_as_no_backup(anna: Anna) -> None:
    one = anna.write("one", "good")
    made = anna.back_up()["backup"]["snapshot"]
    one.write_text("spoilt")
    safety = put_back(anna)["restore"]["safety"]
    assert {s["id"]: s["complete"] for s in anna.snapshots()} == {made: True, safety: False}
    one.write_text("spoilt once more")
    assert put_back(anna, safety=False)["restore"]["snapshot"] == made
    assert one.read_text() == "good"


def test_everything_lost_and_only_a_part_wanted(anna: Anna) -> None:
    anna.write("a/one")
    anna.write("b/two")
    anna.back_up()
    for name in ("a/one", "b/two"):
        (anna.source / name).unlink()
        (anna.source / name).parent.rmdir()
    anna.source.rmdir()
    part = put_back(anna, paths=[str(anna.source / "a")])
    assert part["restore"]["safety"] is None
    assert part["restore"]["done"] == ["nothing was there that needed a safety snapshot", "replaced 2 entries"]
    assert not (anna.source / "b").exists()
    assert put_back(anna)["changed"]
    assert (anna.source / "b" / "two").read_text() == "content"


def test_a_damaged_copy_never_gets_in_place(anna: Anna) -> None:
    one = anna.write("one", "good" * 1000)
    anna.back_up()
    one.write_text("live")
    forget_what_moved(anna)
    spoil = '"$RESTIC" "$@"; find "$5" -name one -delete'
    with anna.engine_behind('case "$1" in restore) ' + spoil + ' ;; *) exec "$RESTIC" "$@";; esac'):
        failed = put_back(anna)
    assert failed["restore"]["reason"] == "repository_damaged", failed
    assert "Nothing that is live was touched" in failed["msg"]
    assert one.read_text() == "live"


def test_no_safety_no_restore(anna: Anna) -> None:
    one = anna.write("one", "good")
    anna.back_up()
    one.write_text("live")
    full = 'case "$1" in backup) echo no space left on device >&2; exit 1;; *) exec "$RESTIC" "$@";; esac'
    with anna.engine_behind(full):
        failed = put_back(anna)
    assert failed["restore"]["reason"] == "no_space", failed
    assert "Nothing was overwritten" in failed["msg"]
    assert one.read_text() == "live"


def test_a_directory_in_the_way_is_never_removed(anna: Anna) -> None:
    one = anna.write("one", "good")
    anna.back_up()
    one.unlink()
    one.mkdir()
    (one / "inside").write_text("live")
    failed = put_back(anna)
    assert "is a directory now" in failed["msg"], failed
    assert (one / "inside").read_text() == "live"


def test_as_it_was_at_a_time(anna: Anna) -> None:
    one = anna.write("one", "first")
    first = anna.back_up()["backup"]
    one.write_text("second")
    anna.back_up()
    assert put_back(anna, at=first["time"])["restore"]["snapshot"] == first["snapshot"]
    assert one.read_text() == "first"
    early = put_back(anna, at="2001-01-01T00:00:00Z")
    assert early["restore"]["reason"] == "no_snapshot"
    assert put_back(anna, at="yesterday")["failed"]


def test_stop_is_a_list_of_units() -> None:
    sound = {"id": "a", "paths": ["/a"], "stop": ["shop.service", "getty@tty1.service"]}
    assert registry.faults([sound]) == []
    for stop in ("shop.service", ["--now"], ["shop"], [1]):
        assert len(registry.faults([{**sound, "stop": stop}])) == 1, stop


def test_a_database_loads_its_dump_and_can_be_undone(anna: Anna) -> None:
    """The kind does it by itself; what was there is a dump of the same kind."""
    path = anna.root / "shop.db"

    def orders(*change: str) -> int:
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            for statement in change:
                db.execute(statement)
            return int(db.execute("SELECT count(*) FROM orders").fetchone()[0])

    assert orders("CREATE TABLE orders (id INTEGER)", "INSERT INTO orders VALUES (1), (2)") == 2
    spec = {"id": "data", "type": "sqlite", "path": str(path)}
    assert anna.call("backup", **anna.arguments(source=spec))["changed"]
    assert orders("DELETE FROM orders WHERE id = 1") == 1
    done = put_back(anna, definition=spec)
    assert done.get("changed"), done
    assert orders() == 2
    assert "was overwritten: 2 rows" in done["msg"]
    assert put_back(anna, definition=spec, snapshot=done["restore"]["safety"])["changed"]
    assert orders() == 1
    refused = put_back(anna, paths=[str(path)])
    assert refused["failed"]
    assert orders() == 1

    path.unlink()
    gone = [f"there is no {path}"]
    assert put_back(anna, definition=spec, _ansible_check_mode=True)["restore"]["gone"] == gone
    done = put_back(anna, definition=spec)
    assert (done["restore"]["safety"], done["restore"]["gone"]) == (None, gone)
    assert orders() == 2
    path.write_text("what nobody can dump is not gone")
    refused = put_back(anna, definition=spec)
    assert refused["restore"]["reason"] == "dump_failed", refused
    assert "--no-safety" in refused["msg"]
    assert path.read_text().startswith("what nobody")


def test_what_is_roundsmans_own_is_never_removed(anna: Anna) -> None:
    """The repository was moved below the source since the snapshot, and the scratch directory lies there, too."""
    one = anna.write("one", "good")
    anna.back_up()
    forget_what_moved(anna)
    shutil.move(anna.repository, anna.source / "repository")
    anna.repository = str(anna.source / "repository")
    one.write_text("spoilt")
    anna.write("new", "made since")
    done = put_back(anna, delete=True, scratch_dir=str(anna.source))
    assert done.get("changed"), done
    assert (one.read_text(), done["restore"]["deleted"]) == ("good", 1)
    assert put_back(anna, snapshot=done["restore"]["safety"])["changed"]
    assert one.read_text() == "spoilt"
    assert not any("copy" in path for path in anna.restic("ls", done["restore"]["safety"]).splitlines())


def test_a_snapshot_from_the_future_is_restored_by_its_id_only(anna: Anna) -> None:
    one = anna.write("one", "old")
    tags = f"roundsman,source=data,complete,manifest={anna.back_up()['backup']['manifest_sha256']}"
    manifest = anna.state / "manifests" / "data.jsonl"
    anna.restic("backup", "--host=anna", "--tag", tags, "--time=2099-01-01 00:00:00", str(anna.source), str(manifest))
    one.write_text("new")
    newest = anna.back_up()["backup"]["snapshot"]
    one.unlink()
    assert put_back(anna)["restore"]["snapshot"] == newest
    assert one.read_text() == "new"
    (future,) = (s["id"] for s in anna.snapshots() if s["time"].startswith("2099"))
    assert put_back(anna, snapshot=future)["changed"]
    assert one.read_text() == "old"


def test_a_name_as_long_as_names_may_be_is_copied_to_its_place(anna: Anna, elsewhere: Path) -> None:
    one = anna.write("ж" * 127, "good")
    os.link(one, anna.source / ("a" * 255))
    anna.back_up()
    forget_what_moved(anna)
    before = tree_of(anna.source)
    shutil.rmtree(anna.source)
    done = put_back(anna, scratch_dir=str(elsewhere))
    assert done.get("changed"), done
    assert tree_of(anna.source) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_directories_above_a_wanted_path_are_what_they_were(anna: Anna) -> None:
    one = anna.write("shop/uploads/one", "good")
    for name in ("shop", "shop/uploads"):
        os.chown(anna.source / name, 33, 33)
        (anna.source / name).chmod(0o2750)
    anna.back_up()
    forget_what_moved(anna)
    shutil.rmtree(anna.source / "shop")
    assert put_back(anna, paths=[str(one)])["changed"]
    for name in ("shop", "shop/uploads"):
        info = (anna.source / name).stat()
        assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (33, 33, 0o2750), name


@pytest.mark.skipif(os.geteuid() != 0, reason="attributes are restored by root only")
def test_an_attribute_that_a_directory_was_given_since_is_gone(anna: Anna) -> None:
    anna.write("sub/one", "good")
    os.setxattr(anna.source / "sub", "user.old", b"1")
    anna.back_up()
    forget_what_moved(anna)
    os.setxattr(anna.source / "sub", "user.new", b"1")
    os.removexattr(anna.source / "sub", "user.old")
    done = put_back(anna)
    assert done.get("changed"), done
    assert os.listxattr(anna.source / "sub") == ["user.old"]
