# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""systemd units: that none has failed or, with `unit`, that one is active and does not crash again and again."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..counters import boot_id
from ..family import family, finding, judge, key, limits, perf, threshold, worst
from ..systemctl import ask, booted, show

MOST_IN_DETAILS = 50
FINE = ("active", "reloading", "refreshing", "activating")
PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts", "InvocationID")


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
        # For how long it stays down, RestartSec says; `activating` it is all that time.
        if states.get("SubState", "").startswith("auto-restart"):
            return False, words
    return active in FINE, words


def reading(states, boot):
    """The bookmark about a unit, or None where systemd counts no restarts (only services are restarted)."""
    if not states.get("NRestarts", "").isdigit():
        return None
    return {"boot": boot, "invocation": states.get("InvocationID", ""), "restarts": int(states["NRestarts"])}


def restarts_since(before, now):
    """How often systemd itself has started a unit again between two readings; None when `before` is not one.

    systemd counts from the last start that a person or a dependency asked for, and every start has an invocation of
    its own. So where the count did not rise although the invocation is another, it began anew in between.
    """
    if not isinstance(before, dict) or not isinstance(before.get("restarts"), int):
        return None
    if before.get("boot") == now["boot"] and before.get("invocation") == now["invocation"]:
        return 0
    if before.get("boot") == now["boot"] and before["restarts"] < now["restarts"]:
        return now["restarts"] - before["restarts"]
    return now["restarts"]


def look_at_unit(spec, context):
    unit, thresholds = spec["unit"], (spec["restarts_warn"], spec["restarts_crit"])
    states = next(iter(show(context, PROPERTIES, [unit]).values()), {})
    fine, words = describe(unit, states)
    grades, data = [judge(int(not fine), spec["warn"], spec["crit"])], []
    mark = reading(states, boot_id())
    restarts = restarts_since(context.bookmark, mark) if mark else None
    if mark:
        context.leave(mark)
    if restarts is not None:
        grades.append(judge(restarts, *thresholds))
        data.append(perf("restarts", restarts, "", thresholds, (0,)))
    if restarts:
        times = "once" if restarts == 1 else "%s times" % restarts
        words += ", restarted %s after it ended by itself, since the last round%s" % (
            times,
            limits(grades[-1], *thresholds),
        )
    data.insert(0, perf("amiss", int(not fine), "", (spec["warn"], spec["crit"]), (0,)))
    return finding(worst(grades), words, int(not fine), "", " ".join(data))


def look_for_failed(spec, context):
    if booted():
        listing = ask(context, "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--full")
        return judge_failed(spec, failed_units(listing, spec["ignore"]))
    return judge_failed(spec, [], "systemd does not run on this host, so no unit can fail")


def judge_failed(spec, failed, well="no failed units"):
    """The Finding on the names of the units that have failed."""
    thresholds, count = (spec["warn"], spec["crit"]), len(failed)
    names = ", ".join(failed[:5]) + (" and %d more" % (count - 5) if count > 5 else "")
    words = "%d failed unit%s: %s" % (count, "s" * (count > 1), names) if failed else well
    data = perf("amiss", count, "", thresholds, (0,))
    details = {"failed": failed[:MOST_IN_DETAILS]} if failed else None
    return finding(judge(count, *thresholds), words, count, "", data, details)


def run(spec, context):
    return look_at_unit(spec, context) if spec["unit"] else look_for_failed(spec, context)


def judge_spec(spec):
    if spec["unit"] and spec["ignore"]:
        return ["ignore chooses among all units; it does not go together with unit"]
    return []


FAMILY = family(
    "systemd",
    "services",
    "failed units or, with `unit`, that this unit is active and not restarted again and again",
    {
        "unit": key("str", "the unit that has to be active, for example `nginx.service`"),
        "ignore": key("list", "patterns of units that may fail (only without `unit`)", ()),
        "warn": threshold("count", "number of units that have failed or are not active"),
        "crit": threshold("count", "number of units that have failed or are not active", "0"),
        "restarts_warn": threshold("count", "how often systemd restarted the unit since the last recorded round", "2"),
        "restarts_crit": threshold("count", "how often systemd restarted the unit since the last recorded round"),
    },
    run,
    target=lambda spec: spec["unit"] or "",
    judge_spec=judge_spec,
)
