"""A manifest equals the tree that it was made of, and nothing else."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import entries, manifest, tree
from ansible_collections.roundsman.fleet.plugins.module_utils.comparison import Comparison, compare
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_helper import children

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


# Longer than NAMES are, so that it makes no name of two others.
OTHER = b"=the same file"
SETTLED_NS = 10**10  # a header dated so much later takes what was just made for long untouched


def again(root: bytes, path: str, before: str | None, skipped: frozenset[bytes] = frozenset()) -> list[str]:
    """All but the header of a manifest of now, made with and without an earlier one."""
    header = {"paths": [tree.text(root)], "taken_at_ns": time.time_ns() + SETTLED_NS}
    written = manifest.write(path, header, tree.walk([root], b"", skipped.__contains__), nothing, before)
    assert manifest.header_and_footer(path)[1]["bytes"] == written.bytes
    return Path(path).read_text().splitlines()[1:]


def change(victim: Path, how: str) -> None:
    before = victim.stat()
    if how == "content":
        victim.write_bytes(bytes(b ^ 1 for b in victim.read_bytes()) or b"x")
        os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "gone":
        victim.unlink()
    elif how == "link":
        os.link(victim, os.fsencode(victim) + b"+" + OTHER)
    elif how == "mode":
        victim.chmod(0o600 if before.st_mode & 0o77 else 0o644)
    elif how == "replaced":
        victim.rename(os.fsdecode(os.fsencode(victim) + b"-" + OTHER))
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
        for name in data.draw(st.lists(st.sampled_from(sorted(files)), unique=True)):
            os.link(root + b"/" + name, root + b"/" + name + OTHER)
        again(root, earlier, None)
        time.sleep(0.011)  # the kernel's clock for file times has to tick
        for name in data.draw(st.lists(st.sampled_from(sorted(files)), unique=True)):
            hows = ["content", "gone", "link", "mode", "replaced", "dir"]
            change(Path(os.fsdecode(root + b"/" + name)), data.draw(st.sampled_from(hows)))
        left_out = data.draw(st.sets(st.sampled_from(sorted(files)))) if data.draw(st.booleans()) else ()
        skipped = frozenset(root + b"/" + name for name in left_out)
        assert again(root, directory + "/now", earlier, skipped) == again(root, directory + "/afresh", None, skipped)


@pytest.mark.parametrize(("dated_later_ns", "read"), [(SETTLED_NS, []), (0, [b"one"])])
def test_only_what_may_have_been_touched_since_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dated_later_ns: int, read: list[bytes]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").write_bytes(b"x")
    earlier, seen = str(tmp_path / "earlier"), []
    # The file's own time: however long it took to come here, it was not touched before that.
    header = {"paths": [str(root)], "taken_at_ns": (root / "one").stat().st_ctime_ns + dated_later_ns}
    manifest.write(earlier, header, tree.walk([os.fsencode(root)], b"", never), nothing)
    digest = tree.digest
    monkeypatch.setattr(tree, "digest", lambda path, tick: seen.append(path.rpartition(b"/")[2]) or digest(path, tick))
    again(os.fsencode(root), str(tmp_path / "now"), earlier)
    assert seen == read


LINKED = st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["hard", "symbolic", "pipe"])), max_size=5)


@settings(max_examples=30, deadline=None)
@given(TREES, st.lists(st.integers(0, 200), max_size=200), LINKED, st.integers(1, 70))
def test_whoever_reads_the_manifest_is_the_same(
    content: bytes | dict, sizes: list[int], links: list[tuple[int, str]], batch: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "_BATCH_ENTRIES", batch)
        patch.setattr(entries, "_BATCH_BYTES", 1000)
        many = Path(directory, "root", "many")
        many.mkdir(parents=True)
        grow(os.fsencode(directory) + b"/root/tree", content)
        for number, size in enumerate(sizes):
            (many / str(number)).write_bytes(os.urandom(size))
        for number, (of, kind) in enumerate(links):
            make_link(many / f"link-{number}", many / str(of), kind)
        written = set()
        for processors in (1, 2, 5):
            root, path = os.fsencode(directory) + b"/root", f"{directory}/{processors}"
            found = tree.walk([root], b"", never)
            manifest.write(path, {"paths": [tree.text(root)]}, found, nothing, None, processors)
            written.add(Path(path).read_bytes())
        assert len(written) == 1


def make_link(link: Path, of: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(link)
    elif kind == "symbolic":
        link.symlink_to(of)
    elif of.exists():
        link.hardlink_to(of)


def forest(tmp_path: Path, files: int = 300) -> bytes:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(files):
        (root / str(number)).write_bytes(b"%d" % number)
    return os.fsencode(root)


def test_what_a_killed_reader_left_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, one, two, mine = forest(tmp_path), str(tmp_path / "one"), str(tmp_path / "two"), os.getpid()
    manifest.write(one, {}, tree.walk([root], b"", never), nothing, None, 1)
    digest = tree.digest

    def deadly(path: bytes, tick: Callable[[], None]) -> str:
        if os.getpid() != mine and path.endswith(b"/222"):
            os.kill(os.getpid(), signal.SIGKILL)
        return digest(path, tick)

    monkeypatch.setattr(tree, "digest", deadly)
    manifest.write(two, {}, tree.walk([root], b"", never), nothing, None, 2)
    assert Path(two).read_bytes() == Path(one).read_bytes()


@pytest.mark.parametrize("processors", [1, 2])
def test_what_moves_between_a_look_and_its_reading_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    root, path, digest = forest(tmp_path), str(tmp_path / "manifest"), tree.digest
    os.utime(root, (0, 0))  # so that its time moves even when all of this takes no tick of the kernel's clock

    def late(file: bytes, tick: Callable[[], None]) -> str:
        victim = Path(os.fsdecode(file))
        if victim.name == "7":
            victim.write_text("longer than before")
        if victim.name == "70":
            victim.unlink()
        return digest(file, tick)

    monkeypatch.setattr(tree, "digest", late)
    taken_at_ns = time.time_ns()
    manifest.write(path, {"taken_at_ns": taken_at_ns}, tree.walk([root], b"", never), nothing, None, processors)
    there = {os.fsencode(file) for file in (tmp_path / "root").rglob("*")}
    assert {tree.raw(entry["path"]) for entry in manifest.entries(path)} == {root, *there}
    _suspects, certain = manifest.changes_since(path, taken_at_ns)
    assert {tree.raw(name) for name in certain} == {root, root + b"/7"}


@pytest.mark.parametrize("processors", [1, 2])
def test_a_time_limit_ends_the_reading(tmp_path: Path, processors: int) -> None:
    root, path, ticks = forest(tmp_path), str(tmp_path / "manifest"), itertools.count()

    def late() -> None:
        if next(ticks) == 200:
            raise BackupError("timeout", "as the session's tick does")

    before = children()
    with pytest.raises(BackupError):
        manifest.write(path, {}, tree.walk([root], b"", never), late, None, processors)
    assert children() == before
