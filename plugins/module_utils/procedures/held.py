# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that processes hold open, found in /proc: what was deleted frees its space only when they let go."""

from __future__ import annotations

import os
import re
from collections import namedtuple

DELETED = " (deleted)"
WRITING = os.O_WRONLY | os.O_RDWR
_UNIT = re.compile(r"/([^/]+\.(?:service|scope|socket|mount|swap))(?=/|$)", re.MULTILINE)
_MAPPED = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .*" + re.escape(DELETED) + "$", re.MULTILINE)

# path: as the kernel has it, a str as of os.fsdecode; handle: its file in /proc; writing: whether it is open for that
Open = namedtuple("Open", "pid path handle writing")
# inode: (device, number); size_bytes: on disk
Deleted = namedtuple("Deleted", "pid path inode size_bytes")


def open_files(proc="/proc"):
    """Yield an Open for each file that has, or had, a name, and is open or mapped in a process that we may see."""
    for pid in filter(str.isdigit, os.listdir(proc)):
        folder = os.path.join(proc, pid)
        handles = [os.path.join(folder, "fd", number) for number in _names(os.path.join(folder, "fd"))]
        mapped = [os.path.join(folder, "map_files", "-".join(part)) for part in _MAPPED.findall(_read(folder, "maps"))]
        for handle in handles + mapped:
            try:
                path = os.readlink(handle)
            except OSError:
                continue  # closed meanwhile
            if path.startswith("/"):
                yield Open(int(pid), path, handle, handle in handles and _is_writing(folder, os.path.basename(handle)))


def deleted_files(files):
    """A Deleted for each of `files` (Opens) that has no name any more, one for each process and file."""
    found = {}
    for one in files:
        if one.path.endswith(DELETED):
            try:
                info = os.stat(one.handle)
            except OSError:
                continue
            if info.st_nlink == 0:
                inode, path = (info.st_dev, info.st_ino), one.path[: -len(DELETED)]
                found[one.pid, inode] = Deleted(one.pid, path, inode, info.st_blocks * 512)
    return list(found.values())


def holder(pid):
    """A process as people know it: program, pid and, where systemd keeps it, its unit."""
    unit = unit_of(pid)
    return "{0} (pid {1}{2})".format(_read("/proc/{0}".format(pid), "comm").strip() or "?", pid, unit and ", " + unit)


def unit_of(pid):
    """The systemd unit that a process belongs to, or an empty text."""
    units = _UNIT.findall(_read("/proc/{0}".format(pid), "cgroup"))
    return units[-1] if units else ""


def _is_writing(folder, number):
    flags = re.search(r"^flags:\s*([0-7]+)$", _read(folder, "fdinfo/" + number), re.MULTILINE)
    return bool(flags and int(flags.group(1), 8) & WRITING)


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []  # it ended meanwhile, or is not ours to see


def _read(folder, name):
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
