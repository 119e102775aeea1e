# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mail queue of Postfix: messages on their way, deferred and on hold, and the age of the oldest."""

from __future__ import annotations

import json
import os
import time

from ..family import (
    CRITICAL,
    OK,
    CannotLookError,
    NotThereError,
    family,
    finding,
    judge,
    limits,
    perf,
    span,
    threshold,
    worst,
)


def tally(lines):
    """(queue name -> number of messages, arrival of the oldest in s since the epoch or None, a delay's reason)."""
    counts, oldest, reason = {"active": 0, "incoming": 0, "deferred": 0, "hold": 0}, None, ""
    for line in lines:
        try:
            message = json.loads(line)
            queue, arrival = message["queue_name"], int(message["arrival_time"])
        except (ValueError, KeyError, TypeError):
            continue
        counts[queue] = counts.get(queue, 0) + 1
        if oldest is None or arrival < oldest:
            oldest = arrival
            reasons = [one.get("delay_reason") for one in message.get("recipients", []) if one.get("delay_reason")]
            reason = reasons[0] if reasons else ""
    return counts, oldest, reason


def judge_mail(spec, lines, now):
    """The Finding on what `postqueue -j` printed, at `now` in seconds since the epoch."""
    counts, oldest, reason = tally(lines)
    total = sum(counts.values())
    age_s = max(0, now - oldest) if oldest is not None else 0
    grades, data = [], []
    texts = []
    for value, prefix, text, label, unit in (
        (total, "", "%d messages" % total, "messages", ""),
        (counts["deferred"], "deferred_", "%d deferred" % counts["deferred"], "deferred", ""),
        (counts["hold"], "hold_", "%d on hold" % counts["hold"], "hold", ""),
        (age_s, "age_", "oldest %s" % span(age_s), "age", "s"),
    ):
        warn, crit = spec[prefix + "warn"], spec[prefix + "crit"]
        grades.append(judge(value, warn, crit))
        if value or label == "messages":
            texts.append(text + limits(grades[-1], warn, crit))
        data.append(perf(label, value, unit, (warn, crit), (0,)))
    message = ", ".join(texts) + (": %s" % reason if reason and worst(grades) != OK else "")
    return finding(worst(grades), message, total, "", " ".join(data))


def run(spec, context):
    limit_s = context.patience_s
    code, stdout, stderr = context.run(["timeout", "-k", "1", "%g" % limit_s, "postqueue", "-j"])
    words = " ".join(stderr.split())
    if code == 127:
        raise NotThereError("postqueue is not installed", "install postfix, or remove the check")
    if code in (124, 137):
        return finding(CRITICAL, "postqueue does not answer within %.1f s" % limit_s)
    if code == 69 and "not allowed" not in words:  # EX_UNAVAILABLE
        return finding(CRITICAL, "the mail system is down: %s" % words)
    if code != 0:
        raise CannotLookError(
            "postqueue: %s" % words,
            "check as root (roundsman_health_become: true), or allow the user in authorized_mailq_users",
        )
    running, _out, _err = context.run(["timeout", "5", "postfix", "status"]) if _is_root() else (0, "", "")
    found = judge_mail(spec, stdout.splitlines(), time.time())
    if running != 0:
        return found._replace(status=CRITICAL, message="the mail system is not running; " + found.message)
    return found


def _is_root():
    return os.geteuid() == 0


FAMILY = family(
    "postfix",
    "queues",
    "messages in the queue of Postfix",
    {
        "warn": threshold("count", "messages in all queues together"),
        "crit": threshold("count", "messages in all queues together"),
        "deferred_warn": threshold("count", "messages whose delivery failed and is tried again", 20),
        "deferred_crit": threshold("count", "messages whose delivery failed and is tried again"),
        "hold_warn": threshold("count", "messages on hold"),
        "hold_crit": threshold("count", "messages on hold"),
        "age_warn": threshold("duration", "age of the oldest message", "4h"),
        "age_crit": threshold("duration", "age of the oldest message"),
    },
    run,
)
