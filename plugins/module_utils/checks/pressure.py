# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pressure stall information (PSI): the share of time in which work stood still for want of something."""

from __future__ import annotations

import collections
import os

from ..family import BY_SEVERITY, OK, NotThereError, family, finding, judge, key, limits, perf, threshold

FOLDER = "/proc/pressure"
SPANS_S = (10, 60, 300)
# Of a whole host, `full` means nothing for processors (Documentation/accounting/psi.rst).
MEASURED = (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full"))
WORDS = {"some": "some tasks waited for %s", "full": "all tasks waited for %s"}
NAMES = {"cpu": "a processor", "memory": "memory", "io": "disks"}

Stall = collections.namedtuple("Stall", "status share words perfdata")


def parse(text):
    """ "some" or "full" -> {s: percent} of one file of /proc/pressure."""
    lines = [line.split() for line in text.splitlines()]
    return {
        fields[0]: {span_s: float(dict(pair.split("=") for pair in fields[1:])["avg%d" % span_s]) for span_s in SPANS_S}
        for fields in lines
        if fields
    }


def prefix(resource, kind):
    """How the threshold keys of a measurement begin."""
    return resource + ("_" if kind == "some" else "_full_")


def stall(averages, resource, kind, spec):
    thresholds = spec[prefix(resource, kind) + "warn"], spec[prefix(resource, kind) + "crit"]
    share = averages[spec["seconds"]]
    status = judge(share, *thresholds)
    words = "%s %.0f%% of the time%s" % (WORDS[kind] % NAMES[resource], share, limits(status, *thresholds))
    data = [
        perf(
            "%s %s avg%d" % (resource, kind, span_s),
            averages[span_s],
            "%",
            thresholds if span_s == spec["seconds"] else (None, None),
            (0, 100),
        )
        for span_s in SPANS_S
    ]
    return Stall(status, share, words, " ".join(data))


def read(resource):
    try:
        with open(os.path.join(FOLDER, resource), encoding="ascii") as file:
            return parse(file.read())
    except OSError as error:  # not built in, or built in and switched off
        raise NotThereError(
            "the kernel keeps no pressure stall information (%s)" % error.strerror,
            "boot it with psi=1 (Linux 4.20 and later), or remove the check",
        ) from error


def run(spec, _context):
    found = {resource: read(resource) for resource in NAMES}
    stalls = [stall(found[resource][kind], resource, kind, spec) for resource, kind in MEASURED]
    amiss = sorted(stalls, key=lambda each: (-BY_SEVERITY.index(each.status), -each.share))
    status = amiss[0].status
    shown = [each.words for each in amiss if each.status != OK] or [amiss[0].words]
    message = "%s (over %d s)" % (", ".join(shown), spec["seconds"])
    return finding(status, message, amiss[0].share, "%", " ".join(each.perfdata for each in stalls))


FAMILY = family(
    "pressure",
    "resources",
    "share of time in which work stood still for want of processors, memory or disks, as the kernel reckons it",
    {
        "seconds": key("int", "over how many seconds", 60, choices=SPANS_S),
        "cpu_warn": threshold("percent", "time in which a task waited for a processor", "90%"),
        "cpu_crit": threshold("percent", "time in which a task waited for a processor"),
        "memory_warn": threshold("percent", "time in which a task waited for memory", "20%"),
        "memory_crit": threshold("percent", "time in which a task waited for memory"),
        "memory_full_warn": threshold("percent", "time in which all tasks waited for memory", "10%"),
        "memory_full_crit": threshold("percent", "time in which all tasks waited for memory", "50%"),
        "io_warn": threshold("percent", "time in which a task waited for disks"),
        "io_crit": threshold("percent", "time in which a task waited for disks"),
        "io_full_warn": threshold("percent", "time in which all tasks waited for disks", "90%"),
        "io_full_crit": threshold("percent", "time in which all tasks waited for disks"),
    },
    run,
)
