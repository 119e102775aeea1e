# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counters of the kernel that only grow, read twice: now, and in the last recorded round or a moment ago."""

from __future__ import annotations

import collections
import time

SHORTEST_S, LONGEST_S = 1, 86400
BOOT_ID = "/proc/sys/kernel/random/boot_id"

# `before` and `after` map a name to a list of whole numbers; `seconds` is what lies between them.
Window = collections.namedtuple("Window", "before after seconds")


def window(read, sample_s, context):
    """The Window since the last recorded round, or else over a sample taken now.

    A bookmark counts only from this boot and the last day; the clock of the comparison is the one that never steps.
    """
    boot, at = boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME)
    before = recalled(context.bookmark, boot, at)
    if before is None:
        before = at, read()
        time.sleep(min(sample_s, context.limit_s * 0.8))
    after, now = read(), time.clock_gettime(time.CLOCK_BOOTTIME)
    context.leave({"boot": boot, "at": now, "counters": after})
    return Window(before[1], after, now - before[0])


def recalled(bookmark, boot, now):
    """(at, counters) of a bookmark that can be compared with the readings of now, else None."""
    if not isinstance(bookmark, dict) or bookmark.get("boot") != boot:
        return None
    at, counters = bookmark.get("at"), bookmark.get("counters")
    if not isinstance(at, (int, float)) or not SHORTEST_S <= now - at <= LONGEST_S:
        return None
    whole = isinstance(counters, dict) and all(
        isinstance(numbers, list) and all(isinstance(number, int) for number in numbers)
        for numbers in counters.values()
    )
    return (at, counters) if whole else None


def grown(window):
    """name -> by how much each of its counters grew; without what is new or gone, and what began again at zero."""
    found = {}
    for name, after in window.after.items():
        before = window.before.get(name, ())
        growth = [new - old for new, old in zip(after, before)]
        if len(before) == len(after) and min(growth, default=0) >= 0:
            found[name] = growth
    return found


def boot_id():
    """What tells one boot of the host from the next."""
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
