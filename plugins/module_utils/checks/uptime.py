# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long the host has been up, and whether it waits for a reboot."""

from __future__ import annotations

import os
import re
import time

from ..family import GRADES, family, finding, grade, judge, limits, perf, span, threshold, worst

FLAG = "/run/reboot-required"  # written by update-notifier, unattended-upgrades and needrestart
KERNEL = re.compile(r"vmlinuz-\d+\.")  # and not vmlinuz-0-rescue-...
OF_RED_HAT = re.compile(r"\.(?:el|fc)\d.*")  # its release, and the architecture
# What differs between two releases of one flavour: 6.1.0-39-amd64, 6.12.48+deb13-amd64. x86_64+debug is a flavour.
NUMBERS = r"[+~]\w+(?=-)|[\d._-]"


def kernel_order(release):
    """Sorts kernel releases: 6.1.0-9-amd64 before 6.1.0-10-amd64, 4.18.0-80.el8 before 4.18.0-80.1.2.el8_0."""
    return [int(part) for part in re.findall(r"\d+", OF_RED_HAT.sub("", release))]


def newer_kernel(running, installed):
    """The newest installed release of the running kernel's flavour if it is newer, else None.

    A kernel that is not among the installed ones is not this system's own (a container): then nothing is known.
    """
    if running not in installed:
        return None
    flavour = re.sub(NUMBERS, "", running)
    newest = max((one for one in installed if re.sub(NUMBERS, "", one) == flavour), key=kernel_order)
    return newest if kernel_order(newest) > kernel_order(running) else None


def installed_kernels(boot="/boot"):
    """Releases of the kernels that lie in `boot`."""
    try:
        return [name[len("vmlinuz-") :] for name in os.listdir(boot) if KERNEL.match(name)]
    except OSError:
        return []


def reboot_reasons(flag=FLAG, boot="/boot"):
    """Why the host should be rebooted, as a list of phrases."""
    reasons = []
    if os.path.exists(flag):
        packages = sorted(set(_lines(flag + ".pkgs")))
        reasons.append("after updates of " + ", ".join(packages[:5]) if packages else "updates ask for it")
    newest = newer_kernel(os.uname().release, installed_kernels(boot))
    if newest:
        reasons.append("kernel %s is installed, %s runs" % (newest, os.uname().release))
    return reasons


def _lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return lines.read().split()
    except OSError:
        return []


def run(spec, _context):
    up = round(time.clock_gettime(time.CLOCK_BOOTTIME))
    warn, crit = spec["warn"], spec["crit"]
    status = judge(up, warn, crit)
    message = "up %s%s" % (span(up), limits(status, warn, crit))
    reasons = reboot_reasons()
    if reasons and spec["reboot_required"] != "ignore":
        status = worst([status, GRADES[spec["reboot_required"]]])
        message += ", reboot required: " + "; ".join(reasons)
    data = [perf("uptime", up, "s", (warn, crit), (0,)), perf("reboot_required", bool(reasons))]
    return finding(status, message, up, "s", " ".join(data))


FAMILY = family(
    "uptime",
    "resources",
    "time since boot, and whether updates or a newer kernel ask for a reboot",
    {
        "warn": threshold("duration", "time since boot"),
        "crit": threshold("duration", "time since boot"),
        "reboot_required": grade("what a required reboot is"),
    },
    run,
)
