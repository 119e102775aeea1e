# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose an X.509 certificate is and when it is valid, read from its DER form (RFC 5280, 4.1).

Python tells the dates of a peer's certificate only when it has verified it, and a certificate that nobody verifies
expires as well.
"""

from __future__ import annotations

import calendar
import collections
import ipaddress
import time

VERSION, EXTENSIONS, UTC_TIME = 0xA0, 0xA3, 0x17
COMMON_NAME, ALTERNATIVE_NAMES = b"\x55\x04\x03", b"\x55\x1d\x11"
DNS_NAME, IP_ADDRESS = 0x82, 0x87

# `subject` is a name for people; `names` are those that it is valid for: DNS names and addresses.
Certificate = collections.namedtuple("Certificate", "subject names not_before not_after self_issued")


def read(der):
    """The Certificate in `der`; ValueError when it is none."""
    try:
        certificate = _children(der, 0, len(der))[0]
        fields = _children(der, *_children(der, *certificate[1:])[0][1:])
        # version (optional), serial number, signature algorithm, issuer, validity, subject
        first = 1 if fields[0][0] == VERSION else 0
        issuer, validity, subject = fields[first + 2 : first + 5]
        begin, end = (_time(der, *each) for each in _children(der, *validity[1:]))
        names = _names(der, fields)
        common = [value for kind, value in _attributes(der, subject) if kind == COMMON_NAME]
        called = common[-1].decode("utf-8", "replace") if common else next(iter(names), "a certificate without a name")
        return Certificate(called, names, begin, end, der[slice(*issuer[1:])] == der[slice(*subject[1:])])
    except (IndexError, ValueError) as error:
        raise ValueError("the certificate cannot be read") from error


def not_after(der):
    """The end of a certificate's validity, in seconds since the epoch; ValueError when it is not a certificate."""
    return read(der).not_after


def valid_for(certificate, name):
    """Whether it is valid for a host's name or address (RFC 6125): a `*` stands for one whole first label."""
    try:
        return str(ipaddress.ip_address(name)) in certificate.names
    except ValueError:
        pass
    name = name.lower().rstrip(".")
    wild = "*." + name.partition(".")[2]
    return any(one.lower().rstrip(".") in (name, wild) for one in certificate.names)


def _time(der, kind, start, end):
    text = der[start:end].decode("ascii")
    if kind == UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))


def _attributes(der, name):
    """(object identifier, value) of each attribute of a Name."""
    for _kind, *attributes in _children(der, *name[1:]):
        for _tag, *attribute in _children(der, *attributes):
            kind, value = _children(der, *attribute)[:2]
            yield der[slice(*kind[1:])], der[slice(*value[1:])]


def _names(der, fields):
    """The names in the extension that lists them, in their order."""
    for tag, *place in fields:
        if tag != EXTENSIONS:
            continue
        for _kind, *extension in _children(der, *_children(der, *place)[0][1:]):
            parts = _children(der, *extension)
            if der[slice(*parts[0][1:])] == ALTERNATIVE_NAMES:
                listed = _children(der, *_children(der, *parts[-1][1:])[0][1:])
                return [_name(kind, der[start:end]) for kind, start, end in listed if kind in (DNS_NAME, IP_ADDRESS)]
    return []


def _name(kind, value):
    return value.decode("ascii", "replace") if kind == DNS_NAME else str(ipaddress.ip_address(value))


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
