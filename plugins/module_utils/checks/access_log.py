# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The share of requests in an access log that the server failed (HTTP 5xx), since the last round."""

from __future__ import annotations

from ..family import OK, CannotLookError, family, finding, judge, key, limits, perf, threshold, worst
from ..log_reader import KEYS, look, since

STATUS_FIELDS = (
    "status",
    "status_code",
    "response_code",
    "code",
    "DownstreamStatus",
    "response.status",
    "http.response.status_code",
)
TIME_FIELDS = ("request_time", "rt", "duration", "elapsed", "response_time", "latency")
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def failures(statuses):
    """(number of requests, how many of them failed, words for the failures by status, most frequent first)."""
    bad = sorted((item for item in statuses.items() if item[0].startswith("5")), key=lambda item: -item[1])
    words = ", ".join("%d with %s" % (count, status) for status, count in bad[:3])
    return sum(statuses.values()), sum(count for _status, count in bad), words


def judge_times(spec, times):
    """(status, words, perfdata) of the percentiles of the time that requests took; nothing where the log has none."""
    if times["p95"] is None:
        return OK, [], []
    seconds = {name: value * TIME_UNITS[spec["time_unit"]] for name, value in times.items()}
    thresholds = spec["latency_warn"], spec["latency_crit"]
    status = judge(seconds["p95"], *thresholds)
    data = [perf(name, seconds[name], "s", thresholds if name == "p95" else (None, None), (0,)) for name in seconds]
    return status, ["95%% took at most %.3f s%s" % (seconds["p95"], limits(status, *thresholds))], data


def judge_sums(spec, sums, seconds, notes):
    """The Finding on what was counted."""
    requests, failed, by_status = failures(sums["statuses"])
    if sums["strange"] and not requests:
        raise CannotLookError(
            "none of %d lines of %s is in common, combined or JSON format" % (sums["strange"], spec["path"]),
            "name the log's fields with status_field, or log in one of these formats",
        )
    share = 100.0 * failed / requests if requests else 0.0
    thresholds, judged = (spec["warn"], spec["crit"]), requests >= max(1, spec["min_requests"])
    status = judge(share, *thresholds) if judged else OK
    counted = "%d request%s in %s%s" % (requests, "s" * (requests != 1), spec["path"], since(seconds))
    which = ": " + by_status if by_status else ""
    words = ["%.3g%% of %s failed%s%s" % (share, counted, which, limits(status, *thresholds))]
    grade, more, data = judge_times(spec, sums["times"])
    if not judged:
        words, grade = ["%s, %d failed: too few to judge" % (counted, failed)], OK
    if sums["strange"]:
        more.append("%d lines are in no known format" % sums["strange"])
    if requests:
        data.insert(0, perf("5xx", share, "%", thresholds, (0, 100)))
    data += [perf("requests", requests, "", bounds=(0,)), perf("failed", failed, "", bounds=(0,))]
    if seconds:
        data.append(perf("requests per minute", requests * 60 / seconds, "", bounds=(0,)))
    value = round(share, 3) if judged else None
    return finding(worst([status, grade]), "; ".join([*words, *more, *notes]), value, "%", " ".join(data))


def run(spec, context):
    request = {
        "count": "requests",
        "status_fields": [spec["status_field"]] if spec["status_field"] else STATUS_FIELDS,
        "time_fields": [spec["time_field"]] if spec["time_field"] else TIME_FIELDS,
    }
    return judge_sums(spec, *look(spec, context, request))


def judge_spec(spec):
    return ["min_requests cannot be below 0"] if spec["min_requests"] < 0 else []


FAMILY = family(
    "access_log",
    "errors",
    "share of requests that ended in a server error (HTTP 5xx) in an access log, since the last round",
    dict(
        KEYS,
        warn=threshold("percent", "share of 5xx", "1%"),
        crit=threshold("percent", "share of 5xx", "5%"),
        min_requests=key("int", "with fewer requests there is no verdict", 20),
        status_field=key("str", "JSON: field of the status, `a.b` for one inside another; the usual ones are known"),
        time_field=key("str", "field of the time a request took, in JSON or as `name=1.5`; the usual ones are known"),
        time_unit=key("str", "unit of that time", "s", choices=tuple(TIME_UNITS)),
        latency_warn=threshold("duration", "time that 95% of the requests took at most"),
        latency_crit=threshold("duration", "time that 95% of the requests took at most"),
    ),
    run,
    target=lambda spec: spec["path"],
    judge_spec=judge_spec,
)
