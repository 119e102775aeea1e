# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How busy the disks are, and how long requests wait for them; the worst disk decides."""

from __future__ import annotations

import collections
import os
import re
from fnmatch import fnmatchcase

from ..counters import window
from ..family import (
    BY_SEVERITY,
    OK,
    NotThereError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    span,
    threshold,
    told,
    worst,
)

NO_DISK = re.compile(r"(sr|fd)\d+")  # drives for discs and diskettes
WRAP_MS = 2**32  # the kernel keeps milliseconds in 32 bits, which is 50 days

Use = collections.namedtuple("Use", "busy_percent latency_s requests")
Verdict = collections.namedtuple("Verdict", "disk status words perfdata use")


def parse(text):
    """disk -> [requests done, ms they took together, ms in which the disk was busy, requests now waiting] of
    /proc/diskstats (Documentation/admin-guide/iostats.rst).
    """
    found = {}
    for line in text.splitlines():
        fields = line.split()
        numbers = [int(field) for field in fields[3:14]]
        if len(numbers) == 11:
            found[fields[2]] = [numbers[0] + numbers[4], numbers[3] + numbers[7], numbers[9], numbers[8]]
    return found


def use(before, after, seconds):
    """The Use of a disk between two of its readings; None when its counters began again."""
    requests = after[0] - before[0]
    if requests < 0:
        return None
    waited_ms, busy_ms = ((new - old) % WRAP_MS for new, old in zip(after[1:3], before[1:3]))
    busy = min(100.0, busy_ms / (10.0 * seconds))
    return Use(round(busy, 1), round(waited_ms / 1000.0 / requests, 6) if requests else 0.0, requests)


def chosen(names, patterns):
    """The disks to look at: those that match a pattern or, without any, all that are hardware of their own."""
    if patterns:
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return [
        name
        for name in names
        if os.path.exists("/sys/block/%s/device" % name.replace("/", "!")) and not NO_DISK.fullmatch(name)
    ]


def verdict(disk, measured, stuck, spec):
    thresholds, latency_thresholds = (spec["warn"], spec["crit"]), (spec["latency_warn"], spec["latency_crit"])
    statuses = judge(measured.busy_percent, *thresholds), judge(measured.latency_s, *latency_thresholds)
    words = "%s %.0f%% busy%s" % (disk, measured.busy_percent, limits(statuses[0], *thresholds))
    if measured.requests:
        words += ", %.1f ms a request%s" % (1000 * measured.latency_s, limits(statuses[1], *latency_thresholds))
    elif stuck:
        words += ", %d requests wait and none was done" % stuck
    data = [
        perf(disk + " busy", measured.busy_percent, "%", thresholds, (0, 100)),
        perf(disk + " latency", measured.latency_s, "s", latency_thresholds, (0,)),
    ]
    return Verdict(disk, worst(statuses), words, data, measured)


def run(spec, context):
    def read():
        with open("/proc/diskstats", encoding="ascii", errors="replace") as file:
            everything = parse(file.read())
        return {name: everything[name] for name in chosen(everything, spec["devices"])}

    seen = window(read, spec["sample"], context)
    if not seen.after:
        raise NotThereError("no disk to look at", "correct devices, or remove the check")
    verdicts = []
    for disk, after in seen.after.items():
        before = seen.before.get(disk, ())
        measured = use(before, after, seen.seconds) if len(before) == len(after) else None
        verdicts += [verdict(disk, measured, after[3], spec)] if measured else []
    if not verdicts:
        return finding(OK, "the counters of all disks began again; there is nothing to compare with yet", unit="%")
    verdicts.sort(key=lambda each: (-BY_SEVERITY.index(each.status), -each.use.busy_percent, each.disk))
    message = "%s (over %s)" % (told(verdicts, "%d disks, busiest "), span(seen.seconds))
    data = " ".join(item for each in verdicts for item in each.perfdata)
    return finding(verdicts[0].status, message, verdicts[0].use.busy_percent, "%", data)


FAMILY = family(
    "disk_io",
    "resources",
    "share of time in which each disk was busy, and how long a request took",
    {
        "devices": key("list", "names or patterns of block devices, instead of all disks", ()),
        "warn": threshold("percent", "share of time in which the disk was busy", "95%"),
        "crit": threshold("percent", "share of time in which the disk was busy"),
        "latency_warn": threshold("duration", "how long a request took, on average", "200ms"),
        "latency_crit": threshold("duration", "how long a request took, on average"),
        "sample": key("seconds", "how long to measure where no earlier round is known", "500ms"),
    },
    run,
    target=lambda spec: ", ".join(spec["devices"]),
)
