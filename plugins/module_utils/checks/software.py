# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which well-known servers run on the host, and the checks that suit them; it never alerts."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

from ..family import OK, CannotLookError, family, finding, perf
from ..sockets import command_name

# Software -> patterns of names of its processes, and checks that suit it beside the one of its unit.
SERVERS = {
    "apache": (("apache2", "httpd"), ({"type": "http", "url": "http://localhost/"},)),
    "bind": (("named",), ({"type": "listen", "ports": ["53", "53/udp"]},)),
    "celery": ((), ({"type": "processes", "command": "*celery*worker*", "crit": "1:"},)),
    "docker": (("dockerd",), ({"type": "containers", "engine": "docker"},)),
    "dovecot": (("dovecot",), ({"type": "listen", "ports": ["143"]},)),
    "elasticsearch": ((), ({"type": "listen", "ports": ["9200"]},)),
    "exim": (("exim4", "exim"), ({"type": "listen", "ports": ["25"]},)),
    "haproxy": (("haproxy",), ()),
    "mariadb": (("mariadbd", "mysqld"), ({"type": "mariadb"},)),
    "memcached": (("memcached",), ({"type": "listen", "ports": ["11211"]},)),
    "mongodb": (("mongod",), ({"type": "listen", "ports": ["27017"]},)),
    "nginx": (("nginx",), ({"type": "http", "url": "http://localhost/"},)),
    "opensearch": ((), ({"type": "listen", "ports": ["9200"]},)),
    "php-fpm": (("php-fpm*",), ()),
    "podman": (("conmon",), ({"type": "containers", "engine": "podman"},)),
    "postfix": (("qmgr",), ({"type": "postfix"}, {"type": "listen", "ports": ["25"]})),
    "postgresql": (("postgres",), ({"type": "postgresql"},)),
    "rabbitmq": ((), ({"type": "rabbitmq"},)),
    "redis": (("redis-server", "valkey-server"), ({"type": "redis"},)),
}
# What runs in an interpreter or virtual machine shows on its command line only.
HOSTED = ("python*", "celery*", "java", "beam*")
BY_COMMAND = {
    "celery": re.compile(r"(?:^|[/\s])celery\s(?:.*\s)?worker\b"),
    "elasticsearch": re.compile(r"org\.elasticsearch\."),
    "opensearch": re.compile(r"org\.opensearch\."),
    "rabbitmq": re.compile(r"-s rabbit|rabbit boot|-rabbit "),
}
# podman's own conmon runs beside its containers, not in them.
CONTAINER = re.compile(r"docker|libpod(?!-conmon)|kubepods|containerd|crio-|/lxc")
UNIT = re.compile(r"/([^/\n]+\.service)(?=/|$)", re.MULTILINE)


def server_of(name, command):
    """Which of SERVERS a process is, or None; `command` gives its command line."""
    for software, (patterns, _checks) in SERVERS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return software
    if any(fnmatchcase(name, pattern) for pattern in HOSTED):
        line = command()
        return next((software for software, sign in BY_COMMAND.items() if sign.search(line)), None)
    return None


def unit_of(cgroups):
    """(unit of the process or None, whether it is in a container) from its /proc/PID/cgroup."""
    units = UNIT.findall(cgroups)
    # Below a user's manager are that user's own units, which the system's systemd does not know.
    if not units or any(unit.startswith("user@") for unit in units):
        return None, bool(CONTAINER.search(cgroups))
    return units[0], bool(CONTAINER.search(cgroups.replace(units[0], "")))


def suggestions(software, units):
    """Check specs, as a person would write them."""
    return [{"type": "systemd", "unit": unit} for unit in sorted(units)] + [dict(one) for one in SERVERS[software][1]]


def running(folder="/proc"):
    """software -> units that it runs as, of what runs outside of containers. Raises OSError."""
    found = {}
    for pid in filter(str.isdigit, os.listdir(folder)):
        try:
            software = server_of(command_name(pid, folder), lambda pid=pid: _read(folder, pid, "cmdline"))
            if software:
                unit, contained = unit_of(_read(folder, pid, "cgroup"))
                if not contained:
                    found.setdefault(software, set()).update([unit] if unit else [])
        except OSError:  # it ended meanwhile
            continue
    return found


def _read(folder, pid, name):
    with open(os.path.join(folder, pid, name), encoding="utf-8", errors="replace") as file:
        return file.read(100000).replace("\0", " ")


def run(_spec, _context):
    try:
        found = running()
    except OSError as error:
        raise CannotLookError("/proc: %s" % error.strerror, "check that /proc is mounted") from error
    words = "runs %s" % ", ".join(sorted(found)) if found else "no well-known server runs"
    listed = [{"software": one, "checks": suggestions(one, units)} for one, units in sorted(found.items())]
    return finding(OK, words, len(found), "", perf("software", len(found)), {"found": listed})


FAMILY = family("software", "services", "which well-known servers run on the host; always OK", {}, run)
