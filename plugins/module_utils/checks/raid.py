# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Arrays of Linux software RAID (md): missing members, rebuilds and checks that run."""

from __future__ import annotations

import collections
import re

from ..family import (
    BY_SEVERITY,
    CRITICAL,
    GRADES,
    OK,
    WARNING,
    CannotLookError,
    NotThereError,
    family,
    finding,
    grade,
    judge,
    limits,
    perf,
    threshold,
    worst,
)

MDSTAT = "/proc/mdstat"
HEAD = re.compile(r"(md\S*) : (\S+)(.*)")
MEMBERS = re.compile(r"\[(\d+)/(\d+)\] \[[U_]+\]")
PROGRESS = re.compile(r"(resync|recovery|reshape|check|repair)\s*=\s*([\d.]+%|DELAYED|PENDING|REMOTE)")
# Disks that the firmware groups (Intel's, DDF): md calls them inactive, what is on them are arrays of their own.
CONTAINER = re.compile(r"super external:(?!/)")
FINISH = re.compile(r"finish=([\d.]+)min")

# `work` is what md does with it at the moment (None, recovery, resync, check, …), `progress` how far that is.
Array = collections.namedtuple("Array", "name state missing faulty work progress finish_min")
Verdict = collections.namedtuple("Verdict", "status words array")


def parse(text):
    """The Arrays of /proc/mdstat (md(4))."""
    arrays = []
    for line in text.splitlines():
        head, members = HEAD.match(line), MEMBERS.search(line)
        work, finish = PROGRESS.search(line), FINISH.search(line)
        if CONTAINER.search(line) and arrays:
            del arrays[-1]
        elif head:
            state = "broken" if " broken" in head.group(3) else head.group(2)
            arrays.append(Array(head.group(1), state, 0, re.findall(r"(\S+)\[\d+\]\S*\(F\)", line), None, None, None))
        elif arrays and members:
            arrays[-1] = arrays[-1]._replace(missing=int(members.group(1)) - int(members.group(2)))
        elif arrays and work:
            finish_min = float(finish.group(1)) if finish else None
            arrays[-1] = arrays[-1]._replace(work=work.group(1), progress=work.group(2), finish_min=finish_min)
    return arrays


def verdict(array, spec):
    words, statuses = [], [OK]
    if array.state.partition("(")[0] != "active":
        statuses.append(CRITICAL)
        words.append("is " + array.state)
    if array.missing:
        rebuilt = array.work == "recovery" and array.progress.endswith("%")
        thresholds = spec["warn"], spec["crit"]
        statuses.append(GRADES[spec["rebuilding"]] if rebuilt else judge(array.missing, *thresholds))
        crossed = "" if rebuilt else limits(statuses[-1], *thresholds)
        words.append("lacks %d of its members%s" % (array.missing, crossed))
    if array.faulty:
        statuses.append(WARNING)
        words.append("has thrown out " + ", ".join(array.faulty))
    if array.work:
        words.append("%s %s" % (array.work, array.progress))
        words += ["%.0f min to go" % array.finish_min] if array.finish_min is not None else []
    return Verdict(worst(statuses), "%s %s" % (array.name, ", ".join(words)) if words else "", array)


def run(spec, _context):
    try:
        with open(MDSTAT, encoding="utf-8", errors="replace") as file:
            arrays = parse(file.read())
    except FileNotFoundError as error:
        raise NotThereError("the kernel has no software RAID (no %s)" % MDSTAT, "remove the check") from error
    except OSError as error:
        raise CannotLookError("%s: %s" % (MDSTAT, error.strerror)) from error
    if not arrays:
        raise NotThereError("there is no software RAID array", "remove the check, or assemble the array")
    verdicts = sorted((verdict(array, spec) for array in arrays), key=lambda each: -BY_SEVERITY.index(each.status))
    missing = sum(array.missing for array in arrays)
    words = [each.words for each in verdicts if each.words]
    if verdicts[0].status == OK:
        words.insert(0, "%d arrays, all complete" % len(arrays) if len(arrays) > 1 else arrays[0].name + " is complete")
    data = [perf(array.name + " missing", array.missing, "", (spec["warn"], spec["crit"]), (0,)) for array in arrays]
    return finding(verdicts[0].status, "; ".join(words), missing, "", " ".join(data))


FAMILY = family(
    "raid",
    "resources",
    "Linux software RAID arrays (md): missing and faulty members, rebuilds and checks that run",
    {
        "warn": threshold("count", "members that an array lacks and that nothing rebuilds"),
        "crit": threshold("count", "members that an array lacks and that nothing rebuilds", "0"),
        "rebuilding": grade("what an array is that is being rebuilt"),
    },
    run,
)
