# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at what lies below one directory and removes some of it, and never anything that lies elsewhere.

Whoever owns the directory may rename things and put links in their place while we work. So every name is looked up in a
directory that is held open (openat(2) and its like), no link is followed, no mount is crossed (the kernel says for each
open directory which mount it belongs to), and what is removed is first compared with what was seen. Paths are bytes.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections import namedtuple

# folder: the names from the directory down to where it lies; used_at: when it was last read or written (written_at),
# whichever is later; seen: what must not have changed when it is removed
File = namedtuple("File", "folder name used_at written_at size_bytes inode links seen")
# names: how many were removed; freed_bytes: by them; inodes: which of them had no further name
Removed = namedtuple("Removed", "names freed_bytes inodes")

DEEPEST = 200  # every level holds a descriptor
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # it is there no more, or a link is
KINDS = (stat.S_IFREG, stat.S_IFLNK)


class Confined:
    """The directory at `path`. `left` fills with (path, why) of what could not be looked at or removed.

    Raises OSError: when one of the names on the way is a link, ELOOP or ENOTDIR.
    """

    def __init__(self, path):
        self.path = path
        self.left = []
        self._fd = os.open(b"/", DIRECTORY)
        try:
            for name in path.strip(b"/").split(b"/"):
                self._fd = _replaced(self._fd, os.open(name, DIRECTORY, dir_fd=self._fd))
            self.mount = mount_of(self._fd)
            self._device = os.fstat(self._fd).st_dev
        except BaseException:
            os.close(self._fd)
            raise

    def close(self):
        os.close(self._fd)

    def files(self, tick, deep=True):
        """Yield a File for every regular file and link below, or with `deep` False only for those that lie right here.

        `tick` is called for each, and may raise to stop.
        """
        with _closing(os.dup(self._fd)) as fd:
            yield from self._files(fd, (), tick, deep)

    def remove(self, files, empty_folders, tick):
        """Remove those of `files` that are still as they were seen; returns Removed.

        With `empty_folders`, directories that this leaves empty go as well.
        """
        names, freed_bytes, inodes = 0, 0, set()
        by_folder = sorted(files, key=lambda one: one.folder)
        for folder, group in itertools.groupby(by_folder, key=lambda one: one.folder):
            fd = self.open_folder(folder)
            if fd is None:
                continue
            with _closing(fd):
                for one in group:
                    tick()
                    info = self._removed(fd, one)
                    if info is None:
                        continue
                    names += 1
                    if info.st_nlink == 1:
                        freed_bytes += one.size_bytes
                        inodes.add(one.inode)
        if empty_folders:
            freed_bytes += self._remove_empty({one.folder for one in files})
        return Removed(names, freed_bytes, inodes)

    def _files(self, fd, folder, tick, deep):
        for name in map(os.fsencode, os.listdir(fd)):
            tick()
            info = _look(fd, name)
            if info is None:
                continue
            if stat.S_ISDIR(info.st_mode):
                child = self._enter(fd, (*folder, name)) if deep else None
                if child is not None:
                    with _closing(child):
                        yield from self._files(child, (*folder, name), tick, deep)
            elif stat.S_IFMT(info.st_mode) in KINDS:
                used_at = max(info.st_atime, info.st_mtime)
                inode = info.st_dev, info.st_ino
                yield File(folder, name, used_at, info.st_mtime, info.st_blocks * 512, inode, info.st_nlink, seen(info))

    def _enter(self, fd, folder):
        """A descriptor of the directory `folder[-1]` in `fd`, or None when it is not to be entered."""
        if len(folder) > DEEPEST:
            self._leave(folder, "lies too deep")
            return None
        try:
            child = os.open(folder[-1], DIRECTORY, dir_fd=fd)
        except OSError as error:
            if error.errno not in GONE:
                self._leave(folder, error.strerror)
            return None
        if mount_of(child) != self.mount or os.fstat(child).st_dev != self._device:
            os.close(child)
            return None
        return child

    def open_folder(self, folder):
        """A descriptor of a folder, or None when it is there no more."""
        fd = os.dup(self._fd)
        for depth in range(len(folder)):
            child = self._enter(fd, folder[: depth + 1])
            os.close(fd)
            if child is None:
                return None
            fd = child
        return fd

    def _removed(self, fd, one):
        """What the file was just before it was removed, or None when it was not."""
        info = _look(fd, one.name)
        if info is None or seen(info) != one.seen:
            return None
        try:
            os.unlink(one.name, dir_fd=fd)
        except OSError as error:
            if error.errno not in GONE:
                self._leave((*one.folder, one.name), error.strerror)
            return None
        return info

    def _remove_empty(self, folders):
        """Remove those of `folders`, and of those above them, that are empty; returns what that freed."""
        freed_bytes = 0
        candidates = {folder[:depth] for folder in folders for depth in range(1, len(folder) + 1)}
        for folder in sorted(candidates, key=len, reverse=True):
            fd = self.open_folder(folder[:-1])
            if fd is None:
                continue
            with _closing(fd):
                info = _look(fd, folder[-1])
                with contextlib.suppress(OSError):  # it is not empty, or not there
                    os.rmdir(folder[-1], dir_fd=fd)
                    freed_bytes += info.st_blocks * 512 if info else 0
        return freed_bytes

    def _leave(self, folder, why):
        self.left.append((b"/".join((self.path, *folder)), why))


def mount_of(fd):
    """The id of the mount that an open directory belongs to, as in /proc/self/mountinfo."""
    with open("/proc/self/fdinfo/{0}".format(fd), encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("mnt_id:"))


def _look(fd, name):
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return None


def seen(info):
    return info.st_dev, info.st_ino, info.st_mode, info.st_mtime_ns, info.st_atime_ns


def _replaced(old, new):
    os.close(old)
    return new


@contextlib.contextmanager
def _closing(fd):
    try:
        yield fd
    finally:
        os.close(fd)
