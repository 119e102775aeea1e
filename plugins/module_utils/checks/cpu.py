# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How busy the processors are, over a short sample."""

from __future__ import annotations

import os
import time

from ..family import family, finding, judge, key, limits, perf, threshold

IDLE = ("idle", "iowait")
COUNTED_TWICE = ("guest", "guest_nice")  # Linux counts these in user and nice as well


def shares(before, after, own_s):
    """(busy, iowait, steal) in percent between two `cpu_times`, without the `own_s` that looking itself took."""
    spent = {
        name: max(0.0, getattr(after, name) - getattr(before, name))
        for name in after._fields
        if name not in COUNTED_TWICE
    }
    total = sum(spent.values())
    if not total:
        return 0.0, 0.0, 0.0
    busy = total - sum(spent.get(name, 0.0) for name in IDLE)
    parts = (max(0.0, busy - own_s), spent.get("iowait", 0.0), spent.get("steal", 0.0))
    return tuple(round(100.0 * part / total, 1) for part in parts)


def run(spec, context):
    before, own = context.psutil.cpu_times(), time.process_time()
    time.sleep(min(spec["sample"], context.limit_s * 0.8))
    after, own = context.psutil.cpu_times(), time.process_time() - own
    busy, iowait, steal = shares(before, after, own)
    warn, crit = spec["warn"], spec["crit"]
    status = judge(busy, warn, crit)
    message = "processors %.0f%% busy%s on %d cores" % (busy, limits(status, warn, crit), os.cpu_count() or 1)
    if iowait >= 10 or steal >= 10:
        message += ", %.0f%% waiting for disks, %.0f%% stolen" % (iowait, steal)
    data = [perf("busy", busy, "%", (warn, crit), (0, 100)), perf("iowait", iowait, "%"), perf("steal", steal, "%")]
    return finding(status, message, busy, "%", " ".join(data))


FAMILY = family(
    "cpu",
    "resources",
    "share of processor time in use, without waiting for disks and without what the check itself uses",
    {
        "warn": threshold("percent", "busy share", "90%"),
        "crit": threshold("percent", "busy share"),
        "sample": key("seconds", "how long to measure", "500ms"),
    },
    run,
    needs_psutil=True,
)
