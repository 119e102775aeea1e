# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What caches hold that can be had back: archived journals and downloaded packages; and kernels that nobody boots."""

from __future__ import annotations

import os

from ..family import family, finding, judge, limits, perf, size, threshold
from .uptime import installed_kernels, kernel_order

JOURNALS = ("/var/log/journal", "/run/log/journal")
PACKAGES = ("/var/cache/apt/archives", "/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum")


def used_bytes(folders, wanted):
    """Bytes on disk of the files below `folders` whose names are `wanted`, as far as they may be seen."""
    total = 0
    for folder in folders:
        for path, _folders, names in os.walk(folder):
            for name in filter(wanted, names):
                try:
                    total += os.lstat(os.path.join(path, name)).st_blocks * 512
                except OSError:
                    continue  # rotated away meanwhile
    return total


def is_archived(name):
    """Whether a journal is closed: `journalctl --vacuum-size` never removes one that is written to."""
    return name.endswith(".journal~") or (name.endswith(".journal") and "@" in name)


def old_kernels(running, installed):
    """Installed kernels besides the running and the newest one. Where the running one is foreign: none."""
    if running not in installed:
        return []
    return [one for one in installed if one not in (running, max(installed, key=kernel_order))]


def run(spec, _context):
    journal = used_bytes(JOURNALS, lambda name: ".journal" in name)
    archived = used_bytes(JOURNALS, is_archived)
    packages = used_bytes(PACKAGES, lambda name: name != "lock")
    kernels = len(old_kernels(os.uname().release, installed_kernels()))
    reclaimable = archived + packages
    thresholds = spec["warn"], spec["crit"]
    status = judge(reclaimable, *thresholds)
    message = "%s can be had back%s: %s of archived journals, %s of downloaded packages" % (
        size(reclaimable),
        limits(status, *thresholds),
        size(archived),
        size(packages),
    )
    if kernels:
        message += "; %d old kernels are installed" % kernels
    data = [
        perf("reclaimable", reclaimable, "B", thresholds, (0,)),
        perf("journal", journal, "B", bounds=(0,)),
        perf("packages", packages, "B", bounds=(0,)),
        perf("old_kernels", kernels, "", bounds=(0,)),
    ]
    details = {
        "journal_bytes": journal,
        "journal_archived_bytes": archived,
        "packages_bytes": packages,
        "old_kernels": kernels,
    }
    return finding(status, message, reclaimable, "B", " ".join(data), details)


def judge_spec(spec):
    shares = [name for name in ("warn", "crit") if spec[name] and spec[name].unit == "%"]
    return ["%s takes a size, for example 5GiB, not a share" % name for name in shares]


FAMILY = family(
    "reclaimable",
    "resources",
    "bytes that archived journals and downloaded packages hold, which maintenance can have back, and old kernels",
    {
        "warn": threshold("space", "bytes that can be had back"),
        "crit": threshold("space", "bytes that can be had back"),
    },
    run,
    judge_spec=judge_spec,
)
