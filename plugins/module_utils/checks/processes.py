# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many processes run, all or those with a name, command line and user; their memory and age."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

from ..everybody import require_all
from ..family import (
    CannotLookError,
    family,
    finding,
    judge,
    judge_share,
    key,
    limits,
    perf,
    size,
    span,
    threshold,
    worst,
)

ATTRIBUTES = ("name", "status", "memory_info", "create_time")
THRESHOLDS = ("", "memory_", "oldest_", "youngest_")


def target(spec):
    return " of ".join(part for part in (spec["name"] or spec["command"], spec["user"]) if part)


def matches(process, spec):
    """Whether a process (psutil's `info`) is one of those that the spec counts."""
    command = " ".join(process.get("cmdline") or ())
    pairs = ((process.get("name"), "name"), (process.get("username"), "user"), (command, "command"))
    return all(fnmatchcase(text or "", spec[word] or "*") for text, word in pairs)


def judge_found(alive, zombies, spec, total, now):
    """The Finding on the living processes that were found; `total` is the host's memory, `now` since the epoch."""
    count, thresholds = len(alive), {word: (spec[word + "warn"], spec[word + "crit"]) for word in THRESHOLDS}
    grades = [judge(count, *thresholds[""])]
    which = " " + target(spec) if target(spec) else ""
    words = ["%d processes%s%s" % (count, which, limits(grades[0], *thresholds[""]))]
    data = [perf("processes", count, "", thresholds[""], (0,)), perf("zombies", zombies)]
    if zombies:
        words.append("and %d zombies" % zombies)
    used = sum(info["memory_info"].rss for info in alive if info["memory_info"])
    grades.append(judge_share(100.0 * used / total, used, *thresholds["memory_"]))
    if any(thresholds["memory_"]):
        words.append("%s of memory%s" % (size(used), limits(grades[-1], *thresholds["memory_"])))
    sizes = [limit if limit and limit.unit == "B" else None for limit in thresholds["memory_"]]
    data.append(perf("memory", used, "B", sizes, (0, total)))
    ages = [max(0.0, now - info["create_time"]) for info in alive if info["create_time"]]
    for word, age in (("oldest", max(ages, default=None)), ("youngest", min(ages, default=None))):
        if age is None:
            continue
        pair = thresholds[word + "_"]
        grades.append(judge(age, *pair))
        if any(pair):
            words.append("%s %s old%s" % (word, span(age), limits(grades[-1], *pair)))
        data.append(perf(word, round(age), "s", pair, (0,)))
    return finding(worst(grades), ", ".join(words), count, "", " ".join(data))


def run(spec, context):
    psutil = context.psutil
    attributes = [*ATTRIBUTES, *["username"] * bool(spec["user"]), *["cmdline"] * bool(spec["command"])]
    everything = [process.info for process in psutil.process_iter(attributes)]
    if not everything:
        raise CannotLookError("no process is visible", "check that /proc is mounted")
    if not spec["user"] or spec["user"] != psutil.Process().username():
        require_all()
    found = [info for info in everything if matches(info, spec)]
    alive = [info for info in found if info["status"] != psutil.STATUS_ZOMBIE]
    return judge_found(alive, len(found) - len(alive), spec, psutil.virtual_memory().total, time.time())


def judge_spec(spec):
    if all(spec[word + grade] is None for word in THRESHOLDS for grade in ("warn", "crit")):
        return ["nothing is asked; give warn or crit, for example crit: '1:' for at least one"]
    return []


FAMILY = family(
    "processes",
    "services",
    "number of processes that are not zombies, the memory they use and their age",
    {
        "name": key("str", "count only processes whose name matches this pattern (`*`, `?`)"),
        "command": key("str", "count only processes whose whole command line matches this pattern, `*worker*`"),
        "user": key("str", "count only processes of users that match this pattern"),
        "warn": threshold("count", "number of processes"),
        "crit": threshold("count", "number of processes; `1:` is at least one"),
        "memory_warn": threshold("space", "memory of all of them (RSS), a size or a share of the host's"),
        "memory_crit": threshold("space", "memory of all of them (RSS), a size or a share of the host's"),
        "oldest_warn": threshold("duration", "age of the oldest"),
        "oldest_crit": threshold("duration", "age of the oldest"),
        "youngest_warn": threshold("duration", "age of the youngest; `5min:` tells that it keeps being restarted"),
        "youngest_crit": threshold("duration", "age of the youngest"),
    },
    run,
    target=target,
    needs_psutil=True,
    judge_spec=judge_spec,
)
