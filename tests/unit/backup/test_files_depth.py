"""What files are besides their bytes: attributes, links, holes, mounts, odd names, and movement while they are read."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import manifest, tree
from ansible_collections.roundsman.fleet.plugins.module_utils.comparison import Comparison, compare
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import registry

from .cast import Anna
from .test_backup import NOT_ROOT, record_of
from .test_manifest import LONG_AGO, describe, never, nothing

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep
ACL = bytes.fromhex(
    "0200000001000600ffffffff0200040039300000040004 00ffffffff10000400ffffffff20000400ffffffff".replace(" ", "")
)


def rich_tree(root: Path) -> None:
    """A capability, an ACL, an attribute of a user, and three names of one file."""
    (root / "sub").mkdir(parents=True)
    for name in ("capable", "guarded", "one", "sub/other"):
        (root / name).write_text(name)
    os.setxattr(root / "capable", "security.capability", CAPABILITY)
    os.setxattr(root / "guarded", "system.posix_acl_access", ACL)
    os.setxattr(root / "sub", "user.origin", b"caf\xe9\n")
    os.link(root / "one", root / "sub" / "two")
    os.link(root / "one", root / "three")


def problems(root: Path, path: str, copy: Path) -> dict[str, str]:
    """What a copy that stands for a restored one lacks."""
    base, inside = os.fsencode(copy), os.fsencode(root)
    found: Comparison = compare(
        manifest.entries(path), tree.walk([inside], base, never), base, LONG_AGO, frozenset(), True, nothing
    )
    return {Path(one["path"]).name: one["problem"] for one in found.mismatches}


def replace_by_copy(path: Path) -> None:
    other = path.with_name("copy of it")
    shutil.copy2(path, other)
    os.chown(other, path.stat().st_uid, path.stat().st_gid)
    other.replace(path)


@pytest.fixture
def copied(tmp_path: Path) -> tuple[Path, str, Path]:
    """(tree, its manifest, the directory below which a perfect copy of it lies)."""
    root, copy, path = tmp_path / "root", tmp_path / "copy", str(tmp_path / "manifest")
    rich_tree(root)
    describe(os.fsencode(root), path)
    (copy / str(tmp_path).lstrip("/")).mkdir(parents=True)
    subprocess.run(["cp", "-a", str(root), f"{copy}{tmp_path}"], check=True)
    return root, path, copy


@pytest.mark.skipif(NOT_ROOT, reason="sets capabilities")
@pytest.mark.parametrize(
    ("name", "spoil", "problem"),
    [
        ("capable", lambda p: os.removexattr(p, "security.capability"), "attribute security.capability differs"),
        (
            "guarded",
            lambda p: os.removexattr(p, "system.posix_acl_access"),
            "attribute system.posix_acl_access differs",
        ),
        ("sub", lambda p: os.setxattr(p, "user.origin", b"elsewhere"), "attribute user.origin differs"),
        ("one", lambda p: os.setxattr(p, "user.new", b""), "attribute user.new differs"),
        ("two", replace_by_copy, "is no longer one file with"),
    ],
)
def test_each_loss_is_found(copied: tuple[Path, str, Path], name: str, spoil: Any, problem: str) -> None:
    root, path, copy = copied
    assert problems(root, path, copy) == {}
    victim = next(Path(f"{copy}{root}").rglob(name) if name != "sub" else iter([Path(f"{copy}{root}/sub")]))
    folder = victim.parent.stat()
    spoil(victim)
    os.utime(victim.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))
    found = problems(root, path, copy)
    assert problem in found[name]


@pytest.mark.skipif(NOT_ROOT, reason="sets capabilities")
def test_a_manifest_of_the_first_release_still_verifies(copied: tuple[Path, str, Path]) -> None:
    """It knows neither attributes nor links, so that their loss is not damage to it."""
    root, path, copy = copied
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    lines[0].pop("expectations", None)
    assert any("hard_link_of" in line for line in lines)
    assert any(line.get("xattrs") for line in lines)
    for line in lines:
        line.pop("hard_link_of", None)
        line.pop("xattrs", None)
    Path(path).write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    header, footer = manifest.header_and_footer(path)
    assert (header["roundsman_manifest"], footer["entries"]) == (1, 8)
    victim = Path(f"{copy}{root}/capable")
    os.removexattr(victim, "security.capability")
    assert problems(root, path, copy) == {}
    victim.write_text("CAPABLE")
    assert "SHA-256" in problems(root, path, copy)["capable"]


@pytest.mark.skipif(NOT_ROOT, reason="mounts")
def test_attributes_that_a_filesystem_cannot_have_are_no_damage(copied: tuple[Path, str, Path]) -> None:
    """As on ramfs, vfat and many network filesystems."""
    root, path, copy = copied
    disk = copy.parent / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "roundsman-test", str(disk)], check=True)
    try:
        subprocess.run(["cp", "-a", "--no-preserve=xattr", f"{copy}/.", str(disk)], check=False)
        with pytest.raises(OSError, match="not supported"):
            os.setxattr(disk, "user.origin", b"x")
        found = problems(root, path, disk)
        assert not {"sub", "capable"} & set(found), found
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.skipif(NOT_ROOT, reason="sets capabilities")
def test_a_real_restore_keeps_attributes_links_and_holes(anna: Anna) -> None:
    rich_tree(anna.source / "rich")
    anna.write("holes", b"start")
    os.truncate(anna.source / "holes", 40 << 20)
    with (anna.source / "holes").open("ab") as stream:
        stream.write(b"end")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(anna.source / "rich" / "talk"))
        record = record_of(anna.back_up())
    assert record["warnings"] == [f"sockets are made by programs and not saved: {anna.source}/rich/talk"]
    (checked,) = anna.verify()["verifications"]
    assert (checked["outcome"], checked["mismatch_count"], checked["changed_during_backup"]) == ("ok", 0, 0), checked
    assert not anna.restore().get("failed")
    restored = Path(f"{anna.root}/restored{anna.source}/rich")
    assert os.getxattr(restored / "capable", "security.capability") == CAPABILITY
    assert os.getxattr(restored / "guarded", "system.posix_acl_access") == ACL
    assert (restored / "one").stat().st_nlink == 3
    if "0.14" not in record["engine"]["version"]:
        assert (restored.parent / "holes").stat().st_blocks * 512 < 4 << 20


@pytest.mark.skipif(NOT_ROOT, reason="mounts")
def test_one_file_system_leaves_out_what_is_mounted(anna: Anna) -> None:
    for name in ("disk", "sub/bound"):
        anna.write(f"{name}/hidden")
    anna.write("keep")
    file = anna.write("sub/file")
    mounts = [anna.source / "disk", anna.source / "sub" / "bound", file]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "roundsman-test", str(mounts[0])], check=True)
    (mounts[0] / "elsewhere").mkdir()
    for target, what in ((mounts[1], mounts[0] / "elsewhere"), (file, mounts[0] / "of it")):
        what.touch() if target == file else None
        subprocess.run(["mount", "--bind", str(what), str(target)], check=True)
    try:
        everything = record_of(anna.back_up())
        record = record_of(anna.back_up({"one_file_system": True}))
        (checked,) = anna.verify()["verifications"]
    finally:
        for mount in reversed(mounts):
            subprocess.run(["umount", "--lazy", str(mount)], check=True)
    assert (checked["outcome"], checked["changed_during_backup"]) == ("ok", 0), checked
    assert everything["manifest_entries"] - record["manifest_entries"] == 3
    with (anna.state / "manifests" / "data.jsonl").open() as stream:
        expected = {json.loads(line)["path"] for line in stream if '"path"' in line}
    listed = {line for line in anna.restic("ls", record["snapshot"]).splitlines() if line.startswith(str(anna.source))}
    assert listed == expected == {
        str(anna.source), *(f"{anna.source}/{name}" for name in ("disk", "keep", "sub", "sub/bound"))
    }  # fmt: skip


def test_names_of_all_sorts_come_through_records(anna: Anna) -> None:
    """Spoilt after the backup, so that the names appear in what people and programs read."""
    names = [b"new\nline", b"caf\xe9", b"tab\t", "ü".encode(), b"\x1b[31mred"]
    for name in names:
        Path(os.fsdecode(os.fsencode(anna.source) + b"/" + name)).write_text("content")
    record_of(anna.back_up())
    target = anna.root / "restored"
    anna.restore()
    for name in names:
        Path(os.fsdecode(os.fsencode(f"{target}{anna.source}") + b"/" + name)).write_text("CONTENT")
    result = anna.restore(overwrite=False)
    shown = [one["path"].rpartition("/")[2] for one in result["restore"]["mismatches"]]
    assert sorted(shown) == sorted(["new\\nline", "caf\\xe9", "tab\\t", "ü", "\\x1b[31mred"])
    assert json.loads(json.dumps(result).encode("ascii")) == result


def test_what_moves_is_saved_again_so_often_and_told(anna: Anna) -> None:
    anna.write("still")
    log = anna.write("log", "line\n")
    moving = f'case "$1" in backup) echo more >> "{log}";; esac; exec "$RESTIC" "$@"'
    with anna.engine_behind(moving):
        record = record_of(anna.back_up({"retries": 2}))
    assert len(record["snapshots"]) == 3
    assert record["parent"] == record["snapshots"][1]["id"]
    assert record["warnings"] == [f"changed or vanished while the backup ran in all of 3 attempts: {log}"]
    once = f'case "$1" in backup) test -e "{anna.root}/moved" || echo more >> "{log}"; touch "{anna.root}/moved";; esac'
    with anna.engine_behind(once + '; exec "$RESTIC" "$@"'):
        record = record_of(anna.back_up({"retries": 2}))
    assert len(record["snapshots"]) == 5
    assert record["warnings"] == []
    (checked,) = anna.verify()["verifications"]
    assert (checked["outcome"], checked["changed_during_backup"]) == ("ok", 0), checked


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"one_file_system": "yes"}, "one_file_system must be true or false"),
        ({"retries": 6}, "retries must be a number from 0 to 5"),
        ({"retries": True}, "retries must be a number from 0 to 5"),
        ({"check": []}, "check must be a command"),
    ],
)
def test_faults_of_definitions(keys: dict[str, Any], fault: str) -> None:
    (found,) = registry.faults([{"id": "data", "paths": ["/srv"], **keys}])
    assert found.startswith(f"source data: {fault}")
