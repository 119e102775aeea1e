# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long X.509 certificates in files or on a port stay valid, and whether a port's is valid for its name."""

from __future__ import annotations

import base64
import collections
import glob
import os
import re
import socket
import ssl
import time

from ..family import (
    BY_SEVERITY,
    CRITICAL,
    UNKNOWN,
    CannotLookError,
    NotThereError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    span,
    threshold,
    worst,
)
from ..starttls import PROTOCOLS, RefusedError, upgrade
from ..x509 import read, valid_for

MOST_BYTES = 4 * 1024 * 1024
PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END", re.DOTALL)

Verdict = collections.namedtuple("Verdict", "status words left_s")


def certificates_in(content):
    """The Certificates in the bytes of a PEM file; ValueError for a damaged one."""
    return [read(base64.b64decode(block)) for block in PEM.findall(content)]


def judge_one(where, certificate, spec, now, name=None):
    """The Verdict on one certificate at `now`; `name` is what it has to be valid for."""
    left, thresholds = certificate.not_after - now, (spec["warn"], spec["crit"])
    grades = [judge(left, *thresholds)]
    ended = "expired %s ago" % span(-left) if left < 0 else "expires in %s" % span(left)
    words = "%s: %s %s%s" % (where, certificate.subject, ended, limits(grades[0], *thresholds))
    if certificate.not_before > now:
        grades.append(CRITICAL)
        words += ", and is not valid before %s" % time.strftime("%Y-%m-%d", time.gmtime(certificate.not_before))
    if name and not valid_for(certificate, name):
        grades.append(CRITICAL)
        valid = ", ".join(certificate.names[:5]) or "no name"
        words += ", and is not valid for %s (but for %s)" % (name, valid)
    if certificate.self_issued and name:
        words += ", self-signed"
    return Verdict(worst(grades), words, left)


def judge_files(found, troubles, spec, now):
    """The Finding on all certificates of files: path -> Certificates, and path -> why it could not be read."""
    verdicts = [judge_one(path, one, spec, now) for path, ones in found.items() for one in ones]
    verdicts.sort(key=lambda each: (-BY_SEVERITY.index(each.status), each.left_s))
    amiss = [each.words for each in verdicts if each.status != "OK"]
    amiss += ["%s: %s" % item for item in sorted(troubles.items())]
    words = "; ".join(amiss[:5]) + (" and %d more" % (len(amiss) - 5) if len(amiss) > 5 else "")
    if not amiss:
        words = verdicts[0].words
        if len(verdicts) > 1:
            words = "%d certificates, first %s" % (len(verdicts), words)
    status = worst([each.status for each in verdicts] + [UNKNOWN] * bool(troubles))
    return _finding(status, words, min((each.left_s for each in verdicts), default=None), spec, len(verdicts))


def _finding(status, words, left, spec, count):
    data = [] if left is None else [perf("certificate", round(left), "s", (spec["warn"], spec["crit"]))]
    return finding(status, words, left and round(left), "s", " ".join([*data, perf("certificates", count)]))


def look_at_files(spec):
    patterns = spec["path"]
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True)} | _plain(patterns))
    found, troubles = {}, {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                ones = certificates_in(file.read(MOST_BYTES))
        except IsADirectoryError:
            continue
        except OSError as error:
            troubles[path] = error.strerror
        except ValueError:
            troubles[path] = "a certificate in it cannot be read"
        else:
            # Beside certificates there are keys, which a pattern finds as well.
            if ones:
                found[path] = ones
            elif path in patterns:
                troubles[path] = "no certificate in it"
    if found:
        return judge_files(found, troubles, spec, time.time())
    if not any(os.path.lexists(path) for path in paths):
        raise NotThereError("no file is at %s" % ", ".join(patterns), "correct path, or remove the check")
    raise CannotLookError(
        "; ".join("%s: %s" % item for item in sorted(troubles.items())[:5])
        or "no certificate in %s" % ", ".join(patterns),
        "correct path, or check as root (roundsman_health_become: true) where they are not readable",
    )


def _plain(patterns):
    """Paths that are written out: those that are missing or hidden are named, not passed over."""
    return {pattern for pattern in patterns if not glob.has_magic(pattern)}


def fetch(spec, deadline):
    """The DER form of the certificate that a port shows. Raises OSError or RefusedError."""
    # Not verified: an expired or self-signed one has to be looked at as well.
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    address = (spec["host"], spec["port"])
    addresses = {entry[4][0] for entry in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)}
    patience = max(0.1, deadline - time.monotonic()) / len(addresses)
    with socket.create_connection(address, timeout=patience) as connection:
        if spec["starttls"]:
            upgrade(connection, spec["starttls"], deadline)
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        with tls.wrap_socket(connection, server_hostname=name_of(spec)) as secure:
            return secure.getpeercert(binary_form=True)


def look_at_port(spec, context):
    patience = context.patience_s
    try:
        certificate = read(fetch(spec, time.monotonic() + patience))
    except socket.timeout:
        return finding(CRITICAL, "%s does not show a certificate within %.1f s" % (target(spec), patience), unit="s")
    except ssl.SSLError as error:
        return finding(CRITICAL, "%s: TLS fails: %s" % (target(spec), error.reason or error), unit="s")
    except (OSError, RefusedError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        return finding(CRITICAL, "%s: %s" % (target(spec), words), unit="s")
    verdict = judge_one(target(spec), certificate, spec, time.time(), name_of(spec) if spec["match"] else None)
    return _finding(verdict.status, verdict.words, verdict.left_s, spec, 1)


def name_of(spec):
    return spec["server_name"] or spec["host"]


def target(spec):
    if spec["path"]:
        return ", ".join(spec["path"])
    host = "[%s]" % spec["host"] if ":" in spec["host"] else spec["host"]
    named = " (%s)" % spec["server_name"] if spec["server_name"] else ""
    return "%s:%d%s" % (host, spec["port"], named)


def run(spec, context):
    return look_at_files(spec) if spec["path"] else look_at_port(spec, context)


def judge_spec(spec):
    faults = []
    if bool(spec["path"]) == bool(spec["port"]):
        faults.append("give either path, for files, or port")
    if spec["path"] and (spec["starttls"] or spec["server_name"]):
        faults.append("starttls and server_name are for a port; they do not go together with path")
    if spec["path"] and spec["from"] != "host":
        faults.append("files can only be looked at from the host itself")
    strange = [path for path in spec["path"] if not path.startswith("/")]
    if strange:
        faults.append("path takes absolute paths, not %s" % ", ".join(strange))
    return faults


FAMILY = family(
    "certificate",
    "services",
    "X.509 certificates in files or on a port: their remaining days and, on a port, their name",
    {
        "path": key("list", "PEM files or patterns of them, `/etc/ssl/shop/*.pem`; every certificate counts", ()),
        "host": key("str", "name or address of the port", "localhost"),
        "port": key("port", "a port that speaks TLS"),
        "starttls": key("str", "the protocol that the port speaks before TLS", choices=tuple(PROTOCOLS)),
        "server_name": key("str", "name to ask for (SNI) that the certificate has to be valid for; by default `host`"),
        "match": key("bool", "it is critical when the certificate of a port is not valid for its name", True),
        "warn": threshold("duration", "time until the certificate expires", "21d", floor=True),
        "crit": threshold("duration", "time until the certificate expires", "7d", floor=True),
    },
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
