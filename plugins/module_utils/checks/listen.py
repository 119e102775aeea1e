# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ports that have to be listened on and, with `only`, that others can reach no further one."""

from __future__ import annotations

import ipaddress
import re
from fnmatch import fnmatchcase

from ..family import CannotLookError, family, finding, judge, key, limits, perf, threshold
from ..sockets import listeners, programs

PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp))?$")
EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - it is read here, not bound


def ports_of(text):
    """(protocol, first, last) of `22`, `53/udp` or `6000-6010/tcp`; None when it is not one."""
    match = PORT.match(text)
    if not match:
        return None
    first, last = int(match.group(1)), int(match.group(2) or match.group(1))
    return (match.group(3) or "tcp", first, last) if 0 < first <= last < 65536 else None


def covers(one, wanted):
    protocol, first, last = wanted
    return one.protocol == protocol and first <= one.port <= last


def is_on(one, address):
    """Whether a Listener accepts what is sent to `address`; `*` is every address of the host."""
    if address == "*":
        return one.address in EVERYWHERE
    # The IPv6 wildcard takes IPv4 as well, as Linux does by default.
    return one.address in (address, "::", *EVERYWHERE[: "." in address])


def is_local(one):
    return ipaddress.ip_address(one.address.partition("%")[0]).is_loopback


def missing(found, spec, holders):
    """What is amiss with the ports that have to be there, in words."""
    words = []
    for text in spec["ports"]:
        there = [one for one in found if covers(one, ports_of(text))]
        right = [one for one in there if not spec["address"] or is_on(one, spec["address"])]
        name = "%d/%s" % (ports_of(text)[1], ports_of(text)[0])
        if not there:
            words.append("nobody listens on %s" % name)
        elif not right:
            wanted = "every address" if spec["address"] == "*" else spec["address"]
            words.append("%s listens on %s only, not on %s" % (name, _addresses(there), wanted))
        elif spec["program"]:
            names = {program for one in right for program in holders.get(one.inode, ())}
            if not names:
                raise CannotLookError(
                    "the program that listens on %s is not visible" % name,
                    "check as root (roundsman_health_become: true), or leave program out",
                )
            if not any(fnmatchcase(program, spec["program"]) for program in names):
                words.append("%s is held by %s, not by %s" % (name, ", ".join(sorted(names)), spec["program"]))
    return words


def unexpected(found, spec, ephemeral):
    """The Listeners that others can reach and that nobody listed.

    UDP ports of the ephemeral range are those of clients that wait for an answer.
    """
    local = spec["address"] and spec["address"] != "*" and ipaddress.ip_address(spec["address"]).is_loopback
    listed = [ports_of(text) for text in [*([] if local else spec["ports"]), *spec["allow"]]]
    return [
        one
        for one in found
        if not is_local(one)
        and not any(covers(one, ports) for ports in listed)
        and not (one.protocol == "udp" and ephemeral[0] <= one.port <= ephemeral[1])
    ]


def describe(one, holders):
    names = ", ".join(sorted(holders.get(one.inode, ())))
    return "%d/%s on %s (%s)" % (one.port, one.protocol, one.address, names or "the program is visible to root only")


def _addresses(found):
    return ", ".join(sorted({one.address for one in found}))


def run(spec, _context):
    try:
        found = listeners()
        with open(EPHEMERAL, encoding="ascii") as line:
            ephemeral = [int(part) for part in line.read().split()]
    except OSError as error:
        raise CannotLookError("%s: %s" % (error.filename, error.strerror), "check that /proc is mounted") from error
    others = unexpected(found, spec, ephemeral) if spec["only"] else []
    # Looking into every process takes long on a big host: only for those whose name is asked for.
    wanted = [ports_of(text) for text in spec["ports"]] if spec["program"] else []
    named = [one for one in found if any(covers(one, ports) for ports in wanted)]
    holders = programs({one.inode for one in [*named, *others]}) if named or others else {}
    amiss = missing(found, spec, holders)
    strangers = sorted({describe(one, holders) for one in others})
    if strangers:
        amiss.append("unexpected: %s" % ", ".join(strangers[:10]) + " and more" * (len(strangers) > 10))
    count = len(amiss) - bool(strangers) + len(strangers)
    thresholds = spec["warn"], spec["crit"]
    status = judge(count, *thresholds)
    well = "%s %s" % (", ".join(spec["ports"]), "are listened on" if len(spec["ports"]) > 1 else "is listened on")
    well = well if spec["ports"] else "no port"
    message = "; ".join(amiss) + limits(status, *thresholds) if amiss else well + ", and no other" * spec["only"]
    data = perf("amiss", count, "", thresholds, (0,)) + " " + perf("listeners", len(found))
    return finding(status, message, count, "", data)


def judge_spec(spec):
    faults = []
    strange = [text for text in spec["ports"] if not ports_of(text) or "-" in text]
    if strange:
        faults.append("ports takes numbers such as 443 or 53/udp, not %s" % ", ".join(strange))
    strange = [text for text in spec["allow"] if not ports_of(text)]
    if strange:
        faults.append("allow takes ports such as 443, 53/udp or 6000-6010, not %s" % ", ".join(strange))
    if not spec["ports"] and not spec["only"]:
        faults.append("nothing is asked; give ports, or only: true")
    if spec["allow"] and not spec["only"]:
        faults.append("allow says what else may listen; it needs only: true")
    try:
        if spec["address"] not in (None, "*"):
            ipaddress.ip_address(spec["address"])
    except ValueError:
        faults.append('address "%s" is neither an IP address nor *' % spec["address"])
    return faults


def target(spec):
    return ",".join(spec["ports"]) + (" on %s" % spec["address"] if spec["address"] else "")


FAMILY = family(
    "listen",
    "services",
    "ports that have to be listened on and, with `only`, that no other can be reached; the value is how many are amiss",
    {
        "ports": key("list", "ports that have to be listened on, `443` or `53/udp`", ()),
        "address": key("str", "address that they have to be listened on at, or `*` for every address of the host"),
        "program": key("str", "pattern of the name of the program that has to hold them (needs root)"),
        "only": key("bool", "no other port may be reachable for others (what listens on loopback is not)", False),
        "allow": key("list", "what else may listen, `53/udp` or `6000-6010` (only with `only`)", ()),
        "warn": threshold("count", "number of ports amiss"),
        "crit": threshold("count", "number of ports amiss", "0"),
    },
    run,
    target=target,
    judge_spec=judge_spec,
)
