# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The locks of apt and dpkg: who holds them, and waiting for them."""

from __future__ import annotations

import fcntl
import os
import struct
import time

from ..engines.process import program_of
from .base import ProcedureError

LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
_POLL_S = 0.5
# struct flock: type, whence, start, length, pid. It is asked, never set: a lock held for a blink fails another's apt.
_FLOCK = "hhqqi4x"


def holder(path):
    """The pid of the process that holds the lock, 0 for one that cannot be seen from here, or None."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    finally:
        os.close(fd)
    kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else pid


def wait_for(step, patience_s, paths=LOCKS, clock=time.monotonic, sleep=time.sleep):
    """Return when nobody holds any of the locks. Raises ProcedureError(locked) that says who does."""
    until = clock() + patience_s
    while True:
        held = [(path, pid) for path, pid in ((path, holder(path)) for path in paths) if pid is not None]
        if not held:
            return
        if clock() >= until:
            path, pid = held[0]
            raise ProcedureError("locked", _HELD.format(program_of(pid) or "a process", pid, path, patience_s))
        step.tick()
        sleep(_POLL_S)


_HELD = "{0} (pid {1}) holds {2}, for longer than {3} s. No package was changed. See what it does, and wait for it."
