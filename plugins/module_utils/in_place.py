# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts a checked copy back to where it came from, so that whatever happens can be told and undone.

Live data are touched only after the copy was found equal to its manifest and what is there now lies in a safety
snapshot. Of files, only entries that differ are replaced, each as a whole; what the snapshot does not know stays.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections import namedtuple

from . import tree
from .backing_up import blank, save_aside
from .comparison import pairs, problems_of
from .engines.base import BackupError
from .engines.patterns import compile_patterns
from .sources import registry
from .state import from_os_error
from .units import stopped

SHOWN = 20

# differing: (entry of the manifest, Found or None) in walk order; directories: entries whose metadata to set
# afterwards; extra: paths (bytes) that the snapshot does not know
Live = namedtuple("Live", "differing directories extra")


def loads(header):
    """Whether the source's kind puts its data back itself, as databases do."""
    return hasattr(registry.KINDS[header["type"]], "put_back")


def source_of(header, definition):
    """The source as it is declared today, or as it was when it was saved, that puts its data back itself."""
    source = registry.source_of({**header["definition"], **definition})
    if not hasattr(source, "put_back"):
        raise BackupError("engine_failed", _BY_HAND.format(header["source"]))
    return source


def look(session, header, expected, roots, record):
    """What is there now, compared with the manifest's entries `expected`; fills the record's part about it."""
    differing, directories, extra, problems = [], [], [], []
    own_file_system = bool(header["definition"].get("one_file_system"))
    live = tree.walk(roots, b"", compile_patterns([tree.raw(p) for p in header["excludes"]]), own_file_system)
    for entry, found in pairs(expected, live):
        session.tick()
        if entry is None:
            extra.append(found.path)
            continue
        if entry["type"] == "dir":
            directories.append(entry)
        if "error" in entry or entry["type"] == "socket":
            continue
        words = problems_of(entry, found, b"", os.geteuid() == 0, session.tick) if found else ["is not there"]
        if words:
            differing.append((entry, found))
            problems.append({"path": _printable(tree.raw(entry["path"])), "problem": "; ".join(words)})
    record.update(changes=problems[:SHOWN], change_count=len(problems))
    record.update(extra=[_printable(path) for path in extra[:SHOWN]], extra_count=len(extra))
    _refuse_directories_in_the_way(differing)
    return Live(differing, directories, extra)


def _printable(path):
    return path.decode("utf-8", "backslashreplace")


def _refuse_directories_in_the_way(differing):
    """What lies in them may be excluded from every backup, so that nothing could bring it back."""
    for entry, found in differing:
        if found and found.info and stat.S_ISDIR(found.info.st_mode) and entry["type"] != "dir":
            text = "{0} is a directory now and was a {1} then. Nothing was overwritten. Move it away and try again."
            raise BackupError("engine_failed", text.format(_printable(found.path), entry["type"]))


def put_in_place(session, engine, header, live, copy, wish, record):
    """Replace what is live by the copy; `live` is None for a kind that loads its data itself.

    A failure tells what was done until then.
    """
    done = record["done"]
    try:
        with stopped(session, record["source"], record["stop"], done):
            if wish["safety"]:
                _save_aside(session, engine, header, wish["definition"], record)
            if live is None:
                done.append("began to put the copy back")
                source = source_of(header, wish["definition"])
                done[-1:] = source.put_back(copy + (header["paths"][0] if source.SPOOLS else ""), session.effects())
            else:
                _put_files(session, live, os.fsencode(copy), wish["delete"], record)
    except BackupError as failure:
        raise BackupError(failure.reason, failure.message + so_far(session, record)) from failure
    except OSError as error:
        failure = from_os_error("the restore", error.filename or "?", error)
        raise BackupError(failure.reason, failure.message + so_far(session, record)) from error


def so_far(session, record):
    """What was done, and how to undo it: the end of a message about a failure."""
    if not record["done"]:
        return " Nothing was overwritten."
    text = " Done until then: {0}.".format("; ".join(record["done"]))
    return text + (" What was there before comes back with: " + undo(session, record) if record["safety"] else "")


def undo(session, record):
    there = "" if record["where"] == session.host else " --on " + record["where"]
    return "roundsman restore {0} --source {1[source]} --snapshot {1[safety]:.8} --in-place{2}".format(
        session.host, record, there
    )


def _save_aside(session, engine, header, definition, record):
    spec = dict(header["definition"])
    if loads(header):
        spec.update(definition)
    else:
        # What the snapshot covers, not what is declared today: that is what gets overwritten.
        roots = [tree.raw(path) for path in record["paths"] or header["paths"]]
        spec["paths"] = [tree.text(path) for path in roots if os.path.lexists(path)]
        if not spec["paths"]:
            record["done"].append("nothing was there that needed a safety snapshot")
            return
    made = blank(session.host, session.repository, spec, "incremental")
    try:
        save_aside(session, engine, spec, made)
    except BackupError as failure:
        raise BackupError(failure.reason, _NO_SAFETY.format(failure.message)) from failure
    record["safety"] = made["snapshot"]
    record["done"].append("saved what was there as safety snapshot {0:.8}".format(made["snapshot"]))


def _put_files(session, live, copy, delete, record):
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
    try:
        os.rename(copy + path, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = path + b".roundsman-new"
        # cp knows owners, attributes, holes and devices; shutil does not.
        session.effects().run(
            ["cp", "-a", "-T", "--remove-destination", "--", copy + path, beside], "engine_failed", "copying a file"
        )
        os.rename(beside, path)


def _make_parents(path):
    """Those above a source's own paths are in no manifest."""
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)


def _set_metadata(copy, entry):
    """Of a directory; replacing what is in it has moved its time, and taking files out of the copy that of the copy."""
    path = tree.raw(entry["path"])
    if not os.path.isdir(copy) or not os.path.isdir(path):
        return
    if os.geteuid() == 0:
        os.chown(path, entry["uid"], entry["gid"])
    shutil.copystat(copy, path)
    os.chmod(path, int(entry["mode"], 8))
    os.utime(path, ns=(entry["mtime_ns"], entry["mtime_ns"]))


def _delete(extra):
    """What lies in a directory goes before it; one that holds something excluded stays. Sockets are never saved."""
    gone = 0
    for path in reversed(extra):
        mode = os.lstat(path).st_mode
        if stat.S_ISSOCK(mode):
            continue
        try:
            (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(path)
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


_BY_HAND = (
    "A whole server is not put back by itself. Nothing was done. Restore {0} into a directory (--to) and follow the "
    "steps for its method in docs/backup.md."
)
_NO_SAFETY = (
    "The safety snapshot of what is there now failed: {0} Nothing was overwritten. Repair that, or go on without one "
    "(--no-safety), when what is there is worth nothing."
)
