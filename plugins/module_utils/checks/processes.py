# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many processes run, all or those with a name and user."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..family import CannotLookError, family, finding, judge, key, limits, perf, threshold


def target(spec):
    return " of ".join(part for part in (spec["name"], spec["user"]) if part)


def matches(process, spec):
    """Whether a process (psutil's `info`) is one of those that the spec counts."""
    pairs = (("name", "name"), ("username", "user"))
    return all(fnmatchcase(process.get(attribute) or "", spec[word] or "*") for attribute, word in pairs)


def run(spec, context):
    psutil = context.psutil
    attributes = ["name", "status"] + (["username"] if spec["user"] else [])
    everything = [process.info for process in psutil.process_iter(attributes)]
    if not everything:
        raise CannotLookError("no process is visible", "check that /proc is mounted")
    found = [info for info in everything if matches(info, spec)]
    zombies = sum(info["status"] == psutil.STATUS_ZOMBIE for info in found)
    alive = len(found) - zombies
    warn, crit = spec["warn"], spec["crit"]
    status = judge(alive, warn, crit)
    words = "%d processes%s%s" % (alive, " " + target(spec) if target(spec) else "", limits(status, warn, crit))
    if zombies:
        words += ", and %d zombies" % zombies
    data = perf("processes", alive, "", (warn, crit), (0,)) + " " + perf("zombies", zombies)
    return finding(status, words, alive, "", data)


def judge_spec(spec):
    if spec["warn"] is None and spec["crit"] is None:
        return ["nothing is asked; give warn or crit, for example crit: '1:' for at least one"]
    return []


FAMILY = family(
    "processes",
    "services",
    "number of processes that are not zombies",
    {
        "name": key("str", "count only processes whose name matches this pattern (`*`, `?`)"),
        "user": key("str", "count only processes of users that match this pattern"),
        "warn": threshold("count", "number of processes"),
        "crit": threshold("count", "number of processes; `1:` is at least one"),
    },
    run,
    target=target,
    needs_psutil=True,
    judge_spec=judge_spec,
)
