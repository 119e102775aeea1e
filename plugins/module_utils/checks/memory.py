# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Memory that is in use, as far as it cannot be had back without swapping."""

from __future__ import annotations

from ..family import family, finding, judge, limits, perf, size, threshold


def run(spec, context):
    memory = context.psutil.virtual_memory()
    used = round(100.0 * (memory.total - memory.available) / memory.total, 1)
    warn, crit = spec["warn"], spec["crit"]
    status = judge(used, warn, crit)
    message = "memory %.0f%% used%s, %s of %s available" % (
        used,
        limits(status, warn, crit),
        size(memory.available),
        size(memory.total),
    )
    data = perf("used", used, "%", (warn, crit), (0, 100))
    data += " " + perf("available", memory.available, "B", bounds=(0, memory.total))
    return finding(status, message, used, "%", data)


FAMILY = family(
    "memory",
    "resources",
    "used memory, reckoned from what the kernel says is available",
    {
        "warn": threshold("percent", "used share", "90%"),
        "crit": threshold("percent", "used share", "95%"),
    },
    run,
    needs_psutil=True,
)
