# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""systemd timers that missed their run, and those whose service failed the last time."""

from __future__ import annotations

import calendar
import glob
import os
import re
import time
from fnmatch import fnmatchcase

from ..family import NotThereError, family, finding, judge, key, limits, perf, span, threshold
from ..systemctl import booted, show

ENABLED = "/etc/systemd/system"
BOOT_TARGETS = ("timers", "multi-user", "default")
PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "Unit", "WakeSystem"),
    *("LastTriggerUSec", "NextElapseUSecRealtime", "NextElapseUSecMonotonic"),
    *("ConditionResult", "ConditionTimestampMonotonic"),
)
OF_SERVICES = ("ActiveState", "Result", "ExecMainStatus")
NOT_LOADED = {
    "not-found": "is not installed",
    "masked": "is masked",
    "error": "is not valid",
    "bad-setting": "is not valid",
}
# systemd.time(7), as systemctl writes spans.
UNITS_S = {"y": 31557600, "month": 2629800, "w": 604800, "d": 86400, "h": 3600, "min": 60, "s": 1, "ms": 1e-3}
UNITS_S["us"] = 1e-6


def instant(text):
    """Seconds since the epoch of a time that systemctl wrote in UTC; None for none."""
    match = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text or "")
    return calendar.timegm(time.strptime(match.group(), "%Y-%m-%d %H:%M:%S")) if match else None


def seconds(text):
    """A span that systemctl wrote (`3h 1min 15.07s`) in seconds; None where there is none."""
    parts = re.findall(r"([\d.]+)([a-z]+)", text or "")
    return sum(float(count) * UNITS_S.get(unit, 0) for count, unit in parts) or None


def late_by(states, clocks):
    """How many seconds ago a waiting timer should have run; None when that is not in the past.

    `clocks` are (realtime, monotonic, boottime). Calendar times go by the first. Spans since an event do not count
    while the host sleeps, unless the timer wakes it.
    """
    calendar_time = instant(states.get("NextElapseUSecRealtime"))
    since_boot = seconds(states.get("NextElapseUSecMonotonic"))
    late = []
    if calendar_time is not None:
        late.append(clocks[0] - calendar_time)
    if since_boot is not None:
        late.append(clocks[2 if states.get("WakeSystem") == "yes" else 1] - since_boot)
    # Of several times the first that comes is the one it waits for.
    return max((one for one in late if one > 0), default=None)


def fault_of_timer(states):
    """Why a timer starts nothing, in words, or None; says nothing of its runs."""
    load, active = states.get("LoadState"), states.get("ActiveState")
    if load in NOT_LOADED:
        return NOT_LOADED[load]
    if active == "failed":
        return "could not start %s (%s)" % (states.get("Unit"), states.get("Result"))
    # systemd tried it and its conditions, say to be no container, were not met: then it is not meant for this host.
    tried = states.get("ConditionTimestampMonotonic", "0") != "0"
    if active == "active" or (tried and states.get("ConditionResult") == "no"):
        return None
    return "is enabled but not started, so it never runs"


def fault_of_runs(states, service, spec, clocks):
    """What is amiss with the runs of an active timer, in words, or None."""
    unit, result, longest = states.get("Unit"), service.get("Result", "success"), spec["longest"]
    last = instant(states.get("LastTriggerUSec"))
    age = None if last is None else max(0.0, clocks[0] - last)
    if result != "success":
        code = " %s" % service.get("ExecMainStatus") if result == "exit-code" else ""
        return "%s failed at its last run: %s%s" % (unit, result, code)
    if states.get("SubState") == "running" and age is not None and longest and longest.violated(age):
        words = "%s still runs after %s, and until it ends the timer waits (longest %s)"
        return words % (unit, span(age), longest.text)
    late = late_by(states, clocks) if states.get("SubState") == "waiting" else None
    if late is not None and late > spec["grace"]:
        ran = "never ran" if age is None else "last ran %s ago" % span(age)
        return "missed its run %s ago, %s" % (span(late), ran)
    return None


def fault(states, service, spec, clocks):
    """What is amiss with a timer, in words, or None."""
    words = fault_of_timer(states)
    if words or states.get("ActiveState") != "active":
        return words
    return fault_of_runs(states, service, spec, clocks)


def enabled_timers(folder=ENABLED):
    """Names of the timers that a person enabled for every boot.

    Read from the links that say so: systemd itself takes its main process seconds to list them.
    """
    links = [glob.glob(os.path.join(folder, target + ".target.wants", "*.timer")) for target in BOOT_TARGETS]
    return {os.path.basename(link) for found in links for link in found}


def chosen(context, spec):
    """timer -> its properties: the one that is asked for, or all that are loaded or enabled."""
    if spec["timer"]:
        return show(context, PROPERTIES, [spec["timer"]])
    enabled = enabled_timers()
    return {
        name: states
        for name, states in show(context, PROPERTIES, ["*.timer", *sorted(enabled)]).items()
        if (states.get("ActiveState") != "inactive" or name in enabled)
        # A person masked it, or its package is gone and left the link: it is not meant to run.
        and states.get("LoadState") not in ("masked", "not-found")
        and not any(fnmatchcase(name, pattern) for pattern in spec["ignore"])
    }


def run(spec, context):
    if not booted():
        raise NotThereError("systemd does not run on this host", "remove the check, or make it optional")
    timers = chosen(context, spec)
    services = show(context, OF_SERVICES, sorted({one["Unit"] for one in timers.values() if one.get("Unit")}))
    clocks = [time.clock_gettime(clock) for clock in (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)]
    faults = {}
    for name, states in sorted(timers.items()):
        words = fault(states, services.get(states.get("Unit"), {}), spec, clocks)
        if words:
            faults[name] = words
    thresholds, count = (spec["warn"], spec["crit"]), len(faults)
    status = judge(count, *thresholds)
    words = ["%s %s" % item for item in list(faults.items())[:5]] + ["and %d more" % (count - 5)] * (count > 5)
    well = "%d timer%s, none missed its run" % (len(timers), "" if len(timers) == 1 else "s")
    message = "; ".join(words) + limits(status, *thresholds) if faults else well
    data = perf("amiss", count, "", thresholds, (0,)) + " " + perf("timers", len(timers))
    return finding(status, message, count, "", data, {"amiss": sorted(faults)[:50]} if faults else None)


def judge_spec(spec):
    faults = []
    if spec["timer"] and spec["ignore"]:
        faults.append("ignore chooses among all timers; it does not go together with timer")
    if spec["timer"] and not spec["timer"].endswith(".timer"):
        faults.append('timer "%s" has to be the name of a timer unit, for example logrotate.timer' % spec["timer"])
    return faults


FAMILY = family(
    "timers",
    "services",
    "systemd timers that missed their run, do not run, or whose service failed the last time",
    {
        "timer": key("str", "look only at this timer, for example `backup.timer`"),
        "ignore": key("list", "patterns of timers to leave out (only without `timer`)", ()),
        "grace": key("seconds", "how late a run may be", "5min"),
        "longest": threshold("duration", "how long a run may take; until it ends, its timer starts no other", "1d"),
        "warn": threshold("count", "number of timers amiss", "0"),
        "crit": threshold("count", "number of timers amiss"),
    },
    run,
    target=lambda spec: spec["timer"] or "",
    judge_spec=judge_spec,
)
