# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTTP request, once or several times: status, content, times, and how long the certificate stays valid."""

from __future__ import annotations

import collections
import functools
import http.client
import ipaddress
import re
import socket
import time
from urllib.parse import urlsplit

from ..apart import bad_expressions, run_apart
from ..family import CRITICAL, OK, CannotLookError, family, finding, judge, key, limits, perf, threshold, worst
from ..http_timing import PARTS, refusal, tls_context, visit
from ..json_values import bad_values, judge_json
from ..redaction import for_people
from ..regex_worker import answer as search

MOST_SAMPLES = 20
METHODS = ("GET", "HEAD", "POST")

# One request: its Answer or None, what is amiss with it in words, and performance data of its content.
Sample = collections.namedtuple("Sample", "answer status faults perfdata")


def wanted(statuses, code):
    """Whether a status code is one of the expected: `200`, `2xx`."""
    return any(re.fullmatch(str(status).lower().replace("x", r"\d"), str(code)) for status in statuses)


def judge_answer(spec, answer, context):
    """The Sample that an answer is."""
    faults = []
    if not wanted(spec["status"], answer.code):
        moved = " at %s" % for_people(answer.url) if answer.url != spec["url"] else ""
        faults.append("status %d%s, expected %s" % (answer.code, moved, " or ".join(spec["status"])))
    if spec["contains"] and spec["contains"] not in answer.text():
        faults.append('"%s" is not in the answer' % spec["contains"])
    if spec["regex"] and not run_apart(context, search, {"regex": spec["regex"], "texts": [answer.text()]})[0]:
        faults.append("the answer does not match %s" % spec["regex"])
    for name, expression in (spec["header"] or {}).items():
        value = answer.headers.get(name.lower())
        if value is None:
            faults.append("there is no header %s" % name)
        elif not run_apart(context, search, {"regex": expression, "texts": [value]})[0]:
            faults.append("header %s does not match %s" % (name, expression))
    status, more, data = judge_json(spec["json"], answer.text()) if spec["json"] else (OK, [], [])
    return Sample(answer, worst([status] + [CRITICAL] * bool(faults)), faults + more, data)


def take(spec, tls, context, patience_s):
    """One Sample, within `patience_s`."""
    started = time.monotonic()
    try:
        answer = visit(spec, tls, patience_s)
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, socket.timeout) or time.monotonic() - started >= patience_s
        words = "no complete answer within %.1f s" % patience_s if late else refusal(error)
        return Sample(None, CRITICAL, [words], [])
    return judge_answer(spec, answer, context)


