# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTTP request: status, content, response time and how long the certificate stays valid."""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from ..family import CRITICAL, OK, CannotLookError, family, finding, judge, key, limits, perf, threshold, worst
from ..x509 import not_after

MOST_REDIRECTS = 5
MOST_BYTES = 1024 * 1024
REDIRECTS = (301, 302, 303, 307, 308)


class Answer:
    """What one URL, after redirects, gave: status code, body, seconds, and when its first certificate expires."""

    def __init__(self):
        self.code = None
        self.body = b""
        self.took_s = 0.0
        self.expires = None  # seconds since the epoch
        self.url = ""


def without_password(url):
    """`url` without user and password, for people."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def wanted(statuses, code):
    """Whether a status code is one of the expected: `200`, `2xx`."""
    return any(re.fullmatch(str(status).lower().replace("x", r"\d"), str(code)) for status in statuses)


def tls(spec):
    context = ssl.create_default_context(cafile=spec["ca"])
    if not spec["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def request_headers(spec, url, origin):
    """Headers for `url`; secrets go to the origin of the check's own URL only, never along a redirect."""
    headers = {"User-Agent": "roundsman-health", "Accept": "*/*", "Connection": "close"}
    parts, first = urlsplit(url), urlsplit(origin)
    if (parts.scheme, parts.hostname, parts.port) == (first.scheme, first.hostname, first.port):
        headers.update({str(name): str(value) for name, value in (spec["headers"] or {}).items()})
        if first.username is not None:
            pair = "%s:%s" % (unquote(first.username), unquote(first.password or ""))
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def fetch(spec, url, answer, deadline):
    """Fill `answer` from one request; the URL of a redirect, or None."""
    parts = urlsplit(url)
    left = max(0.1, deadline - time.monotonic())
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=left, context=tls(spec))
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=left)
    # A time limit per read does not bound a server that sends a byte now and then: cut the connection at the deadline.
    cut = threading.Timer(left, hang_up, (connection,))
    cut.daemon = True
    cut.start()
    try:
        connection.connect()
        if parts.scheme == "https":
            until = not_after(connection.sock.getpeercert(binary_form=True))
            answer.expires = until if answer.expires is None else min(until, answer.expires)
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET", path, headers=request_headers(spec, url, spec["url"]))
        response = connection.getresponse()
        answer.code, answer.url = response.status, url
        answer.body = response.read(MOST_BYTES)
        location = response.getheader("Location")
    finally:
        cut.cancel()
        connection.close()
    return urljoin(url, location) if answer.code in REDIRECTS and location else None


def hang_up(connection):
    if connection.sock is not None:
        with contextlib.suppress(OSError):  # the other side was faster
            connection.sock.shutdown(socket.SHUT_RDWR)


def visit(spec, patience_s):
    """The Answer of spec's URL after redirects; OSError or HTTPException when there is none."""
    answer, started = Answer(), time.monotonic()
    url = spec["url"]
    for _step in range(MOST_REDIRECTS + 1):
        onward = fetch(spec, url, answer, started + patience_s)
        if time.monotonic() - started >= patience_s:
            raise socket.timeout
        if not onward or not spec["follow_redirects"]:
            break
        if urlsplit(onward).scheme not in ("http", "https"):
            raise http.client.HTTPException("redirects to %s" % without_password(onward))
        url = onward
    else:
        raise http.client.HTTPException("redirects more than %d times" % MOST_REDIRECTS)
    answer.took_s = round(time.monotonic() - started, 4)
    return answer


def refusal(error):
    """Why a request failed, for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate refused: %s" % error.verify_message
    if isinstance(error, ssl.SSLError):
        return "TLS fails: %s" % (error.reason or error)
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed the connection without an answer"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "no valid HTTP answer: %s" % (str(error) or type(error).__name__)


def judge_answer(spec, answer, now):
    """The Finding on an answer at `now`, in seconds since the epoch."""
    grades, words, data = [], [], []
    good = wanted(spec["status"], answer.code)
    grades.append(OK if good else CRITICAL)
    moved = " at %s" % without_password(answer.url) if answer.url != spec["url"] else ""
    expected = "" if good else ", expected %s" % " or ".join(str(status) for status in spec["status"])
    words.append("status %d%s%s" % (answer.code, moved, expected))
    if spec["contains"] and spec["contains"].encode() not in answer.body:
        grades.append(CRITICAL)
        words.append('"%s" is not in the answer' % spec["contains"])
    warn, crit = spec["warn"], spec["crit"]
    grades.append(judge(answer.took_s, warn, crit))
    words.append("in %.3f s%s" % (answer.took_s, limits(grades[-1], warn, crit)))
    data.append(perf("time", answer.took_s, "s", (warn, crit), (0,)))
    if answer.expires is not None:
        warn, crit = spec["certificate_warn"], spec["certificate_crit"]
        left = answer.expires - now
        grades.append(judge(left, warn, crit))
        ended = "has expired" if left < 0 else "expires in %d days" % (left // 86400)
        words.append("certificate %s%s" % (ended, limits(grades[-1], warn, crit)))
        data.append(perf("certificate", left, "s", (warn, crit)))
    return finding(worst(grades), "%s: %s" % (target(spec), ", ".join(words)), answer.took_s, "s", " ".join(data))


def target(spec):
    return without_password(spec["url"])


def run(spec, context):
    # A little less than the limit, so that silence is this check's own verdict and not a check without an answer.
    patience = context.limit_s * 0.9
    started = time.monotonic()
    try:
        if spec["ca"]:
            open(spec["ca"], "rb").close()
    except OSError as error:
        raise CannotLookError("ca %s: %s" % (spec["ca"], error.strerror), "correct the path on the host") from error
    try:
        answer = visit(spec, patience)
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, socket.timeout) or time.monotonic() - started >= patience
        words = "no complete answer within %.1f s" % patience if late else refusal(error)
        return finding(CRITICAL, "%s: %s" % (target(spec), words), unit="s")
    return judge_answer(spec, answer, time.time())


def judge_spec(spec):
    faults = []
    try:
        parts = urlsplit(spec["url"])
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            faults.append('url "%s" is not of the form http://host/path or https://host/path' % target(spec))
    except ValueError as error:
        faults.append("url is not of the form http://host/path or https://host/path: %s" % error)
    strange = [status for status in spec["status"] if not re.fullmatch(r"[1-5]([0-9]{2}|[xX]{2})", status)]
    if strange or not spec["status"]:
        faults.append("status takes codes such as 200 or 2xx, not %s" % (", ".join(strange) or "an empty list"))
    return faults


FAMILY = family(
    "http",
    "api",
    "an HTTP(S) URL answers as expected; the value is the response time, redirects included; no proxy is used",
    {
        "url": key("str", "what to get; user and password in it are sent as basic authentication", required=True),
        "status": key("list", "status codes that are fine, `2xx` for any of a hundred", ("2xx",)),
        "contains": key("str", "text that has to be in the first MiB of the answer"),
        "headers": key("dict", "headers to send, to the URL's own host only"),
        "follow_redirects": key("bool", "follow up to five redirects", True),
        "verify": key("bool", "refuse a certificate that is not valid for the host", True),
        "ca": key("path", "file of certificate authorities on the host, instead of the system's"),
        "warn": threshold("duration", "response time", "2s"),
        "crit": threshold("duration", "response time"),
        "certificate_warn": threshold("duration", "time until the certificate expires", "21d", floor=True),
        "certificate_crit": threshold("duration", "time until the certificate expires", "7d", floor=True),
    },
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
