# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When an X.509 certificate expires, read from its DER form (RFC 5280, 4.1).

Python tells the dates of a peer's certificate only when it has verified it, and a certificate that nobody verifies
expires as well.
"""

from __future__ import annotations

import calendar
import time

SEQUENCE, VERSION, UTC_TIME = 0x30, 0xA0, 0x17


def not_after(der):
    """The end of a certificate's validity, in seconds since the epoch; ValueError when it is not a certificate."""
    try:
        certificate = _children(der, 0, len(der))[0]
        fields = _children(der, *_children(der, *certificate[1:])[0][1:])
        # version (optional), serial number, signature algorithm, issuer, validity
        validity = fields[4 if fields[0][0] == VERSION else 3]
        kind, start, end = _children(der, *validity[1:])[1]
        text = der[start:end].decode("ascii")
        if kind == UTC_TIME:
            text = ("20" if int(text[:2]) < 50 else "19") + text
        return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("the server's certificate cannot be read") from error


def _children(der, start, end):
    """(tag, start, end) of the contents of each element between two offsets."""
    found = []
    while start < end:
        tag, length = der[start], der[start + 1]
        start += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(der[start : start + octets], "big")
            start += octets
        found.append((tag, start, start + length))
        start += length
    return found