def percentile(values, share):
    """The nearest rank."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


def judge_times(spec, samples):
    """(status, words, perfdata, value): the time of one answer, of several their 95th percentile."""
    fine = [sample for sample in samples if sample.status != CRITICAL and sample.answer]
    timed = fine or [sample for sample in samples if sample.answer]
    if not timed:
        return OK, [], [], None
    times = {part: [sample.answer.times[part] for sample in timed] for part in PARTS}
    whole, first = percentile(times["time"], 95), percentile(times["first_byte"], 95)
    thresholds, early = (spec["warn"], spec["crit"]), (spec["first_byte_warn"], spec["first_byte_crit"])
    grades = [judge(whole, *thresholds), judge(first, *early)]
    name = "95% of them in" if len(samples) > 1 else "in"
    words = ["%s %.3f s%s" % (name, whole, limits(grades[0], *thresholds))]
    if grades[1] != OK:
        words.append("first byte after %.3f s%s" % (first, limits(grades[1], *early)))
    data = [perf("time", whole, "s", thresholds, (0,))]
    if len(samples) > 1:
        data += [perf("time p50", percentile(times["time"], 50), "s"), perf("time max", max(times["time"]), "s")]
    for part in PARTS[:-1]:
        crossed = early if part == "first_byte" else (None, None)
        data.append(perf(part.replace("_", " "), percentile(times[part], 95), "s", crossed, (0,)))
    return worst(grades), words, data, round(whole, 4)


def judge_certificate(spec, samples, now):
    """(status, words, perfdata) of the certificate that expires first."""
    ends = [sample.answer.expires for sample in samples if sample.answer and sample.answer.expires is not None]
    if not ends:
        return OK, [], []
    thresholds, left = (spec["certificate_warn"], spec["certificate_crit"]), min(ends) - now
    status = judge(left, *thresholds)
    ended = "has expired" if left < 0 else "expires in %d days" % (left // 86400)
    words = "certificate %s%s" % (ended, limits(status, *thresholds))
    return status, [words], [perf("certificate", left, "s", thresholds)]


def judge_samples(spec, samples, now):
    """The Finding on all samples at `now`, in seconds since the epoch."""
    failed = [sample for sample in samples if sample.status == CRITICAL]
    others = [sample for sample in samples if sample.status not in (OK, CRITICAL)]
    shown = (failed or others or samples)[0]
    words = []
    if len(samples) > 1:
        words.append("%d of %d answers fine" % (len(samples) - len(failed), len(samples)))
    elif shown.answer and wanted(spec["status"], shown.answer.code):
        moved = " at %s" % for_people(shown.answer.url) if shown.answer.url != spec["url"] else ""
        words.append("status %d%s" % (shown.answer.code, moved))
    if 0 < len(samples) < spec["samples"]:
        words.append("no time for all %d" % spec["samples"])
    tolerable = len(failed) <= spec["failures"] and len(failed) < len(samples)
    grades = [OK if tolerable else CRITICAL, *(sample.status for sample in others)]
    words += shown.faults
    grade, more, data, value = judge_times(spec, samples)
    valid, about, left = judge_certificate(spec, samples, now)
    data += left + shown.perfdata
    if spec["samples"] > 1:
        data.append(perf("failed", len(failed), "", bounds=(0, len(samples))))
    message = "%s: %s" % (target(spec), ", ".join([*words, *more, *about]))
    return finding(worst([*grades, grade, valid]), message, value, "s", " ".join(data))


def target(spec):
    return for_people(spec["url"])


def run(spec, context):
    ends_at = time.monotonic() + context.patience_s
    tls = functools.lru_cache(maxsize=1)(lambda: tls_context(spec))  # to read all authorities takes some 20 ms
    try:
        if spec["ca"] or urlsplit(spec["url"]).scheme == "https":
            tls()
    except OSError as error:
        words = error.strerror or "holds no certificates"
        raise CannotLookError("ca %s: %s" % (spec["ca"], words), "correct the path on the host") from error
    samples = []
    for number in range(spec["samples"]):
        if number:
            time.sleep(min(spec["pause"], max(0.0, ends_at - time.monotonic())))
        left = ends_at - time.monotonic()
        if number and left < 0.05:
            break
        samples.append(take(spec, tls, context, left))
    return judge_samples(spec, samples, time.time())


def judge_spec(spec):
    return _url_faults(spec) + _request_faults(spec) + _answer_faults(spec)


def _url_faults(spec):
    faults = []
    try:
        parts = urlsplit(spec["url"])
        well_formed = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if not well_formed or re.search(r"\s", spec["url"]):
            faults.append('url "%s" is not of the form http://host/path or https://host/path' % target(spec))
    except ValueError as error:
        faults.append("url is not of the form http://host/path or https://host/path: %s" % error)
    if spec["resolve"]:
        try:
            ipaddress.ip_address(spec["resolve"])
        except ValueError:
            faults.append('resolve "%s" is not an address' % spec["resolve"])
    return faults


def _request_faults(spec):
    faults = []
    for name, value in (spec["headers"] or {}).items():
        # The value may be a secret, so it is not quoted.
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or re.search(r"[^\t -~\xa0-\xff]", value):
            faults.append("headers: %s has a character that no header may have" % name)
    if spec["body"] and spec["method"] != "POST":
        faults.append("body goes together with method: POST only")
    if not 1 <= spec["samples"] <= MOST_SAMPLES:
        faults.append("samples has to be from 1 to %d, not %d" % (MOST_SAMPLES, spec["samples"]))
    if spec["failures"] < 0:
        faults.append("failures cannot be below 0")
    return faults


def _answer_faults(spec):
    strange = [status for status in spec["status"] if not re.fullmatch(r"[1-5]([0-9]{2}|[xX]{2})", status)]
    faults = []
    if strange or not spec["status"]:
        faults.append("status takes codes such as 200 or 2xx, not %s" % (", ".join(strange) or "an empty list"))
    if spec["method"] == "HEAD" and (spec["contains"] or spec["regex"] or spec["json"]):
        faults.append("method HEAD gets no content for contains, regex or json")
    faults += bad_expressions(spec, "regex") + bad_expressions(spec["header"] or {}, *(spec["header"] or {}))
    return faults + bad_values(spec["json"] or {})


FAMILY = family(
    "http",
    "api",
    "an HTTP(S) URL answers as expected; the value is the response time, redirects included; no proxy is used",
    {
        "url": key("str", "what to ask for; user and password in it are sent as basic authentication", required=True),
        "method": key("str", "kind of request; one that changes nothing", "GET", choices=METHODS),
        "body": key("str", "what to post; name its Content-Type in `headers`"),
        "headers": key("dict", "headers to send, to the URL's own host only"),
        "resolve": key("str", "address to connect to, instead of what the URL's host resolves to"),
        "samples": key("int", "how many requests, one after the other, up to 20, each a new connection", 1),
        "pause": key("seconds", "time between two samples", "100ms"),
        "failures": key("int", "how many of the samples may fail", 0),
        "status": key("list", "status codes that are fine, `2xx` for any of a hundred", ("2xx",)),
        "header": key("dict", "headers of the answer, each with a regular expression that it matches"),
        "contains": key("str", "text that has to be in the first MiB of the answer"),
        "regex": key("str", "regular expression that has to match in the first MiB of the answer"),
        "json": key("values", "paths in the JSON answer, each with its value, or `{warn: …, crit: …}` for a number"),
        "follow_redirects": key("bool", "follow up to five redirects", True),
        "verify": key("bool", "refuse a certificate that is not valid for the host", True),
        "ca": key("path", "file of certificate authorities on the host, instead of the system's"),
        "warn": threshold("duration", "response time; of several samples the 95th percentile", "2s"),
        "crit": threshold("duration", "response time"),
        "first_byte_warn": threshold("duration", "time until the first byte of the answer"),
        "first_byte_crit": threshold("duration", "time until the first byte of the answer"),
        "certificate_warn": threshold("duration", "time until the certificate expires", "21d", floor=True),
        "certificate_crit": threshold("duration", "time until the certificate expires", "7d", floor=True),
    },
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
