# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors and drops of network interfaces, and whether a named one has its link; the worst interface decides."""

from __future__ import annotations

import collections
import errno
import fcntl
import socket
import struct
from fnmatch import fnmatchcase

from ..counters import grown, window
from ..family import (
    BY_SEVERITY,
    CRITICAL,
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
    told,
    worst,
)

# Made by software for containers, virtual machines and tunnels: what they drop is seldom a fault.
VIRTUAL = ("lo", "veth*", "docker*", "br-*", "virbr*", "vnet*", "cali*", "cni*", "flannel*", "tun*", "tap*", "ifb*")
VIRTUAL += ("wg*",)  # each packet for a peer that is away is an error
SIOCGIFFLAGS, IFF_UP, IFF_RUNNING = 0x8913, 0x1, 0x40  # netdevice(7)

Verdict = collections.namedtuple("Verdict", "status words perfdata rate")


def parse(text):
    """interface -> [errors in and out, drops in and out] of /proc/net/dev (proc_pid_net(5))."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _colon, numbers = line.strip().rpartition(":")
        fields = [int(field) for field in numbers.split()]
        found[name] = [fields[2] + fields[10], fields[3] + fields[11]]
    return found


def chosen(names, interface, exclude):
    return [
        name
        for name in names
        if (name == interface if interface else not any(fnmatchcase(name, pattern) for pattern in exclude))
    ]


def without_link(name):
    """Why an interface carries nothing, in words; None when it does. OSError when there is none of that name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("256s", name.encode()[:15]))
    (flags,) = struct.unpack_from("H", answer, 16)
    if not flags & IFF_UP:
        return "%s is switched off" % name
    return None if flags & IFF_RUNNING else "%s has no link" % name


def verdict(name, growth, seconds, spec):
    """The Verdict on one interface, whose errors and drops grew by `growth`."""
    statuses, words, data = [], [], []
    for prefix, label, count in (("", "errors", growth[0]), ("drops_", "drops", growth[1])):
        thresholds = spec[prefix + "warn"], spec[prefix + "crit"]
        statuses.append(judge(count / seconds, *thresholds))
        words.append("%d %s%s" % (count, label, limits(statuses[-1], *thresholds)))
        data.append(perf("%s %s_per_s" % (name, label), count / seconds, "", thresholds, (0,)))
    return Verdict(worst(statuses), "%s %s" % (name, " and ".join(words)), data, growth[0] / seconds)


def judge_link(interface):
    """Words on the link of a named interface when it has none."""
    try:
        return without_link(interface)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise NotThereError("there is no interface %s" % interface, "correct the check's interface") from error
        raise CannotLookError("%s: %s" % (interface, error.strerror)) from error


def run(spec, context):
    def read():
        with open("/proc/net/dev", encoding="ascii", errors="replace") as file:
            everything = parse(file.read())
        return {name: everything[name] for name in chosen(everything, spec["interface"], spec["exclude"])}

    no_link = judge_link(spec["interface"]) if spec["interface"] else None
    seen = window(read, spec["sample"], context)
    if not seen.after:
        raise NotThereError("no network interface to look at", "name one as interface, or remove the check")
    growths = grown(seen).items()
    verdicts = [verdict(name, growth, seen.seconds, spec) for name, growth in growths]
    verdicts.sort(key=lambda each: (-BY_SEVERITY.index(each.status), -each.rate))
    if not verdicts:
        words = "the counters began again; there is nothing to compare with yet"
    else:
        words = "%s in %s" % (told(verdicts, "%d interfaces, most "), span(seen.seconds))
    status = worst([each.status for each in verdicts] + [CRITICAL] * bool(no_link))
    data = " ".join(item for each in verdicts for item in each.perfdata)
    value = round(verdicts[0].rate, 4) if verdicts else None
    return finding(status, "%s; %s" % (no_link, words) if no_link else words, value, "/s", data)


def judge_spec(spec):
    if spec["interface"] and spec["exclude"] != list(VIRTUAL):
        return ["exclude chooses among all interfaces; it does not go together with interface"]
    return []


FAMILY = family(
    "network",
    "resources",
    "errors and dropped packets of network interfaces; of a named one, also that it has its link",
    {
        "interface": key("str", "look only at this one, which has to be up"),
        "exclude": key("list", "patterns of interfaces to leave out (only without `interface`)", VIRTUAL),
        "warn": threshold("rate", "errors", "1/min"),
        "crit": threshold("rate", "errors"),
        "drops_warn": threshold("rate", "packets dropped", "10/s"),
        "drops_crit": threshold("rate", "packets dropped"),
        "sample": key("seconds", "how long to measure where no earlier round is known", "500ms"),
    },
    run,
    target=lambda spec: spec["interface"] or "",
    judge_spec=judge_spec,
)
