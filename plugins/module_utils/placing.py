# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts restored files where they belong: only entries that differ are replaced, each as a whole; the rest stays."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections import namedtuple

from . import tree
from .comparison import pairs, problems_of
from .engines.base import BackupError
from .engines.patterns import compile_patterns

SHOWN = 20

# differing: (entry of the manifest, Found or None) in walk order; directories: entries whose metadata to set
# afterwards; extra: paths (bytes) that the snapshot does not know
Live = namedtuple("Live", "differing directories extra")


def look(session, header, expected, roots, record, above=()):
    """What is there now, compared with the manifest's entries `expected`; fills the record's part about it.

    `above` are those of the directories above the `roots`: they are made where there are none, and else left alone.
    """
    directories = [entry for entry in above if not os.path.isdir(tree.raw(entry["path"]))]
    differing, extra, problems, replaced = [], [], [], set()
    own = session.own_places()
    own_file_system = bool(header["definition"].get("one_file_system"))
    live = tree.walk(roots, b"", compile_patterns([tree.raw(p) for p in header["excludes"]]), own_file_system)
    for entry, found in pairs(expected, live):
        session.tick()
        if entry is None:
            if not _is_own(found.path, own):
                extra.append(found.path)
            continue
        if entry["type"] == "dir":
            directories.append(entry)
        if "error" in entry or entry["type"] == "socket":
            continue
        words = problems_of(entry, found, b"", os.geteuid() == 0, session.tick) if found else ["is not there"]
        if not words and entry.get("hard_link_of") in replaced:
            words = ["is one file with {0}".format(tree.printable(entry["hard_link_of"]))]
        if words:
            replaced.add(entry["path"])
            differing.append((entry, found))
            problems.append({"path": _printable(tree.raw(entry["path"])), "problem": "; ".join(words)})
    record.update(changes=problems[:SHOWN], change_count=len(problems))
    record.update(extra=[_printable(path) for path in extra[:SHOWN]], extra_count=len(extra))
    _refuse_directories_in_the_way(differing)
    return Live(differing, directories, extra)


def _is_own(path, own):
    """Whether Roundsman keeps something there today, which the snapshot's own excludes need not know of."""
    directory, name = os.path.split(path)
    real = os.path.join(os.path.realpath(directory), name)
    return any((real + b"/").startswith(place.rstrip(b"/") + b"/") for place in own)


def _printable(path):
    return path.decode("utf-8", "backslashreplace")


def _refuse_directories_in_the_way(differing):
    """What lies in them may be excluded from every backup, so that nothing could bring it back."""
    for entry, found in differing:
        if found and found.info and stat.S_ISDIR(found.info.st_mode) and entry["type"] != "dir":
            text = "{0} is a directory now and was a {1} then. Nothing was overwritten. Move it away and try again."
            raise BackupError("engine_failed", text.format(_printable(found.path), entry["type"]))


def put_files(session, live, copy, delete, record):
    """Replace what differs by what lies below `copy` (bytes)."""
    if live.differing:
        # First, because from here on the source may be half old and half new.
        record["done"].append("began to replace {0} entries".format(len(live.differing)))
    for entry, found in live.differing:
        session.tick()
        _replace(session, copy, entry, found)
    if live.differing:
        record["done"][-1] = "replaced {0} entries".format(len(live.differing))
    if delete:
        record["deleted"] = _delete(live.extra)
        record["done"].append("deleted {0} entries that the snapshot does not know".format(record["deleted"]))
    for entry in reversed(live.directories):
        _set_metadata(copy + tree.raw(entry["path"]), entry)
    _restore_contexts(session, [tree.raw(entry["path"]) for entry, _found in live.differing], record)


def _replace(session, copy, entry, found):
    path = tree.raw(entry["path"])
    if not os.path.lexists(copy + path):
        # It vanished between manifest and backup; the copy was judged with that in mind.
        return
    there = found.info if found else None
    if entry["type"] == "dir":
        if there and stat.S_ISDIR(there.st_mode):
            return
        if there:
            os.unlink(path)
        _make_parents(path)
        os.mkdir(path, 0o700)
        return
    _make_parents(path)
    # Its own name with something added may be longer than names may be.
    beside = os.path.join(os.path.dirname(path), b".roundsman-new")
    first = tree.raw(entry.get("hard_link_of", ""))
    if first and os.path.lexists(first):
        # The first name of this file is in its place by now.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        os.link(first, beside, follow_symlinks=False)
        os.replace(beside, path)
        return
    try:
        os.rename(copy + path, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # cp knows owners, attributes, holes and devices; shutil does not.
        session.effects().run(
            ["cp", "-a", "-T", "--remove-destination", "--", copy + path, beside], "engine_failed", "copying a file"
        )
        os.rename(beside, path)


def _make_parents(path):
    """What those are that the manifest knows is set at the end; those above a source's own paths are in none."""
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)


def _set_metadata(copy, entry):
    """Of a directory; replacing what is in it has moved its time, and taking files out of the copy that of the copy."""
    path = tree.raw(entry["path"])
    if not os.path.isdir(copy) or not os.path.isdir(path):
        return
    if os.geteuid() == 0:
        os.chown(path, entry["uid"], entry["gid"])
        _drop_attributes(path, entry)
    shutil.copystat(copy, path)
    os.chmod(path, int(entry["mode"], 8))
    os.utime(path, ns=(entry["mtime_ns"], entry["mtime_ns"]))


def _drop_attributes(path, entry):
    """Those that it did not have: an ACL that was given since would go on letting in."""
    with contextlib.suppress(OSError):
        for name in set(tree.xattrs(path)) - set(entry.get("xattrs", tree.xattrs(path))):
            os.removexattr(path, os.fsdecode(tree.raw(name)))


def _delete(extra):
    """What lies in a directory goes before it; one that holds something excluded stays. Sockets are never saved."""
    gone = 0
    for path in reversed(extra):
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISSOCK(mode):
                continue
            (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(path)
        except FileNotFoundError:
            # Somebody else was quicker: temporary files come and go.
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
                raise
        else:
            gone += 1
    return gone


def _restore_contexts(session, paths, record):
    if not paths or not os.path.exists("/sys/fs/selinux/enforce") or not shutil.which("restorecon"):
        return
    with tempfile.TemporaryFile() as stream:
        stream.write(b"\0".join(paths) + b"\0")
        stream.seek(0)
        session.effects().run(
            ["restorecon", "-0", "-f", "-"], "engine_failed", "setting SELinux contexts", stdin=stream
        )
    record["done"].append("set SELinux contexts")
