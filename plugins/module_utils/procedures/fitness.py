# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a host is fit for maintenance: room on its disks, and nobody who backs it up at this moment."""

from __future__ import annotations

import os
import time

from ..flocks import is_held
from .base import ProcedureError


def require_fit(state, free_bytes, patience_s, clock=time.monotonic, sleep=time.sleep):
    """Raise ProcedureError (no_space, locked) unless maintenance may begin. `free_bytes` maps directories to bytes."""
    for directory, wanted in sorted(free_bytes.items()):
        room = os.statvfs(directory)
        free = room.f_bavail * room.f_frsize
        if free < int(wanted):
            text = "{0} has {1} MiB free, and {2} MiB are wanted. Nothing was done. Make room there first."
            raise ProcedureError("no_space", text.format(directory, free >> 20, int(wanted) >> 20))
    until = clock() + patience_s
    while True:
        busy = _held(state)
        if not busy:
            return
        if clock() >= until:
            text = "a backup or restore of this host is at work (it holds {0}). Nothing was done. Wait for it."
            raise ProcedureError("locked", text.format(busy))
        sleep(0.5)


def _held(state):
    """The path of a lock of backups that somebody holds, or None."""
    directory = os.path.join(state.directory, "locks")
    names = os.listdir(directory) if os.path.isdir(directory) else []
    for name in sorted(names):
        if name == "maintenance.lock":
            continue
        path = os.path.join(directory, name)
        if is_held(path):
            return path
    return None
