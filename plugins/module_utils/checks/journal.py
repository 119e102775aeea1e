# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many entries the journal got since the last round, by unit, priority and message."""

from __future__ import annotations

import time

from ..apart import SHARE_OF_LIMIT, bad_expressions, run_apart
from ..counters import boot_id
from ..family import (
    CannotLookError,
    NotThereError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    span,
    threshold,
)
from ..journal_worker import answer
from ..redaction import quoted

PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
SHORTEST_S = 60  # one error between two looks right after each other is no rate


def now():
    """[boot id, seconds since boot, seconds since the epoch]."""
    boot = boot_id().replace("-", "")  # as journalctl writes it
    return [boot, time.clock_gettime(time.CLOCK_MONOTONIC), time.time()]


def begin(bookmark, present, look_back_s):
    """(position of the last entry that was seen, seconds since the last look or the look-back, is this the first)."""
    try:
        (boot, uptime_us, time_us), (looked_boot, looked_uptime, looked_time) = bookmark["seen"], bookmark["looked"]
        seen = [str(boot), int(uptime_us), int(time_us)]
        same = looked_boot == present[0]
        seconds = present[1] - float(looked_uptime) if same else present[2] - float(looked_time)
    except (TypeError, KeyError, ValueError):
        seen = [present[0], int((present[1] - look_back_s) * 1e6), int((present[2] - look_back_s) * 1e6)]
        return seen, look_back_s, True
    return seen, max(0.0, seconds), False


def refuse(code, words):
    """Raise what, by journalctl's exit code and words, keeps us from looking, if anything does."""
    words = words.strip()
    if "insufficient permissions" in words or "not seeing messages from other users" in words:
        raise CannotLookError(
            "no permission to read the system's journal",
            "check as root (roundsman_health_become: true), or add the user who checks to the group systemd-journal",
        )
    if "No journal files were found" in words:
        raise NotThereError("there is no journal on this host", "start systemd-journald, or remove the check")
    if code > 0:
        last = (words.splitlines() or ["journalctl ended with %d" % code])[-1]
        raise CannotLookError("the journal cannot be read: %s" % last, "see `journalctl --verify` on the host")


def judge_sums(spec, sums, seconds, first):
    """The Finding on what was counted in so many seconds."""
    found, thresholds = sums["found"], (spec["warn"], spec["crit"])
    rate = found / max(SHORTEST_S, seconds)
    status = judge(rate, *thresholds)
    units = " of %s" % ", ".join(spec["units"]) if spec["units"] else ""
    matching = " that match %s" % spec["match"] if spec["match"] else ""
    kind = " (%s and worse)" % spec["priority"]
    words = "%d journal entr%s%s%s%s" % (found, "y" if found == 1 else "ies", units, kind, matching)
    words = ["%s in %s, %.3g/min%s" % (words, span(seconds), rate * 60, limits(status, *thresholds))]
    if sums["ended"] == "early":
        words.append("there are older ones that were not counted")
    if first:
        words.append("first look")
    if found and spec["quote"]:
        words.append("the last: %s" % quoted(sums["last"]))
    data = [perf("entries per second", rate, "", thresholds, (0,)), perf("entries", found, "", bounds=(0,))]
    return finding(status, "; ".join(words), round(rate, 6), "/s", " ".join(data))


def run(spec, context):
    # It says nothing about permissions when it prints JSON.
    code, _nothing, words = context.run(["journalctl", "--no-pager", "--lines=0"])
    refuse(code, words)
    present = now()
    seen, seconds, first = begin(context.bookmark, present, spec["look_back"])
    request = {name: spec[name] for name in ("units", "priority", "match", "ignore")}
    request.update(seen=seen, boot=present[0], seconds=context.limit_s * SHARE_OF_LIMIT)
    sums = run_apart(context, answer, request)
    refuse(sums["code"], sums["words"])
    context.leave({"seen": sums["newest"] or seen, "looked": present})
    if sums["ended"] == "early":
        # What was read is the newest part, so its own time is what the rate is over.
        seconds = min(seconds, max(0.0, present[2] - sums["oldest"][2] / 1e6)) if sums["oldest"] else seconds
    return judge_sums(spec, sums, seconds, first)


def judge_spec(spec):
    return bad_expressions(spec, "match", "ignore")


FAMILY = family(
    "journal",
    "errors",
    "entries of the systemd journal since the last round; the value is their rate, reckoned over at least a minute",
    {
        "units": key("list", "only of these units, `*` allowed; all by default", ()),
        "priority": key("str", "only of this priority and worse", "err", choices=PRIORITIES),
        "match": key("str", "regular expression (of Python) that the message matches"),
        "ignore": key("str", "regular expression of messages that do not count"),
        "look_back": key("seconds", "how far the first look goes back", "15min"),
        "quote": key("bool", "quote the last message, shortened", True),
        "warn": threshold("rate", "entries per time", "1/min"),
        "crit": threshold("rate", "entries per time"),
    },
    run,
    target=lambda spec: ", ".join(spec["units"]),
    judge_spec=judge_spec,
)
