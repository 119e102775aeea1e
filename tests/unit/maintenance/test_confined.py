"""What is removed below a directory, and nothing else, whatever lies there and whoever swaps it meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import confined
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.budget import expendable, frees_bytes
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.confined import Confined, Removed
from hypothesis import given, settings
from hypothesis import strategies as st

DAY_S = 86400
NOW = time.time()
# Hundreds of small trees: no disk has to keep them.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def nothing() -> None:
    """Somebody who has all the time in the world."""


def cleaned(root: Path, older_than_s: float | None, keep_bytes: int | None, *, empty: bool = False) -> Removed:
    tree = Confined(os.fsencode(root))
    try:
        chosen = expendable(tree.files(nothing), NOW, older_than_s, keep_bytes)
        return tree.remove(chosen, empty, nothing)
    finally:
        tree.close()


def listing(root: Path) -> dict[bytes, tuple[int, int, int, bytes]]:
    """Everything below, with what would show that it was touched."""
    found = {}
    for folder, folders, names in os.walk(os.fsencode(root)):
        for name in [*folders, *names]:
            path = folder + b"/" + name
            info = os.lstat(path)
            content = unread(path) if stat.S_ISREG(info.st_mode) else b""
            found[path] = (info.st_ino, info.st_mode, info.st_mtime_ns, content)
    return found


def unread(path: bytes) -> bytes:
    """What is in a file, which counts as unread as before."""
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def write(path: Path, size: int = 1, age_days: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return aged(path, age_days)


def aged(path: Path, days: float) -> Path:
    os.utime(path, (NOW - days * DAY_S,) * 2, follow_symlinks=False)
    return path


def blocks(path: Path) -> int:
    return path.lstat().st_blocks * 512


# Whatever lies there

NAMES = st.sampled_from([b"a", b"b", b"\xff\xfe", b"new\nline", b" ", b"-rf", b"*", "ü".encode(), b"x" * 255])
ENTRIES = st.tuples(
    st.lists(NAMES, min_size=1, max_size=3),
    st.sampled_from(["file", "folder", "link in", "link out", "hard link in", "hard link out", "fifo"]),
    st.integers(0, 20000),
    st.integers(-2, 20),
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(ENTRIES, max_size=12),
    st.one_of(st.none(), st.integers(0, 20)),
    st.one_of(st.none(), st.integers(0, 60000)),
    st.booleans(),
)
def test_only_what_the_budget_chose(entries: list[Any], age: int | None, keep_bytes: int | None, empty: bool) -> None:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        outside, root = Path(folder, "outside"), Path(folder, "cache")
        write(outside / "precious", 5000, age_days=400)
        write(outside / "folder" / "more", 5000, age_days=400)
        root.mkdir()
        make(root, outside, entries)
        before, before_outside = listing(root), listing(outside)
        older_than_s = None if age is None else age * DAY_S + 0.5
        tree = Confined(os.fsencode(root))
        seen = list(tree.files(nothing))
        chosen = expendable(seen, NOW, older_than_s, keep_bytes)
        used_before = used(root)

        removed = tree.remove(chosen, empty, nothing)

        tree.close()
        after = listing(root)
        assert listing(outside) == before_outside
        gone = before.keys() - after.keys()
        names = {b"/".join([os.fsencode(root), *one.folder, one.name]) for one in chosen}
        assert {path for path in gone if not stat.S_ISDIR(before[path][1])} == names
        assert after.keys() <= before.keys()
        assert empty or not [path for path in gone if stat.S_ISDIR(before[path][1])]
        assert removed.names == len(names)
        assert removed.freed_bytes == used_before - used(root) + folders_freed(before, gone, empty)
        assert tree.left == []
        if not empty:
            assert removed.freed_bytes == frees_bytes(chosen)
        if keep_bytes is not None:
            whole = [one for one in tree_files(root) if one.lstat().st_nlink == 1 and blocks(one)]
            assert used(root) <= keep_bytes or not whole


def make(root: Path, outside: Path, entries: list[Any]) -> None:
    for names, kind, size, age in entries:
        path = root.joinpath(*map(os.fsdecode, names))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            others = tree_files(root)
            if kind == "folder":
                path.mkdir()
            elif kind == "file":
                path.open("xb").write(b"x" * size)
            elif kind == "fifo":
                os.mkfifo(path)
            elif kind.startswith("link"):
                path.symlink_to(root if kind == "link in" else outside)
            elif kind == "hard link in" and others:
                os.link(others[0], path)
            elif kind == "hard link out":
                os.link(outside / "precious", path)
            aged(path, age) if not path.is_dir() and kind != "hard link out" else None
        except OSError:
            continue  # the name is taken, or one above is no folder


def tree_files(root: Path) -> list[Path]:
    found = [Path(os.fsdecode(path)) for path, one in listing(root).items() if stat.S_ISREG(one[1])]
    return sorted(found)


def used(root: Path) -> int:
    """Bytes on disk of regular files and links that are only here."""
    inodes: dict[int, list[os.stat_result]] = {}
    for path, one in listing(root).items():
        if stat.S_ISREG(one[1]) or stat.S_ISLNK(one[1]):
            inodes.setdefault(one[0], []).append(os.lstat(path))
    return sum(same[0].st_blocks * 512 for same in inodes.values() if len(same) == same[0].st_nlink)


def folders_freed(before: dict[bytes, Any], gone: set[bytes], empty: bool) -> int:
    """What the directories of this filesystem take, each the same while they are small."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        each = blocks(Path(folder))
    return each * len([path for path in gone if stat.S_ISDIR(before[path][1])]) if empty else 0


