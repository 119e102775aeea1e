# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Zombies: processes that have ended and whose parents do not ask how."""

from __future__ import annotations

import collections
import contextlib
import os

from ..everybody import require_all
from ..family import CannotLookError, family, finding, judge, limits, perf, threshold

MOST_NAMED = 5

Process = collections.namedtuple("Process", "pid name state parent")


def parse(text):
    """A Process from /proc/<pid>/stat (proc_pid_stat(5)); its name may hold blanks and parentheses."""
    head, _bracket, tail = text.rpartition(")")
    pid, _bracket, name = head.partition(" (")
    state, parent = tail.split()[:2]
    return Process(int(pid), name, state, int(parent))


def processes():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            # It may end meanwhile.
            with contextlib.suppress(OSError), open("/proc/%s/stat" % name, "rb") as file:
                found.append(parse(file.read().decode("utf-8", "replace")))
    return found


def negligent(everything):
    """[(number of zombies, their parent in words)], the worst parent first."""
    names = {process.pid: process.name for process in everything}
    parents = collections.Counter(process.parent for process in everything if process.state == "Z")
    return [(count, "%s (pid %d)" % (names.get(pid, "?"), pid)) for pid, count in parents.most_common()]


def run(spec, _context):
    everything = processes()
    if not everything:
        raise CannotLookError("no process is visible", "check that /proc is mounted")
    require_all()
    parents = negligent(everything)
    count = sum(number for number, _parent in parents)
    thresholds = spec["warn"], spec["crit"]
    status = judge(count, *thresholds)
    words = "%d zombie%s%s" % (count, "" if count == 1 else "s", limits(status, *thresholds))
    if parents:
        words += ": " + ", ".join("%d of %s" % parent for parent in parents[:MOST_NAMED])
    if len(parents) > MOST_NAMED:
        words += " and those of %d more parents" % (len(parents) - MOST_NAMED)
    return finding(status, words, count, "", perf("zombies", count, "", thresholds, (0,)))


FAMILY = family(
    "zombies",
    "resources",
    "processes that have ended and whose parents do not ask how; each holds a process number",
    {
        "warn": threshold("count", "number of zombies", "10"),
        "crit": threshold("count", "number of zombies"),
    },
    run,
)
