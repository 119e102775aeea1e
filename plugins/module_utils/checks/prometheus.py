# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The value of one metric of a Prometheus text endpoint, such as the depth of a queue."""

from __future__ import annotations

from ..family import CRITICAL, NoAnswerError, family, finding, judge, key, limits, perf, threshold
from ..prometheus_text import AGGREGATES, value
from ..redaction import for_people
from ..web import get, url_faults


def run(spec, context):
    try:
        body = get(spec["url"], context.patience_s, spec["username"], spec["password"])
    except NoAnswerError as error:
        return finding(CRITICAL, "%s: %s" % (for_people(spec["url"]), error))
    number, samples = value(body, spec["metric"], spec["labels"] or {}, spec["aggregate"])
    warn, crit = spec["warn"], spec["crit"]
    status = judge(number, warn, crit)
    of = " (%s of %d samples)" % (spec["aggregate"], samples) if samples > 1 else ""
    message = "%s is %g%s%s" % (spec["metric"], number, limits(status, warn, crit), of)
    return finding(status, message, number, "", perf(spec["metric"], number, "", (warn, crit)))


FAMILY = family(
    "prometheus",
    "queues",
    "the value of one metric of a Prometheus text endpoint",
    {
        "url": key("str", "address of the endpoint", required=True),
        "metric": key("str", "name of the metric", required=True),
        "labels": key("dict", "only samples whose labels match these patterns (`*`, `?`)"),
        "aggregate": key("str", "what to make of several samples", "sum", choices=tuple(AGGREGATES)),
        "username": key("str", "user for basic authentication"),
        "password": key("str", "password for basic authentication"),
        "warn": threshold("count", "the value"),
        "crit": threshold("count", "the value"),
    },
    run,
    target=lambda spec: "%s %s" % (for_people(spec["url"]), spec["metric"]),
    judge_spec=lambda spec: url_faults("url", spec["url"]),
    anywhere=True,
)
