# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The little of Redis's protocol (RESP2) that checks need: connect, log in, ask, within one time limit."""

from __future__ import annotations

import socket
import time

from .family import CannotLookError, NoAnswerError, key

LONGEST_ANSWER = 16 * 1024 * 1024
# Errors about the server's own state (loading its data, without its primary, ...) and not about what we asked.
UNWELL = ("LOADING", "MASTERDOWN", "MISCONF", "BUSY", "CLUSTERDOWN", "OOM")
KEYS = {
    "host": key("str", "name or address of the server, looked up where the check runs", "localhost"),
    "port": key("port", "its port", 6379),
    "socket": key("path", "its unix socket, instead of host and port"),
    "username": key("str", "user to log in as (Redis 6 and newer)"),
    "password": key("str", "password, if the server wants one"),
    "database": key("int", "number of the database", 0),
}


class RefusedError(Exception):
    """Redis answered with an error; the text is its own."""


class Redis:
    """A connection. Every method may raise OSError, socket.timeout at the time limit, ValueError or RefusedError, and
    NoAnswerError when the server is there but unwell.
    """

    def __init__(self, address, patience_s):
        """`address`: the path of a unix socket, or (host, port)."""
        self._deadline = time.monotonic() + patience_s
        self._waiting = b""
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(patience_s)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, patience_s)

    def allow(self, patience_s):
        """From now on there is this much time."""
        self._deadline = time.monotonic() + patience_s

    def ask(self, *words):
        """The answer to one command: text, whole number, list or None."""
        parts = [str(word).encode("utf-8", "surrogateescape") for word in words]
        packed = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.settimeout(self._left_s())
        self._socket.sendall(b"*%d\r\n%s" % (len(parts), packed))
        return self._answer()

    def info(self):
        """INFO as a mapping of text."""
        lines = (line.partition(":") for line in self.ask("INFO").splitlines() if not line.startswith("#"))
        return {name: value for name, _colon, value in lines}

    def close(self):
        self._socket.close()

    def _answer(self):
        line = self._take_line()
        kind, rest = line[:1], line[1:].decode("utf-8", "surrogateescape")
        if kind == b"+":
            return rest
        if kind == b"-":
            raise (NoAnswerError if rest.split(" ")[0] in UNWELL else RefusedError)(rest)
        if kind not in (b":", b"$", b"*"):
            raise ValueError("what answers is not Redis")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"$":
            return self._take(number + 2)[:-2].decode("utf-8", "surrogateescape")
        return [self._answer() for _item in range(number)]

    def _take_line(self):
        while b"\r\n" not in self._waiting:
            self._receive()
        line, _end, self._waiting = self._waiting.partition(b"\r\n")
        return line

    def _take(self, length):
        while len(self._waiting) < length:
            self._receive()
        taken, self._waiting = self._waiting[:length], self._waiting[length:]
        return taken

    def _receive(self):
        self._socket.settimeout(self._left_s())
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionResetError("closed the connection without an answer")
        self._waiting += received
        if len(self._waiting) > LONGEST_ANSWER:
            raise ValueError("its answer is too long")

    def _left_s(self):
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        return left


def address(spec):
    return spec["socket"] or "%s:%d" % (spec["host"], spec["port"])


def log_in(spec, patience_s):
    """A Redis connection for KEYS, logged in. CannotLookError when we may not; else as Redis's methods."""
    try:
        server = Redis(spec["socket"] or (spec["host"], spec["port"]), patience_s)
    except PermissionError as error:
        remedy = "check as root (roundsman_health_become: true), or join the socket's group"
        raise CannotLookError("%s: no permission" % address(spec), remedy) from error
    try:
        if spec["password"]:
            server.ask("AUTH", *[word for word in (spec["username"], spec["password"]) if word])
        if spec["database"]:
            server.ask("SELECT", spec["database"])
        server.ask("PING")
    except RefusedError as error:
        server.close()
        raise refused(spec, error) from error
    except BaseException:
        server.close()
        raise
    return server


def refused(spec, error):
    """The CannotLookError for a command that Redis refuses."""
    return CannotLookError(
        "%s refuses: %s" % (address(spec), error),
        "correct what is asked, or the user, its password and its permissions",
    )


def trouble(error, patience_s):
    """Why the server did not answer, for a person."""
    if isinstance(error, socket.timeout):
        return "does not answer within %.1f s" % patience_s
    return str(getattr(error, "strerror", None) or error)
