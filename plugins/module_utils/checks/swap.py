# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Swap space in use, and how much goes in and out of it: what lies there quietly slows nobody down."""

from __future__ import annotations

from ..counters import grown, window
from ..family import OK, family, finding, judge, key, limits, perf, size, span, threshold, worst


def paged(text):
    """[pages read from swap, pages written to it] since boot, from /proc/vmstat."""
    fields = dict(line.split(" ", 1) for line in text.splitlines())
    return [int(fields.get("pswpin", 0)), int(fields.get("pswpout", 0))]


def read():
    with open("/proc/vmstat", encoding="ascii") as file:
        return {"pages": paged(file.read())}


def run(spec, context):
    swap = context.psutil.swap_memory()
    if not swap.total:
        return finding(OK, "no swap space", 0, "%")
    seen = window(read, spec["sample"], context)
    rates = [pages / seen.seconds for pages in grown(seen).get("pages", (0, 0))]
    used, rate = round(100.0 * swap.used / swap.total, 1), sum(rates)
    thresholds, rate_thresholds = (spec["warn"], spec["crit"]), (spec["rate_warn"], spec["rate_crit"])
    statuses = judge(used, *thresholds), judge(rate, *rate_thresholds)
    message = "swap %.0f%% used%s, %s of %s, %.0f pages/s in and out over %s%s" % (
        used,
        limits(statuses[0], *thresholds),
        size(swap.used),
        size(swap.total),
        rate,
        span(seen.seconds),
        limits(statuses[1], *rate_thresholds),
    )
    data = [perf("used", used, "%", thresholds, (0, 100)), perf("pages_per_s", rate, "", rate_thresholds, (0,))]
    data += [perf(label, each, "", bounds=(0,)) for label, each in zip(("in_per_s", "out_per_s"), rates)]
    return finding(worst(statuses), message, used, "%", " ".join(data))


FAMILY = family(
    "swap",
    "resources",
    "used swap space and the pages that go in and out; a host without swap is fine",
    {
        "warn": threshold("percent", "used share", "90%"),
        "crit": threshold("percent", "used share"),
        "rate_warn": threshold("rate", "pages read from swap and written to it", "1000/s"),
        "rate_crit": threshold("rate", "pages read from swap and written to it"),
        "sample": key("seconds", "how long to measure where no earlier round is known", "500ms"),
    },
    run,
    needs_psutil=True,
)
