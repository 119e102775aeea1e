# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Swap space in use."""

from __future__ import annotations

from ..family import OK, family, finding, judge, limits, perf, size, threshold


def run(spec, context):
    swap = context.psutil.swap_memory()
    if not swap.total:
        return finding(OK, "no swap space", 0, "%")
    used = round(100.0 * swap.used / swap.total, 1)
    warn, crit = spec["warn"], spec["crit"]
    status = judge(used, warn, crit)
    message = "swap %.0f%% used%s, %s of %s" % (used, limits(status, warn, crit), size(swap.used), size(swap.total))
    return finding(status, message, used, "%", perf("used", used, "%", (warn, crit), (0, 100)))


FAMILY = family(
    "swap",
    "resources",
    "used swap space; a host without swap is fine",
    {
        "warn": threshold("percent", "used share", "60%"),
        "crit": threshold("percent", "used share", "90%"),
    },
    run,
    needs_psutil=True,
)
