# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One GET of a page of numbers, such as the status of a server: within a time limit, bounded, without redirects."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from urllib.parse import urlsplit

from .family import CannotLookError, NoAnswerError
from .redaction import for_people

MOST_BYTES = 32 * 1024 * 1024


def url_faults(name, url):
    """What is wrong with a URL that a person wrote under the key `name`."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    return [] if good else ["%s is not of the form http://host:port/path" % name]


def get(url, patience_s, user=None, password=None):
    """The body. NoAnswerError when the server is unwell, CannotLookError when it refuses us."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=patience_s)
    late = threading.Event()
    # A time limit per read does not bound a server that sends a byte now and then: cut the connection at the end.
    cut = threading.Timer(patience_s, _hang_up, (connection, late))
    cut.daemon = True
    cut.start()
    headers = {"User-Agent": "roundsman-health", "Connection": "close"}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(("%s:%s" % (user, password or "")).encode()).decode()
    try:
        connection.request("GET", (parts.path or "/") + ("?" + parts.query if parts.query else ""), headers=headers)
        response = connection.getresponse()
        body = response.read(MOST_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, socket.timeout):
            raise NoAnswerError("no complete answer within %.1f s" % patience_s) from error
        if isinstance(error, ssl.SSLCertVerificationError):
            raise NoAnswerError("certificate refused: %s" % error.verify_message) from error
        raise NoAnswerError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error
    finally:
        cut.cancel()
        connection.close()
    if late.is_set():
        raise NoAnswerError("no complete answer within %.1f s" % patience_s)
    shown = for_people(url).partition("?")[0]
    if response.status in (401, 403):
        raise CannotLookError(
            "%s refuses with status %d" % (shown, response.status),
            "correct user and password, or what this user may see",
        )
    if response.status == 404:
        raise CannotLookError("%s is not there (status 404)" % shown, "correct what is asked for")
    if response.status != 200:
        raise NoAnswerError("status %d" % response.status)
    if len(body) > MOST_BYTES:
        raise CannotLookError("%s is longer than %d MiB" % (shown, MOST_BYTES // 1024**2))
    return body


def _hang_up(connection, late):
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):  # the other side was faster
            connection.sock.shutdown(socket.SHUT_RDWR)
