# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTTP request with the time of each of its parts. Every request is a connection of its own."""

from __future__ import annotations

import base64
import contextlib
import http.client
import queue
import re
import socket
import ssl
import threading
import time
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from .redaction import for_people
from .x509 import not_after

MOST_REDIRECTS = 5
MOST_BYTES = 1024 * 1024
PORTS = {"http": 80, "https": 443}
REDIRECTS = (301, 302, 303, 307, 308)
PARTS = ("dns", "connect", "tls", "first_byte", "time")


class Answer:
    """What one URL, after redirects, gave. `times` in s: dns, connect and tls are sums over the redirects; first_byte
    and time reach from the beginning to the last answer's first and last byte.
    """

    def __init__(self):
        self.code = None
        self.headers = {}  # by name in lower case
        self.body = b""
        self.url = ""
        self.expires = None  # of the first certificate that does, in seconds since the epoch
        self.link = None  # the socket in use
        self.times = dict.fromkeys(PARTS, 0.0)

    def text(self):
        charset = re.search(r"charset=[\"']?([\w-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        try:
            return self.body.decode(charset.group(1) if charset else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


class Response(http.client.HTTPResponse):
    """Remembers when its first byte came."""

    came = None

    def begin(self):
        self.fp.peek(1)
        self.came = time.monotonic()
        super().begin()


def origin(url):
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def tls_context(spec):
    context = ssl.create_default_context(cafile=spec["ca"])
    if not spec["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def request_headers(spec, url):
    """Headers for `url`; secrets go to the origin of the check's own URL only, never along a redirect."""
    headers = {"User-Agent": "roundsman-health", "Accept": "*/*", "Connection": "close"}
    if origin(url) == origin(spec["url"]):
        headers.update(spec["headers"] or {})
        first = urlsplit(spec["url"])
        if first.username is not None:
            pair = "%s:%s" % (unquote(first.username), unquote(first.password or ""))
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def addresses_of(host, port, patience_s):
    """Entries of getaddrinfo, which itself knows no time limit."""
    answers = queue.Queue()

    def ask():
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=patience_s)
    except queue.Empty:
        raise socket.timeout("the name server does not answer") from None
    if isinstance(answer, UnicodeError):
        raise OSError("%s is no host name" % host) from answer
    if isinstance(answer, OSError):
        raise answer
    return answer


def connected(entries, deadline):
    """A socket that is connected to the first of the addresses that answers."""
    for left, (kind, form, protocol, _name, address) in zip(range(len(entries), 0, -1), entries):
        link = socket.socket(kind, form, protocol)
        try:
            link.settimeout(max(0.05, (deadline - time.monotonic()) / left))
            link.connect(address)
        except OSError as error:
            link.close()
            failure = error
        else:
            link.settimeout(max(0.05, deadline - time.monotonic()))
            return link
    raise failure


@contextlib.contextmanager
def lap(times, part):
    """Adds how long what is inside takes."""
    began = time.monotonic()
    yield
    times[part] += time.monotonic() - began


def hang_up(answer):
    if answer.link is not None:
        with contextlib.suppress(OSError):  # the other side was faster
            # The plain socket's: that of TLS would take its state from under the thread that reads.
            socket.socket.shutdown(answer.link, socket.SHUT_RDWR)


def open_link(spec, url, answer, tls, deadline):
    """Connect `answer.link`, with TLS where the URL wants it."""
    scheme, host, port = origin(url)
    where = spec["resolve"] if spec["resolve"] and host == origin(spec["url"])[1] else host
    with lap(answer.times, "dns"):
        entries = addresses_of(where, port, max(0.05, deadline - time.monotonic()))
    with lap(answer.times, "connect"):
        answer.link = connected(entries, deadline)
    if scheme == "https":
        context = tls()
        with lap(answer.times, "tls"):
            answer.link = context.wrap_socket(answer.link, server_hostname=host, do_handshake_on_connect=False)
            answer.link.do_handshake()
        until = not_after(answer.link.getpeercert(binary_form=True))
        answer.expires = until if answer.expires is None else min(until, answer.expires)


def fetch(spec, url, method, answer, tls, deadline):
    """Fill `answer` from one request; the URL of a redirect, or None."""
    parts = urlsplit(url)
    # Not an HTTPSConnection, which would read all certificate authorities again.
    connection = http.client.HTTPConnection(parts.hostname, origin(url)[2])
    connection.default_port = PORTS[parts.scheme]
    connection.response_class = Response
    # A time limit per read does not bound a server that sends a byte now and then: cut the connection at the deadline.
    cut = threading.Timer(max(0.0, deadline - time.monotonic()), hang_up, (answer,))
    cut.daemon = True
    cut.start()
    try:
        open_link(spec, url, answer, tls, deadline)
        connection.sock = answer.link
        path = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe="%/:=&?~#+!$,;'@()*[]|")
        body = spec["body"].encode() if spec["body"] and method == "POST" else None
        connection.request(method, path, body, request_headers(spec, url))
        response = connection.getresponse()
        answer.code, answer.url = response.status, url
        answer.headers = {name.lower(): response.getheader(name) for name in response.headers}
        answer.body = response.read(MOST_BYTES)
    finally:
        cut.cancel()
        connection.close()
        if answer.link is not None:
            answer.link.close()
    answer.times["first_byte"] = response.came
    location = answer.headers.get("location")
    return urljoin(url, location) if answer.code in REDIRECTS and location else None


def next_method(spec, method, code, url):
    """How a redirect is followed. What is posted goes to the check's own host only."""
    if method != "POST" or code in (301, 302, 303):
        return "GET" if method == "POST" else method
    if origin(url) != origin(spec["url"]):
        raise http.client.HTTPException("redirects what is posted to %s" % for_people(url))
    return method


def visit(spec, tls, patience_s):
    """The Answer of spec's URL after redirects; OSError or HTTPException when there is none.

    `tls` makes the context of encrypted connections when one is needed.
    """
    answer, started = Answer(), time.monotonic()
    url, method = spec["url"], spec["method"]
    for _step in range(MOST_REDIRECTS + 1):
        onward = fetch(spec, url, method, answer, tls, started + patience_s)
        if time.monotonic() - started >= patience_s:
            raise socket.timeout
        if not onward or not spec["follow_redirects"]:
            break
        if urlsplit(onward).scheme not in ("http", "https") or not urlsplit(onward).hostname:
            raise http.client.HTTPException("redirects to %s" % for_people(onward))
        method = next_method(spec, method, answer.code, onward)
        url = onward
    else:
        raise http.client.HTTPException("redirects more than %d times" % MOST_REDIRECTS)
    answer.times["first_byte"] -= started
    answer.times["time"] = time.monotonic() - started
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
