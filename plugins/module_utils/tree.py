# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Walks file trees in a fixed order and describes what lies there. Paths are bytes: a file name need not be UTF-8."""

from __future__ import annotations

import functools
import grp
import hashlib
import os
import pwd
import stat
from collections import namedtuple

# path (as in the source), info (os.stat_result of the entry itself), error (str or None: why it could not be looked at)
Found = namedtuple("Found", "path info error")

_CHUNK = 1 << 20

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "chardev",
    stat.S_IFBLK: "blockdev",
}


def type_of(mode):
    return _TYPES.get(stat.S_IFMT(mode), "other")


def order(path):
    """Sort key of the walk: by component, a directory right before what is in it."""
    return path.split(b"/")


def walk(roots, base, skip, one_file_system=False):
    """Yield a Found for every root and all below, in `order`; what vanishes on the way is left out.

    `base` (bytes) is put before each path: empty on the host, the scratch directory in a restored copy.
    `skip` (path -> bool) prunes. Links are never followed. `one_file_system` does as the engine does: of what is
    mounted below a root there is the mount point alone.
    """
    for root in roots:
        pending, device = [root], None
        while pending:
            path = pending.pop()
            if skip(path):
                continue
            try:
                info = os.lstat(base + path)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield Found(path, None, error.strerror)
                continue
            device = info.st_dev if device is None else device
            if one_file_system and info.st_dev != device:
                if stat.S_ISDIR(info.st_mode):
                    yield Found(path, info, None)
                continue
            names, error = _names(base + path) if stat.S_ISDIR(info.st_mode) else ([], None)
            yield Found(path, info, error)
            pending += [path.rstrip(b"/") + b"/" + name for name in sorted(names, reverse=True)]


def _names(directory):
    try:
        return os.listdir(directory), None
    except FileNotFoundError:
        return [], None
    except OSError as error:
        return [], error.strerror


def digest(path, tick):
    """SHA-256 (hex) of a regular file; `tick` is called for every MiB and may raise to stop the work."""
    found = hashlib.sha256()
    # Non-blocking: the file may have become a pipe since it was looked at.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise FileNotFoundError(path)
        # Most files are small, and room for a whole chunk costs more than reading them.
        room = min(_CHUNK, info.st_size + 1)
        while True:
            tick()
            chunk = os.read(fd, room)
            if not chunk:
                return found.hexdigest()
            found.update(chunk)
    finally:
        os.close(fd)


def normal(path):
    """A path (str) as clean bytes."""
    clean = os.path.normpath(os.fsencode(path))
    return clean[1:] if clean.startswith(b"//") else clean


def outermost(paths):
    """Sorted by component, without those that lie below another."""
    kept = []
    for path in sorted(set(paths), key=lambda p: p.split(b"/")):
        if not kept or not (path + b"/").startswith(kept[-1].rstrip(b"/") + b"/"):
            kept.append(path)
    return kept


def text(name):
    """A file name as str that JSON can carry, whatever its bytes."""
    return name.decode("utf-8", "surrogateescape")


def raw(name):
    """The bytes of a file name from `text`."""
    return name.encode("utf-8", "surrogateescape")


def printable(name):
    """A name from `text` as people may see it, in one line."""
    shown = raw(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)


@functools.lru_cache(maxsize=4096)
def user_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


@functools.lru_cache(maxsize=4096)
def group_name(gid):
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def metadata(info):
    """What an entry's inode says, in the words of the manifest."""
    kind = type_of(info.st_mode)
    entry = {
        "type": kind,
        "size": info.st_size if kind == "file" else 0,
        "mode": "%04o" % stat.S_IMODE(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
        "mtime_ns": info.st_mtime_ns,
    }
    if kind in ("chardev", "blockdev"):
        entry["device"] = info.st_rdev
    return entry


# Set by the kernel or by the policy of the host where a file lies, not by who made the file.
_OF_THE_HOST = frozenset(("security.selinux", "security.ima", "security.evm"))


def xattrs(path):
    """SHA-256 (hex) of each extended attribute by name: ACLs and capabilities are among them. Raises OSError."""
    names = os.listxattr(path, follow_symlinks=False)
    if not names:
        return {}
    names = set(names) - _OF_THE_HOST
    return {
        text(os.fsencode(name)): hashlib.sha256(os.getxattr(path, name, follow_symlinks=False)).hexdigest()
        for name in sorted(names)
    }


def content(path, kind, tick):
    """What an entry holds: `sha256` of a file, `target` of a link. Raises OSError."""
    if kind == "file":
        return {"sha256": digest(path, tick)}
    return {"target": text(os.readlink(path))} if kind == "symlink" else {}
