# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a TCP port accepts a connection, and how fast."""

from __future__ import annotations

import socket
import time

from ..family import CRITICAL, family, finding, judge, key, limits, perf, threshold


def target(spec):
    host = "[%s]" % spec["host"] if ":" in spec["host"] else spec["host"]
    return "%s:%d" % (host, spec["port"])


def run(spec, context):
    patience, started = context.patience_s, time.monotonic()
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(spec["host"], spec["port"], type=socket.SOCK_STREAM)}
        socket.create_connection((spec["host"], spec["port"]), timeout=patience / len(addresses)).close()
    except socket.timeout:
        return finding(CRITICAL, "%s does not accept a connection within %.1f s" % (target(spec), patience), unit="s")
    except OSError as error:
        return finding(CRITICAL, "%s: %s" % (target(spec), error.strerror or error), unit="s")
    took = round(time.monotonic() - started, 4)
    warn, crit = spec["warn"], spec["crit"]
    status = judge(took, warn, crit)
    message = "%s accepts connections, in %.3f s%s" % (target(spec), took, limits(status, warn, crit))
    return finding(status, message, took, "s", perf("time", took, "s", (warn, crit), (0,)))


FAMILY = family(
    "tcp",
    "services",
    "a TCP port accepts a connection; the value is the time that takes",
    {
        "host": key("str", "name or address, looked up on the checked host", "localhost"),
        "port": key("port", "port number", required=True),
        "warn": threshold("duration", "time to connect", "1s"),
        "crit": threshold("duration", "time to connect"),
    },
    run,
    target=target,
    anywhere=True,
)
