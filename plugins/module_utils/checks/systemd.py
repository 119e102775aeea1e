# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""systemd units: that none has failed or, with `unit`, that one is active."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

from ..family import CannotLookError, family, finding, judge, key, perf, threshold

BOOTED = "/run/systemd/system"  # sd_booted(3)
FINE = ("active", "reloading", "refreshing", "activating")
PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result")


def failed_units(listing, ignored):
    """Names of units in a plain `systemctl list-units` that match no pattern of `ignored`."""
    names = [line.split()[0] for line in listing.splitlines() if line.strip()]
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in ignored)]


def describe(unit, states):
    """(whether it is as it has to be, words) from the properties of a unit that has to be active."""
    if states.get("LoadState") == "not-found":
        return False, "%s is not installed" % unit
    active = states.get("ActiveState", "unknown")
    words = "%s is %s (%s)" % (unit, active, states.get("SubState", "unknown"))
    if states.get("LoadState") == "masked":
        words += ", masked"
    if states.get("Result", "success") != "success":
        words += ", result %s" % states["Result"]
    return active in FINE, words


def ask(context, *arguments):
    code, stdout, stderr = context.run(["systemctl", "--no-pager", *arguments])
    if code:
        words = stderr.strip().splitlines()
        raise CannotLookError(
            "systemd does not answer: %s" % (words[-1] if words else "systemctl ended with %d" % code),
            "see `systemctl status` on the host; where systemd is not the init, remove the check",
        )
    return stdout


def look_at_unit(unit, context):
    """(number of units amiss, words) for one unit."""
    answer = ask(context, "show", "--property=" + ",".join(PROPERTIES), "--", unit)
    fine, words = describe(unit, dict(line.split("=", 1) for line in answer.splitlines() if "=" in line))
    return int(not fine), words


def look_for_failed(ignored, context):
    """(number of units amiss, words) for all units."""
    if not os.path.isdir(BOOTED):
        return 0, "systemd does not run on this host, so no unit can fail"
    listing = ask(context, "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--full")
    failed = failed_units(listing, ignored)
    if not failed:
        return 0, "no failed units"
    names = ", ".join(failed[:5]) + (" and %d more" % (len(failed) - 5) if len(failed) > 5 else "")
    return len(failed), "%d failed unit%s: %s" % (len(failed), "s" * (len(failed) > 1), names)


def run(spec, context):
    count, words = look_at_unit(spec["unit"], context) if spec["unit"] else look_for_failed(spec["ignore"], context)
    thresholds = spec["warn"], spec["crit"]
    status = judge(count, *thresholds)
    return finding(status, words, count, "", perf("amiss", count, "", thresholds, (0,)))


def judge_spec(spec):
    if spec["unit"] and spec["ignore"]:
        return ["ignore chooses among all units; it does not go together with unit"]
    return []


FAMILY = family(
    "systemd",
    "services",
    "failed units or, with `unit`, that this unit is active",
    {
        "unit": key("str", "the unit that has to be active, for example `nginx.service`"),
        "ignore": key("list", "patterns of units that may fail (only without `unit`)", ()),
        "warn": threshold("count", "number of units that have failed or are not active"),
        "crit": threshold("count", "number of units that have failed or are not active", "0"),
    },
    run,
    target=lambda spec: spec["unit"] or "",
    judge_spec=judge_spec,
)
