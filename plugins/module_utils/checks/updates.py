# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pending updates and security updates, as far as the package lists on the host know."""

from __future__ import annotations

import time

from ..family import OK, UNKNOWN, WARNING, family, finding, judge, key, limits, perf, span, threshold, worst
from ..pending import look

MOST_NAMED, MOST_IN_DETAILS = 5, 100
STALE = {"ignore": OK, "warning": WARNING, "unknown": UNKNOWN}
REFRESH = {"apt": "apt-get update", "dnf": "dnf makecache"}


def named(names):
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (" and %d more" % more if more > 0 else "")


def conclude(spec, pending, now):
    """The finding on a Pending."""
    counts = len(pending.security), len(pending.upgradable)
    thresholds, of_all = (spec["warn"], spec["crit"]), (spec["all_warn"], spec["all_crit"])
    statuses = [judge(counts[0], *thresholds), judge(counts[1], *of_all)]
    words = ["%d security updates%s" % (counts[0], limits(statuses[0], *thresholds))]
    words[0] += " (%s)" % named(pending.security) if pending.security else ""
    words.append("%d updates in all%s" % (counts[1], limits(statuses[1], *of_all)))
    if pending.held:
        words.append("held back: " + named(pending.held))
    age_s = max(0.0, now - pending.fetched)
    if spec["lists_age"] and spec["lists_age"].violated(age_s) and spec["stale"] != "ignore":
        statuses.append(STALE[spec["stale"]])
        how_old = "are %s old" % span(age_s) if pending.fetched else "were never fetched"
        words.append("the package lists %s, so there may be more: `%s`" % (how_old, REFRESH[pending.manager]))
    data = [perf("security", counts[0], "", thresholds, (0,)), perf("all", counts[1], "", of_all, (0,))]
    data += [perf("held", len(pending.held), "", bounds=(0,))]
    if pending.fetched:
        data.append(perf("lists_age", age_s, "s", bounds=(0,)))
    details = {
        "manager": pending.manager,
        "security": counts[0],
        "all": counts[1],
        "security_packages": pending.security[:MOST_IN_DETAILS],
        "held": pending.held[:MOST_IN_DETAILS],
    }
    return finding(worst(statuses), ", ".join(words), counts[0], "", " ".join(data), details)


def run(spec, context):
    return conclude(spec, look(context), time.time())


FAMILY = family(
    "updates",
    "resources",
    "security updates and all updates that apt or dnf would install, from the lists that are on the host",
    {
        "warn": threshold("count", "pending security updates", "0"),
        "crit": threshold("count", "pending security updates"),
        "all_warn": threshold("count", "pending updates of any kind"),
        "all_crit": threshold("count", "pending updates of any kind"),
        "lists_age": threshold("duration", "time since the package lists were fetched", "7d"),
        "stale": key("str", "what older lists make of the answer", "unknown", choices=tuple(STALE)),
    },
    run,
)