# Whoever swaps it meanwhile


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Path]:
    """What must not be touched: it looks just like what is removed."""
    bait = tmp_path / "etc"
    for name in ("a", "b", "passwd"):
        write(bait / "inner" / name, 3000, age_days=99)
        write(bait / name, 3000, age_days=99)
    before = listing(bait)
    yield bait
    assert listing(bait) == before


def cache_of(root: Path) -> Path:
    for name in ("a", "b"):
        write(root / "deep" / "inner" / name, 3000, age_days=99)
        write(root / "deep" / name, 3000, age_days=99)
        write(root / name, 3000, age_days=99)
    return root


def link_for_folder(root: Path, bait: Path) -> None:
    (root / "deep").rename(root / "was")
    (root / "deep").symlink_to(bait)


def link_for_root(root: Path, bait: Path) -> None:
    root.rename(root.parent / "was")
    root.symlink_to(bait)


def link_for_inner(root: Path, bait: Path) -> None:
    (root / "deep/inner").rename(root / "was")
    (root / "deep/inner").symlink_to(bait / "inner")


def link_for_file(root: Path, bait: Path) -> None:
    (root / "a").unlink(missing_ok=True)
    (root / "a").symlink_to(bait / "passwd")


def hard_link_for_file(root: Path, bait: Path) -> None:
    (root / "a").unlink(missing_ok=True)
    os.link(bait / "passwd", root / "a")
    (root / "a").unlink()  # a name of it in the cache may go: here it does, so that the bait is as before


def another_folder_for_folder(root: Path, bait: Path) -> None:
    """The bait itself is moved in, as far as its owner may, and moved back."""
    (root / "deep").rename(root / "was")
    shutil.copytree(bait, root / "deep", copy_function=shutil.copy2)


SWAPS = [link_for_folder, link_for_root, link_for_inner, link_for_file, hard_link_for_file, another_folder_for_folder]
CALLS = ("open", "stat", "unlink", "rmdir", "listdir", "fstat", "dup")


