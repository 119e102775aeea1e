# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose locks a restic repository holds, and whether `restic unlock` may be let loose on them.

restic takes a lock as stale that was not refreshed for half an hour, or whose process on the same host is gone. To find
out the latter it sends SIGHUP to that process id: after a restart that may be anybody's, whom the signal may end.
Nothing here runs anything.
"""

from __future__ import annotations

import datetime
import json
from collections import namedtuple

from .restic_words import utc

STALE_AFTER_S = 1800

# What is known of a lock: nobody can read it; its process lives; it lives on another host, where it cannot be asked;
# it is left over; its process id is another program's by now.
UNREADABLE, LIVING, FOREIGN, STALE, REUSED = "unreadable", "living", "foreign", "stale", "reused"

# age_s: since the last refresh
Lock = namedtuple("Lock", "host pid user exclusive age_s")


def lock_of(text, now):
    """The Lock that `restic cat lock` told of; `now` in seconds since the epoch."""
    told = json.loads(text)
    refreshed = datetime.datetime.strptime(utc(told["time"])[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z").timestamp()
    return Lock(told["hostname"], told["pid"], told.get("username") or "?", bool(told["exclusive"]), now - refreshed)


def state_of(lock, own_host, program_of):
    """What is known of a lock, None for an unreadable one. `program_of(pid)` is None without such a process."""
    if lock is None:
        return UNREADABLE
    if lock.age_s > STALE_AFTER_S:
        return STALE
    if lock.host != own_host:
        return FOREIGN
    program = program_of(lock.pid)
    if program is None:
        return STALE
    return LIVING if program.startswith("restic") else REUSED


def may_unlock(states):
    """Whether `restic unlock` has something to remove, and nobody to hit who has nothing to do with it."""
    return STALE in states and REUSED not in states


def in_words(lock, state):
    """One lock for the person on call."""
    if state == UNREADABLE:
        return _HINTS[UNREADABLE]
    text = "{0} (pid {1}, {2}) holds {3} lock, last refreshed {4:.0f} s ago.".format(
        lock.host, lock.pid, lock.user, "an exclusive" if lock.exclusive else "a shared", lock.age_s
    )
    return text + _HINTS.get(state, "")


_HINTS = {
    UNREADABLE: (
        "A lock cannot be read: its host died while it wrote it. When nothing works with the repository, remove it by "
        "hand: restic unlock --remove-all."
    ),
    FOREIGN: (
        " Only that host knows whether it still works; without a refresh for half an hour the lock is cleared. When "
        "the host is certainly gone, or its clock was in the future, remove it by hand: restic unlock --remove-all."
    ),
    REUSED: (
        " That process is another program by now: the lock is from before a restart, and is cleared half an hour after "
        "its last refresh."
    ),
}
