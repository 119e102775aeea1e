# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RabbitMQ: messages in its queues, queues without consumers, alarms of its nodes; through the management API."""

from __future__ import annotations

import time

from ..family import (
    CRITICAL,
    CannotLookError,
    NoAnswerError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    threshold,
    worst,
)
from ..rabbitmq_api import KEYS, alarms, queues
from ..redaction import for_people
from ..web import url_faults


def judge_queues(spec, found, alarmed):
    """The Finding on queues as the API describes them, and on alarms in words."""
    warn, crit = spec["warn"], spec["crit"]
    counted = [(queue.get("messages") or 0, queue) for queue in found]
    most, longest = max(counted, key=lambda each: each[0], default=(0, None))
    grades = [judge(most, warn, crit)]
    ready = sum(queue.get("messages_ready") or 0 for queue in found)
    unacknowledged = sum(queue.get("messages_unacknowledged") or 0 for queue in found)
    words = ["%d queues, %d messages ready, %d unacknowledged" % (len(found), ready, unacknowledged)]
    if longest is not None and most:
        words.append("most in %s: %d%s" % (longest["name"], most, limits(grades[0], warn, crit)))
    lonely = [queue["name"] for queue in found if (queue.get("consumers") or 0) < spec["consumers"]]
    if lonely:
        grades.append(CRITICAL)
        words.append("fewer than %d consumers: %s" % (spec["consumers"], ", ".join(sorted(lonely)[:10])))
    if alarmed:
        grades.append(CRITICAL)
        words = alarmed + words
    data = [perf("longest", most, "", (warn, crit), (0,)), perf("ready", ready), perf("unacknowledged", unacknowledged)]
    return finding(worst(grades), "; ".join(words), most, "", " ".join(data))


def run(spec, context):
    patience_s, started = context.patience_s, time.monotonic()
    try:
        alarmed = alarms(spec, patience_s)
        found = queues(spec, spec["vhost"], spec["queue"], max(0.1, patience_s - (time.monotonic() - started)))
    except NoAnswerError as error:
        return finding(CRITICAL, "%s: %s" % (for_people(spec["url"]), error))
    if not found and spec["queue"] != "*":
        raise CannotLookError('no queue matches "%s"' % spec["queue"], "correct queue or vhost, or declare the queue")
    return judge_queues(spec, found, alarmed)


def target(spec):
    return " ".join(part for part in (for_people(spec["url"]), spec["vhost"], spec["queue"]) if part)


FAMILY = family(
    "rabbitmq",
    "queues",
    "RabbitMQ answers, and how many messages its longest queue holds",
    dict(
        KEYS,
        vhost=key("str", "only queues of this virtual host; by default of all that the user sees"),
        queue=key("str", "only queues whose name matches this pattern (`*`, `?`)", "*"),
        consumers=key("int", "how many consumers each of these queues has to have", 0),
        warn=threshold("count", "messages in the longest of these queues, ready and unacknowledged"),
        crit=threshold("count", "messages in the longest of these queues, ready and unacknowledged"),
    ),
    run,
    target=target,
    judge_spec=lambda spec: url_faults("url", spec["url"]),
    anywhere=True,
)
