# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lock files that go when nobody needs them any more: taking one, and whether a process holds it."""

from __future__ import annotations

import fcntl
import os


def hold(path, how):
    """A descriptor of the lock file, which is made when it is not there, with a flock (`how`) on it.

    Who holds it exclusively may remove it. A lock on what was removed since it was opened is one that nobody else ever
    asks for, so it is opened again. Raises BlockingIOError when `how` does not wait and somebody holds it.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, how)
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_at(fd, path):
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def is_held(path):
    """Whether anybody holds a flock on the file. Raises FileNotFoundError when it is not there."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
