"""A manifest equals the tree that it was made of, and nothing else."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import manifest, tree
from ansible_collections.roundsman.fleet.plugins.module_utils.comparison import Comparison, compare
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.binary(min_size=1, max_size=12).filter(lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b".."))
TREES = st.recursive(st.binary(max_size=40), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)
LONG_AGO = 2**62  # a manifest of the far future: no copy's time can then show a change


def nothing() -> None:
    """The clock does not matter here."""


def never(_path: bytes) -> bool:
    return False


def grow(path: bytes, content: bytes | dict) -> None:
    if isinstance(content, bytes):
        Path(os.fsdecode(path)).write_bytes(content)
        return
    Path(os.fsdecode(path)).mkdir()
    for name, inner in content.items():
        grow(path + b"/" + name, inner)


def describe(root: bytes, path: str) -> manifest.Written:
    return manifest.write(path, {"paths": [tree.text(root)]}, tree.walk([root], b"", never), nothing)


def compared(root: bytes, path: str) -> Comparison:
    return compare(manifest.entries(path), tree.walk([root], b"", never), b"", LONG_AGO, frozenset(), True, nothing)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_a_tree_equals_its_manifest(content: bytes | dict) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root, path = os.fsencode(directory) + b"/root", directory + "/manifest"
        grow(root, content)
        written = describe(root, path)
        found = compared(root, path)
        assert (found.mismatch_count, found.extra, found.entries) == (0, 0, written.entries)
        assert found.bytes == written.bytes
        assert manifest.file_sha256(path) == written.sha256
        assert Path(path).read_bytes().isascii()
        paths = [tree.raw(entry["path"]) for entry in manifest.entries(path)]
        assert paths == sorted(paths, key=tree.order)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6), st.data())
def test_any_change_of_a_file_is_found(files: dict[bytes, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root, path = os.fsencode(directory) + b"/root", directory + "/manifest"
        grow(root, files)
        describe(root, path)
        victim = Path(os.fsdecode(root + b"/" + data.draw(st.sampled_from(sorted(files)))))
        before, folder = victim.stat(), victim.parent.stat()
        how = data.draw(st.sampled_from(["content", "size", "mode", "mtime", "gone", "link"]))
        content = victim.read_bytes()
        if how == "content":
            victim.write_bytes(bytes(b ^ 1 for b in content) or b"x")
        elif how == "size":
            victim.write_bytes(content + b"x")
        elif how == "mode":
            victim.chmod(0o600 if before.st_mode & 0o77 else 0o644)
        elif how in ("gone", "link"):
            victim.unlink()
            if how == "link":
                victim.symlink_to("elsewhere")
        if how in ("content", "size"):
            os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif how == "mtime":
            os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        os.utime(victim.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))
        found = compared(root, path)
        assert found.mismatch_count == 1, how
        assert found.mismatches[0]["path"].encode("utf-8", "replace")


def test_hard_links_count_once(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").write_bytes(b"x" * 1000)
    os.link(root / "one", root / "two")
    written = describe(os.fsencode(root), str(tmp_path / "manifest"))
    assert (written.entries, written.bytes) == (3, 1000)


def test_at_most_twenty_mismatches_are_listed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(30):
        (root / str(number)).write_text("x")
    describe(os.fsencode(root), str(tmp_path / "manifest"))
    for path in root.iterdir():
        path.unlink()
    found = compared(os.fsencode(root), str(tmp_path / "manifest"))
    assert found.mismatch_count == 31
    assert len(found.mismatches) == 20


SETTLED_NS = 10**10  # a header dated so much later takes what was just made for long untouched


def again(root: bytes, path: str, before: str | None) -> list[dict]:
    """The entries of a manifest of now, made with and without an earlier one."""
    header = {"paths": [tree.text(root)], "taken_at_ns": time.time_ns() + SETTLED_NS}
    written = manifest.write(path, header, tree.walk([root], b"", never), nothing, before)
    assert manifest.header_and_footer(path)[1]["bytes"] == written.bytes
    return list(manifest.entries(path))


def change(victim: Path, how: str) -> None:
    before = victim.stat()
    if how == "content":
        victim.write_bytes(bytes(b ^ 1 for b in victim.read_bytes()) or b"x")
        os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "gone":
        victim.unlink()
    elif how == "link":
        os.link(victim, str(victim) + "+")
    elif how == "mode":
        victim.chmod(0o600 if before.st_mode & 0o77 else 0o644)
    elif how == "replaced":
        victim.rename(str(victim) + "-")
        victim.write_bytes(b"other")
    elif how == "dir":
        victim.unlink()
        victim.mkdir()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6), st.data())
def test_an_earlier_manifest_changes_nothing_but_the_work(files: dict[bytes, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root, earlier = os.fsencode(directory) + b"/root", directory + "/earlier"
        grow(root, files)
        again(root, earlier, None)
        time.sleep(0.011)  # the kernel's clock for file times has to tick
        for name in data.draw(st.lists(st.sampled_from(sorted(files)), unique=True)):
            hows = ["content", "gone", "link", "mode", "replaced", "dir"]
            change(Path(os.fsdecode(root + b"/" + name)), data.draw(st.sampled_from(hows)))
        assert again(root, directory + "/now", earlier) == again(root, directory + "/afresh", None)


@pytest.mark.parametrize(("dated_later_ns", "read"), [(SETTLED_NS, []), (0, [b"one"])])
def test_only_what_may_have_been_touched_since_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dated_later_ns: int, read: list[bytes]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").write_bytes(b"x")
    earlier, seen = str(tmp_path / "earlier"), []
    header = {"paths": [str(root)], "taken_at_ns": time.time_ns() + dated_later_ns}
    manifest.write(earlier, header, tree.walk([os.fsencode(root)], b"", never), nothing)
    digest = tree.digest
    monkeypatch.setattr(tree, "digest", lambda path, tick: seen.append(path.rpartition(b"/")[2]) or digest(path, tick))
    again(os.fsencode(root), str(tmp_path / "now"), earlier)
    assert seen == read
