# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How busy the processors are and with what, over a short sample."""

from __future__ import annotations

import collections
import os
import time

from ..family import family, finding, judge, key, limits, perf, threshold, worst

PARTS = {"user": ("user", "nice"), "system": ("system", "irq", "softirq"), "iowait": ("iowait",), "steal": ("steal",)}

Shares = collections.namedtuple("Shares", "busy user system iowait steal")


def shares(before, after, own):
    """Shares in percent between two `cpu_times`, without what looking itself took (two `os.times`)."""
    spent = {name: max(0.0, getattr(after, name) - getattr(before, name)) for name in after._fields}
    parts = {part: sum(spent.get(name, 0.0) for name in names) for part, names in PARTS.items()}
    # Linux counts `guest` and `guest_nice` in user and nice as well, so the whole is only these and `idle`.
    total = spent["idle"] + sum(parts.values())
    if not total:
        return Shares(0.0, 0.0, 0.0, 0.0, 0.0)
    for part in ("user", "system"):
        parts[part] = max(0.0, parts[part] - (getattr(own[1], part) - getattr(own[0], part)))
    parts["busy"] = parts["user"] + parts["system"] + parts["steal"]
    return Shares(**{part: round(100.0 * seconds / total, 1) for part, seconds in parts.items()})


def run(spec, context):
    before, own_before = context.psutil.cpu_times(), os.times()
    time.sleep(min(spec["sample"], context.limit_s * 0.8))
    measured = shares(before, context.psutil.cpu_times(), (own_before, os.times()))
    statuses, words, data = [], [], []
    for part, prefix, label in (
        ("busy", "", "processors %.0f%% busy%s"),
        ("user", None, "%.0f%% user%s"),
        ("system", None, "%.0f%% system%s"),
        ("iowait", "iowait_", "%.0f%% waiting for disks%s"),
        ("steal", "steal_", "%.0f%% stolen%s"),
    ):
        share = getattr(measured, part)
        thresholds = (None, None) if prefix is None else (spec[prefix + "warn"], spec[prefix + "crit"])
        status = judge(share, *thresholds)
        statuses.append(status)
        words.append(label % (share, limits(status, *thresholds)))
        data.append(perf(part, share, "%", thresholds, (0, 100)))
    message = "%s on %d cores: %s" % (words[0], os.cpu_count() or 1, ", ".join(words[1:]))
    return finding(worst(statuses), message, measured.busy, "%", " ".join(data))


FAMILY = family(
    "cpu",
    "resources",
    "share of processor time in use, without waiting for disks and without what the check itself uses",
    {
        "warn": threshold("percent", "busy share", "90%"),
        "crit": threshold("percent", "busy share"),
        "iowait_warn": threshold("percent", "share in which they were idle and waited for disks"),
        "iowait_crit": threshold("percent", "share in which they were idle and waited for disks"),
        "steal_warn": threshold("percent", "share that the hypervisor gave to others"),
        "steal_crit": threshold("percent", "share that the hypervisor gave to others"),
        "sample": key("seconds", "how long to measure", "500ms"),
    },
    run,
    needs_psutil=True,
)