@pytest.mark.parametrize("swap", SWAPS)
def test_a_swap_before_any_call_to_the_kernel(
    swap: Callable[[Path, Path], None], bait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race, lost at every point there is: the swap comes right before the n-th call, for every n."""
    number, reached = 0, True
    while reached:
        root = cache_of(tmp_path / "work" / str(number) / "cache")
        with monkeypatch.context() as patched:
            left = Countdown(number, lambda root=root: swap(root, bait))
            for name in CALLS:
                patched.setattr(confined.os, name, left.counted(getattr(os, name)))
            try:
                cleaned(root, DAY_S, None, empty=True)
            except OSError:
                assert swap is link_for_root, "only the directory itself may be missed"
            reached = left.done
        number += 1
    assert number > 40, "the swap was tried at too few points to mean anything"


class Countdown:
    def __init__(self, number: int, then: Callable[[], None]) -> None:
        self.number, self.then, self.done, self.busy = number, then, False, False

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if not self.busy:
                if self.number == 0 and not self.done:
                    self.busy = self.done = True
                    with contextlib.suppress(OSError):  # what it would swap has just been removed
                        self.then()
                    self.busy = False
                self.number -= 1
            return call(*args, **kwargs)

        return counted


def test_somebody_who_swaps_all_the_time(bait: Path, tmp_path: Path) -> None:
    """As above by a real race, so that nothing hangs on which calls we know."""
    root, stop = tmp_path / "cache", threading.Event()

    def swap() -> None:
        aside = tmp_path / "aside"
        link = tmp_path / "link"
        link.symlink_to(bait)
        while not stop.is_set():
            for one in (root / "deep", root / "deep" / "inner"):
                try:
                    one.rename(aside)
                    link.rename(one)
                    one.rename(link)
                    aside.rename(one)
                except OSError:
                    continue

    inner = root / "deep" / "inner"
    inner.mkdir(parents=True)
    fd = os.open(inner, os.O_RDONLY)  # we ourselves must not write where the link leads
    thread = threading.Thread(target=swap)
    thread.start()
    began, removed = time.monotonic(), 0
    # A busy machine takes its time until something was removed often enough for the swaps to have met it.
    while (passed_s := time.monotonic() - began) < 2 or (removed <= 100 and passed_s < 120):
        for number in range(20):
            os.close(os.open(f"f{number}", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
            os.utime(f"f{number}", (0, 0), dir_fd=fd)
        removed += cleaned(root, DAY_S, None).names
    stop.set()
    thread.join()
    os.close(fd)
    assert removed > 100


def test_a_link_on_the_way_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "real/cache/a", age_days=99)
    (tmp_path / "way").symlink_to("real")
    (tmp_path / "last").symlink_to("real/cache")
    for path in (tmp_path / "way/cache", tmp_path / "last", tmp_path / "real/cache/a"):
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            Confined(os.fsencode(path))
    assert (tmp_path / "real/cache/a").exists()


def test_what_is_used_or_changed_meanwhile_stays(tmp_path: Path) -> None:
    read, written, replaced, untouched = (write(tmp_path / name, age_days=99) for name in ("r", "w", "p", "u"))
    tree = Confined(os.fsencode(tmp_path))
    chosen = list(tree.files(nothing))
    os.utime(read, (NOW, read.stat().st_mtime))
    written.write_bytes(b"new")
    write(tmp_path / "new", age_days=99).replace(replaced)
    assert tree.remove(chosen, False, nothing).names == 1
    tree.close()
    assert [path.exists() for path in (read, written, replaced, untouched)] == [True, True, True, False]


def test_no_deeper_than_descriptors_last(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for _level in range(confined.DEEPEST + 5):
        os.mkdir("d", dir_fd=fd)
        fd = confined._replaced(fd, os.open("d", os.O_RDONLY, dir_fd=fd))
    os.close(os.open("too-deep", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    tree = Confined(os.fsencode(tmp_path))
    assert list(tree.files(nothing)) == []
    assert [why for _path, why in tree.left] == ["lies too deep"]
    tree.close()


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    cache_of(tmp_path / "cache")
    before = descriptors()
    cleaned(tmp_path / "cache", DAY_S, None, empty=True)
    assert descriptors() == before


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# The budget alone


def test_the_longest_unused_go_first_and_no_more_than_needed(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / str(number), 40000, age_days=10 - number)
    each = blocks(tmp_path / "0")
    assert cleaned(tmp_path, None, 3 * each).freed_bytes == 7 * each
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8", "9"]


def test_reading_is_using(tmp_path: Path) -> None:
    one = write(tmp_path / "read", age_days=99)
    os.utime(one, (NOW, one.stat().st_mtime))
    assert cleaned(tmp_path, DAY_S, None).names == 0


def test_folders_that_become_empty(tmp_path: Path) -> None:
    write(tmp_path / "a/b/old", age_days=99)
    write(tmp_path / "a/c/old", age_days=99)
    write(tmp_path / "a/c/new")
    (tmp_path / "was-empty").mkdir()
    cleaned(tmp_path, DAY_S, None, empty=True)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "a",
        "a/c",
        "a/c/new",
        "was-empty",
    ]
