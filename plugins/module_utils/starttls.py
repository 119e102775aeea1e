# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to be said on a mail server's port before it speaks TLS (RFC 3207, 9051, 2595)."""

from __future__ import annotations

import re
import socket
import time

LONGEST_LINE, MOST_LINES = 2000, 100

# Steps: what to send, the line that means yes, and lines that only come before it.
PROTOCOLS = {
    "smtp": ((b"", b"220 ", rb"220-"), (b"EHLO roundsman", b"250 ", rb"250-"), (b"STARTTLS", b"220 ", rb"220-")),
    "imap": ((b"", b"* OK", rb"$^"), (b"r STARTTLS", b"r OK", rb"\* ")),
    "pop3": ((b"", b"+OK", rb"$^"), (b"STLS", b"+OK", rb"$^")),
}


class RefusedError(Exception):
    """The server speaks, but not what was hoped for."""


def upgrade(connection, protocol, deadline):
    """Bring a fresh connection to the point where TLS begins. Raises OSError or RefusedError."""
    for sent, yes, more in PROTOCOLS[protocol]:
        if sent:
            connection.sendall(sent + b"\r\n")
        for _line in range(MOST_LINES):
            line = _read_line(connection, deadline)
            if line.startswith(yes):
                break
            if not re.match(more, line):
                break
        if not line.startswith(yes):
            asked = sent.decode() or "its greeting"
            raise RefusedError('"%s" where %s has to be answered to %s' % (_shown(line), yes.decode().strip(), asked))


def _read_line(connection, deadline):
    # Byte by byte, as what follows the line may belong to TLS; a limit per read does not bound who drips.
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        connection.settimeout(left)
        byte = connection.recv(1)
        if not byte:
            raise RefusedError('hangs up after "%s"' % _shown(line) if line else "hangs up")
        line += byte
    return line


def _shown(line):
    return line.decode("utf-8", "replace").strip()[:100]
