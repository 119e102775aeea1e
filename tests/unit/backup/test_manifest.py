"""A manifest equals the tree that it was made of, and nothing else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
