# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HAProxy's runtime API: one command to its socket, one answer."""

from __future__ import annotations

import csv
import socket
import time

_TIMEOUT_S = 10
_MOST_BYTES = 16 << 20


class HaproxyError(Exception):
    """HAProxy did not do what it was told; the message says why."""


def tell(address, command):
    """What HAProxy answers to a command, at a path or at HOST:PORT."""
    host, colon, port = address.rpartition(":")
    is_path = address.startswith("/") or not colon
    try:
        with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(address if is_path else (host, int(port)))
            connection.sendall(command.encode() + b"\n")
            return _all(connection).decode("utf-8", "backslashreplace").strip()
    except (OSError, ValueError) as error:
        raise HaproxyError("HAProxy does not answer at {0}: {1}".format(address, error)) from error


def status(stats, server):
    """(state, sessions) of BACKEND/SERVER in the answer to `show stat`, None when it is not there."""
    for row in csv.DictReader(stats.lstrip("# ").splitlines()):
        if "{pxname}/{svname}".format(**row) == server:
            return row["status"], int(row["scur"] or 0)
    return None


def set_state(address, server, state):
    """Tell HAProxy the state of BACKEND/SERVER. Raises HaproxyError with its words."""
    said = tell(address, "set server {0} state {1}".format(server, state))
    if said:
        raise HaproxyError("HAProxy refuses to set {0} to {1}: {2}".format(server, state, said))


def wait(address, server, state, patience_s, clock=time.monotonic, sleep=time.sleep):
    """Wait until nobody uses a drained server, or until one that is ready is up; (whether it came, state, sessions)."""
    until = clock() + patience_s
    while True:
        now = look(address, server)
        came = now[0].startswith(("UP", "no check")) if state == "ready" else now[1] == 0
        if came or clock() >= until:
            return (came, *now)
        sleep(0.5)


def look(address, server):
    found = status(tell(address, "show stat"), server)
    if found is None:
        raise HaproxyError("HAProxy at {0} has no server {1}".format(address, server))
    return found


def _all(connection):
    data = b""
    while len(data) < _MOST_BYTES:
        part = connection.recv(1 << 16)
        if not part:
            break
        data += part
    return data
