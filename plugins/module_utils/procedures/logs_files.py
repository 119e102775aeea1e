# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Old logs: removed and compressed by rules, and compressed where logrotate forgot one.

Directories of logs often belong to the program that writes there, so all of this goes by way of confined.Confined.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import os
import shutil
import stat
import time
from collections import namedtuple

from ..family import span
from ..mounts import read_mounts
from ..sources.plan import seconds
from ..tree import printable, text
from . import guard
from .base import ProcedureError
from .confined import Confined, seen
from .logrotate import is_compressed, log_of
from .step import FULL

# base: the directory that the names below it start from, each a pattern of one name
Rule = namedtuple("Rule", "base names compress_after_s remove_after_s shown")
LATELY_S = 2 * 86400  # logrotate may want to rotate or compress it itself (delaycompress)


def rules_of(specs):
    """The Rules of roundsman_logs_retention. Raises ProcedureError(refused)."""
    return [_rule(spec) for spec in specs]


def _rule(spec):
    path, spans = os.fsencode(spec["path"]), {key: seconds(spec[key]) for key in ("compress_after", "remove_after")}
    names = path.split(b"/")[1:]
    depth = next((n for n, name in enumerate(names) if any(c in b"*?[" for c in name)), len(names) - 1)
    base = b"/" + b"/".join(names[:depth])
    why = None
    if any(spec[key] is not None and spans[key] is None for key in spans) or not any(spans.values()):
        why = "give compress_after, remove_after or both, as spans such as 12h, 30d or 2w"
    elif not path.startswith(b"/") or os.path.normpath(path) != path or b"**" in path:
        why = "it must be an absolute pattern without .., // and **"
    elif not (base + b"/").startswith(b"/var/log/"):
        why = guard.refusal(base, [])
    if why:
        raise ProcedureError("refused", "roundsman_logs_retention: {path}: {0}. Nothing was done.".format(why, **spec))
    return Rule(base, names[depth:], *spans.values(), shown=spec["path"])


def enforce(step, rule, live):
    """Remove and compress what a rule says. `live` is what logs_writers.live_logs finds."""
    with _opened(step, rule.base) as tree:
        if tree is None:
            return
        now = time.time()
        files = [one for one in tree.files(step.tick) if _is_log(one) and _matches(one, rule.names)]
        old = {False: [], True: []}
        for one in files:
            path = _path(tree, one)
            if path in live or one.inode in live or guard.guarded_tree(os.fsencode(path)) is not None:
                continue
            if rule.remove_after_s is not None and now - one.written_at > rule.remove_after_s:
                old[True].append(one)
            elif rule.compress_after_s is not None and now - one.written_at > rule.compress_after_s:
                old[False] += [] if is_compressed(path) else [one]
        if old[True]:
            _remove(step, tree, rule, old[True])
        _compress(step, tree, old[False], "older than {0}".format(span(rule.compress_after_s or 0)))


def compress_forgotten(step, logs, live):
    """Compress rotated copies of `logs` that were left as they are, where others of the same log are compressed."""
    folders = {os.path.dirname(os.fsencode(log)) for log in logs}
    for folder in sorted(folder for folder in folders if guard.guarded_tree(folder) is None):
        with _opened(step, folder) as tree:
            if tree is None:
                continue
            copies = {}
            for one in filter(_is_log, tree.files(step.tick, deep=False)):
                copies.setdefault(log_of(_path(tree, one), logs), []).append(one)
            copies.pop(None, None)
            forgotten = []
            for same in copies.values():
                if any(one.name.endswith(b".gz") for one in same):
                    forgotten += [one for one in same if _is_forgotten(_path(tree, one), one, live)]
            _compress(step, tree, forgotten, "others of the same log are compressed")


def _is_forgotten(path, one, live):
    lately = time.time() - one.written_at < LATELY_S
    return not (is_compressed(path) or path in live or one.inode in live or lately or path.endswith((".1", ".old")))


