# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""File descriptors: how many the system has in use, and which process is closest to its own limit."""

from __future__ import annotations

import collections
import os
import re

from ..everybody import are_hidden
from ..family import family, finding, judge, limits, perf, threshold, worst

OPEN_FILES = re.compile(r"^Max open files +(\d+)", re.MULTILINE)

Holder = collections.namedtuple("Holder", "name pid used limit")


def kernel_counts():
    """Whether the kernel tells everybody how many descriptors a process has (6.2), or who may look inside counts."""
    return os.stat("/proc/self/fd").st_size > 0


def holder(pid, counted):
    """The Holder of a process. OSError when it is gone or not ours to see."""
    with open("/proc/%s/limits" % pid, encoding="ascii", errors="replace") as file:
        limit = OPEN_FILES.search(file.read())
    with open("/proc/%s/comm" % pid, encoding="utf-8", errors="replace") as file:
        name = file.read().strip()
    folder = "/proc/%s/fd" % pid
    used = os.stat(folder).st_size if counted else len(os.listdir(folder))
    return Holder(name, int(pid), used, int(limit.group(1)) if limit else 0)


def look(pids):
    """(Holders, how many processes could not be read)."""
    holders, unread, counted = [], 0, kernel_counts()
    for pid in pids:
        try:
            holders.append(holder(pid, counted))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        except OSError:
            unread += 1
    return holders, unread


def fullest(holders):
    """(Holder, percent) of the one closest to its limit, or None.

    Who has more open than allowed lowered the limit afterwards, so as to open nothing more: a sandbox, no fault.
    """
    shares = [(100.0 * one.used / one.limit, one) for one in holders if one.limit and one.used <= one.limit]
    if not shares:
        return None
    share, one = max(shares)
    return one, round(share, 1)


def run(spec, _context):
    with open("/proc/sys/fs/file-nr", encoding="ascii") as file:
        used, _free, most = (int(number) for number in file.read().split())
    share = round(100.0 * used / most, 1)
    holders, unread = look([name for name in os.listdir("/proc") if name.isdigit()])
    thresholds, of_process = (spec["warn"], spec["crit"]), (spec["process_warn"], spec["process_crit"])
    statuses = [judge(share, *thresholds)]
    words = ["%d of %d file handles in use%s" % (used, most, limits(statuses[0], *thresholds))]
    data = [perf("used", share, "%", thresholds, (0, 100)), perf("handles", used, "", bounds=(0, most))]
    closest = fullest(holders)
    if closest:
        one, percent = closest
        statuses.append(judge(percent, *of_process))
        crossed = limits(statuses[1], *of_process)
        words.append("%s (pid %d) has %d of its %d open%s" % (one.name, one.pid, one.used, one.limit, crossed))
        data.append(perf("process", percent, "%", of_process, (0, 100)))
    if unread:
        words.append("%d processes could not be read" % unread)
    elif are_hidden():
        words.append("those of other users are hidden")
    return finding(worst(statuses), ", ".join(words), share, "%", " ".join(data))


FAMILY = family(
    "descriptors",
    "resources",
    "file handles in use of the system's most, and the process that is closest to its own limit of open files",
    {
        "warn": threshold("percent", "share of the system's file handles", "80%"),
        "crit": threshold("percent", "share of the system's file handles", "95%"),
        "process_warn": threshold("percent", "share of its own limit that a process has open", "80%"),
        "process_crit": threshold("percent", "share of its own limit that a process has open", "95%"),
    },
    run,
)
