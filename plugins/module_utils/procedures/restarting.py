# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services that still run what an update has replaced: found by needrestart, or else in the maps of processes."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import shutil
import time

from .base import ProcedureError

# A service of Type=simple counts as started before its program has come far.
SETTLE_S = 2
RESTARTS_TIMEOUT_S = 90
# Without these a host is cut off, or what people, containers and virtual machines do there is.
NEVER = (
    "dbus.service",
    "dbus-broker.service",
    "systemd-logind.service",
    "user@*.service",
    "getty@*.service",
    "serial-getty@*.service",
    "display-manager.service",
    "gdm*.service",
    "lightdm.service",
    "sddm.service",
    "docker.service",
    "containerd.service",
    "libvirtd.service",
    "NetworkManager.service",
    "systemd-networkd.service",
    "networking.service",
)
_RUNNING = ("active", "reloading")
_SERVICE = re.compile(r"/([^/]+\.service)(?:/|$)")
# What programs map and delete themselves, as they are meant to; data that they read is not executable.
_OWN = (
    *("/memfd:", "/dev/", "/SYSV", "/tmp/", "/var/tmp/", "/run/", "/var/run/"),  # noqa: S108
    *("/i915", "/drm", "/[aio]", "/var/lib/", "/home/"),
)
_MAPPED = re.compile(r"^\S+ ..x. \S+ \S+ \S+\s+(/.*) \(deleted\)$", re.MULTILINE)


def replaced_files(maps):
    """Programs and libraries of a /proc/PID/maps that are no longer what is on disk."""
    return sorted({path for path in _MAPPED.findall(maps) if not path.startswith(_OWN)})


def unit_of(cgroup):
    """The system service of a /proc/PID/cgroup, or None: sessions of users, and what runs in containers."""
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if (number == "0" or controllers == "name=systemd") and "/machine.slice/" not in path:
            found = _SERVICE.search(path)
            return found.group(1) if found else None
    return None


def by_needrestart(text):
    """Services in what `needrestart -b` prints."""
    return sorted(set(re.findall(r"^NEEDRESTART-SVC: ?(\S+)$", text, re.MULTILINE)))


def is_spared(unit, never):
    return any(fnmatch.fnmatchcase(unit, pattern) for pattern in (*NEVER, *never))


def outdated(step, proc="/proc"):
    """Services that run what was replaced."""
    if shutil.which("needrestart"):
        done = step.run(["needrestart", "-b", "-r", "l"], {"DEBIAN_FRONTEND": "noninteractive"})
        if done.rc == 0:
            return [unit if "." in unit else unit + ".service" for unit in by_needrestart(done.out)]
    ours = _namespace(proc, "self")
    found = set()
    for pid in filter(str.isdigit, os.listdir(proc)):
        # Processes end while one looks at them.
        with contextlib.suppress(OSError):
            if replaced_files(_text(proc, pid, "maps")) and _namespace(proc, pid) == ours:
                found.add(unit_of(_text(proc, pid, "cgroup")))
    return sorted(unit for unit in found if unit)


def due(step):
    """(services that are to be restarted, those that run what was replaced and are left alone)."""
    found, never = outdated(step), step.module.params["never_restart"]
    units = [unit for unit in found if step.module.params["restart"] and not is_spared(unit, never)]
    return units, [unit for unit in found if unit not in units]


def restart(step):
    """Restart the services that run what was replaced; the units.

    Raises ProcedureError(service_failed) when one does not run afterwards.
    """
    units, spared = due(step)
    if spared:
        step.warn("not restarted, although it runs what was replaced: " + ", ".join(spared))
    for unit in units:
        with step.action("restart", unit):
            done = step.run(["systemctl", "restart", "--", unit])
            if done.rc:
                raise ProcedureError("service_failed", _DOWN.format(unit, (done.err or done.out).strip()))
    if units:
        time.sleep(SETTLE_S)
        require_running(step, units)
    return units


def require_running(step, units):
    down = ["{0} is {1}".format(unit, state) for unit, state in states(step, units).items() if state not in _RUNNING]
    if down:
        raise ProcedureError("service_failed", _DOWN.format(", ".join(down), "it was restarted after the update"))


def states(step, units):
    """unit -> its state as systemd says it; one that waits for its next start after a failure is `failed`."""
    if not units:
        return {}
    done = step.run(["systemctl", "show", "--property=Id,ActiveState,SubState", "--", *units])
    found = {}
    for block in done.out.strip().split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found[unit["Id"]] = "failed" if unit["SubState"] == "auto-restart" else unit["ActiveState"]
    return found


def failed_units(step):
    done = step.run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend"])
    return sorted(line.split()[0] for line in done.out.splitlines() if line.strip())


def _namespace(proc, pid):
    return os.readlink(os.path.join(proc, pid, "ns", "pid"))


def _text(proc, pid, name):
    with open(os.path.join(proc, pid, name), encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


_DOWN = "{0} does not run after the update: {1}. See `systemctl status` and `journalctl -n 50` of it."