def _remove(step, tree, rule, files):
    planned = sum(one.size_bytes for one in files if one.links == 1)
    words = "{0} logs older than {1}".format(len(files), span(rule.remove_after_s))
    if step.check_mode:
        step.plan("remove", rule.shown, planned, words)
        return
    with step.action("remove", rule.shown, planned, words) as done:
        done["size_bytes"] = tree.remove(files, False, step.tick).freed_bytes


def _compress(step, tree, files, why):
    for one in files:
        shown = printable(text(os.fsencode(_path(tree, one))))
        if step.check_mode:
            step.plan("compress", shown, one.size_bytes, why)
            continue
        try:
            with step.action("compress", shown, one.size_bytes, why) as done:
                done["size_bytes"] = _compressed_in(tree, one, step.tick)
        except OSError as error:
            if error.errno in FULL:
                raise
            step.warn("{0} was not compressed: {1}".format(shown, error.strerror))


def _compressed_in(tree, one, tick):
    fd = tree.open_folder(one.folder)
    if fd is None:
        return 0
    try:
        return _compressed(fd, one, tick)
    finally:
        os.close(fd)


def _compressed(folder, one, tick):
    """Put NAME.gz in place of a file, and return what that freed; 0 when the file is not what was seen any more."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    target, unfinished = one.name + b".gz", b"." + one.name + b".roundsman"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished, dir_fd=folder)  # of a step that was killed
    try:
        with os.fdopen(os.open(one.name, flags, dir_fd=folder), "rb") as source:
            info = os.fstat(source.fileno())
            if seen(info) != one.seen or info.st_nlink != 1:
                return 0
            new = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
            used = _write(source, new, info, tick)
        os.link(unfinished, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        if not _is_still(folder, one.name, info):
            os.unlink(target, dir_fd=folder)  # somebody wrote to it, or rotated it meanwhile
            return 0
        os.unlink(one.name, dir_fd=folder)
    except (FileNotFoundError, FileExistsError):
        return 0
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)
    return one.size_bytes - used


def _is_still(folder, name, info):
    """Whether a name is that of the same file, unwritten since."""
    try:
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (info.st_ino, info.st_size, info.st_mtime_ns)


def _write(source, fd, info, tick):
    """Compress into an open file with the owner, mode and times of `info`; returns its bytes on disk."""
    with os.fdopen(fd, "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=int(info.st_mtime)) as packed:
            shutil.copyfileobj(_Ticking(source, tick), packed, 1 << 20)
        raw.flush()
        os.fchown(fd, info.st_uid, info.st_gid)
        os.fchmod(fd, info.st_mode & 0o7777)
        os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
        os.fsync(fd)
        return os.fstat(fd).st_blocks * 512


class _Ticking:
    """A file that calls `tick` at each reading."""

    def __init__(self, file, tick):
        self._file, self._tick = file, tick

    def read(self, size):
        self._tick()
        return self._file.read(size)


@contextlib.contextmanager
def _opened(step, folder):
    """The Confined of a directory, or None, with a warning when something of it is to be told."""
    try:
        tree = Confined(folder)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        step.warn("{0} was left alone: {1}".format(printable(text(folder)), error.strerror))
        yield None
        return
    try:
        mounts, _fstab = read_mounts()
        mine = [mount for mount in mounts if mount.id == tree.mount]
        names = guard.aliases(folder, mine[0], mounts) if mine else [folder]
        if any(guard.guarded_tree(name) is not None for name in names):
            step.warn("{0} was left alone: it is a guarded place, mounted there".format(printable(text(folder))))
            yield None
            return
        yield tree
        for path, why in tree.left:
            step.warn("{0} was left alone: {1}".format(printable(text(path)), why))
    finally:
        tree.close()


def _is_log(one):
    """A link has an age of its own, which says nothing of the log that it leads to."""
    return stat.S_ISREG(one.seen[2])


def _matches(one, names):
    parts = (*one.folder, one.name)
    return len(parts) == len(names) and all(fnmatch.fnmatchcase(*pair) for pair in zip(parts, names))


def _path(tree, one):
    return os.fsdecode(b"/".join((tree.path, *one.folder, one.name)))
