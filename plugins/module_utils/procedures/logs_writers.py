# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who still writes to a log that was rotated or deleted: the space is not free, and what is written there is lost."""

from __future__ import annotations

import collections
import contextlib
import os
import time

from ..family import size
from .base import ProcedureError
from .held import DELETED, deleted_files, holder, open_files, unit_of
from .logrotate import log_of

PATIENCE_S = 5
WAYS = {"reload": ["systemctl", "reload"], "restart": ["systemctl", "restart"]}
SIGNALS = ("HUP", "USR1", "USR2")

Stale = collections.namedtuple("Stale", "pid path size_bytes deleted")


def faults(reopen):
    """What is wrong with roundsman_logs_reopen."""
    known = (*WAYS, *SIGNALS)
    return [
        "reopen: {0}: {1} is none of {2}".format(unit, how, ", ".join(known))
        for unit, how in reopen.items()
        if how not in known
    ]


def live_logs(logs):
    """What nothing is done to: paths that stanzas name, and paths and inodes that any process has open for writing.

    A process in a container has another path for the same file.
    """
    found = set(logs)
    for one in open_files():
        if one.writing:
            found.add(one.path)
            with contextlib.suppress(OSError):  # closed meanwhile
                info = os.stat(one.handle)
                found.add((info.st_dev, info.st_ino))
    return found


def stale_writers(logs, directories):
    """A Stale for each process and log that it should have let go of."""
    files = list(open_files())
    roots = tuple(directory.rstrip("/") + "/" for directory in directories)
    gone = [one for one in deleted_files(files) if one.path.startswith(roots)]
    found = {(one.pid, one.path): Stale(one.pid, one.path, one.size_bytes, True) for one in gone}
    for one in files:
        if one.writing and not one.path.endswith(DELETED) and log_of(one.path, logs):
            found[one.pid, one.path] = Stale(one.pid, one.path, _bytes(one.path), False)
    return sorted(found.values())


def see_that_writers_reopened(step, logs, directories, reopen):
    """Wait for writers, have units reopen their logs where `reopen` says how, and tell of those that did not."""
    stale = _patiently(step, logs, directories)
    ways = {unit_of(one.pid): reopen.get(unit_of(one.pid)) for one in stale}
    for unit, how in sorted(ways.items()):
        if how is None:
            continue
        argv = [*WAYS[how], unit] if how in WAYS else ["systemctl", "kill", "--signal=" + how, unit]
        if step.check_mode:
            step.plan(how, unit, None, "so that it lets go of old logs")
            continue
        with step.action(how, unit, None, "so that it lets go of old logs"):
            done = step.run(argv)
            if done.rc != 0:
                raise ProcedureError("procedure_failed", "`{0}` failed: {1}".format(" ".join(argv), done.err.strip()))
    if any(ways.values()) and not step.check_mode:
        stale = _patiently(step, logs, directories)
    for one in stale:
        step.warn(told(one))
    return stale


def told(one):
    """A Stale in words, with what a person may do."""
    unit = unit_of(one.pid)
    remedy = "end or restart it"
    if unit.endswith(".service"):
        remedy = "`systemctl restart {0}`, or see that its stanza has it reopen its log".format(unit)
    does, which = ("holds", "the deleted ") if one.deleted else ("still writes to", "")
    text = "{0} {1} {2}{3} ({4}): {5}"
    return text.format(holder(one.pid), does, which, one.path, size(one.size_bytes), remedy)


def _patiently(step, logs, directories):
    """The stale writers, once those that were just told to reopen had time to do so."""
    until = time.monotonic() + (0 if step.check_mode else PATIENCE_S)
    while True:
        stale = stale_writers(logs, directories)
        if not stale or time.monotonic() >= until:
            return stale
        step.tick()
        time.sleep(0.5)


def _bytes(path):
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0
