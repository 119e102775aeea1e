# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The load average, by default per processor core."""

from __future__ import annotations

import os

from ..family import family, finding, judge, key, limits, perf, threshold

MINUTES = (1, 5, 15)


def run(spec, _context):
    averages = os.getloadavg()
    cores = os.cpu_count() or 1
    divisor = cores if spec["per_core"] else 1
    value = round(averages[MINUTES.index(spec["minutes"])] / divisor, 2)
    warn, crit = spec["warn"], spec["crit"]
    status = judge(value, warn, crit)
    words = "load %.2f%s over %d min%s" % (
        value,
        " per core" if spec["per_core"] else "",
        spec["minutes"],
        limits(status, warn, crit),
    )
    data = [perf("load", value, "", (warn, crit), (0,))]
    data += [perf("load%d" % minutes, averages[place], bounds=(0,)) for place, minutes in enumerate(MINUTES)]
    return finding(status, "%s, %d cores" % (words, cores), value, "", " ".join(data))


FAMILY = family(
    "load",
    "resources",
    "load average, per processor core unless `per_core` is false",
    {
        "warn": threshold("count", "load", "2"),
        "crit": threshold("count", "load", "4"),
        "minutes": key("int", "which average", 15, choices=MINUTES),
        "per_core": key("bool", "divide by the number of cores", True),
    },
    run,
)
