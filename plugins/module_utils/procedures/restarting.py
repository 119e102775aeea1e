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
# PID 1 in the words of needrestart. It is executed anew where it is, and what it runs does not notice.
MANAGER = "systemd-manager"
# Without these a host is cut off, or what people, containers and virtual machines do there is: much what needrestart
# spares by itself when it is not asked in batch mode.
NEVER = (
    *("dbus.service", "dbus-broker.service", "systemd-logind.service", "elogind.service", "user@*.service"),
    *("getty@*.service", "serial-getty@*.service", "emergency.service", "rescue.service", "rc-local.service"),
    *("display-manager.service", "gdm*.service", "lightdm.service", "sddm.service", "lxdm.service", "slim.service"),
    *("greetd.service", "xrdp*.service"),
    *("docker.service", "containerd.service", "libvirt*.service", "virtlogd.service", "virtlockd.service"),
    *("lxc*.service", "xendomains.service", "systemd-nspawn@*.service"),
    *("NetworkManager.service", "ModemManager.service", "systemd-networkd.service", "networking.service"),
    *("ifup@*.service", "wpa_supplicant*.service", "bluetooth*.service"),
    *("openvpn*.service", "*swan*.service", "ipsec.service", "tinc*.service"),
    *("bird*.service", "frr*.service", "quagga*.service"),
    "unattended-upgrades.service",
)
_OF_RESTARTS = ("CanStart", "CanStop", "KillMode", "Transient", "Type")
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
    """The system service of a /proc/PID/cgroup, or PID 1; None: sessions of users, and what runs in containers."""
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if (number == "0" or controllers == "name=systemd") and "/machine.slice/" not in path:
            found = _SERVICE.search(path)
            if path == "/init.scope":
                return MANAGER
            return found.group(1) if found else None
    return None


def by_needrestart(text):
    """Services in what `needrestart -b` prints; scripts in /etc/init.d have their bare names there."""
    found = set(re.findall(r"^NEEDRESTART-SVC: ?(\S+)$", text, re.MULTILINE))
    return sorted(name if name == MANAGER or "." in name else name + ".service" for name in found)


def is_spared(unit, never):
    return any(fnmatch.fnmatchcase(unit, pattern) for pattern in (*NEVER, *never))


def outdated(step, proc="/proc"):
    """Services that run what was replaced."""
    if shutil.which("needrestart"):
        # -l: of kernels and microcode it need not think.
        done = step.run(["needrestart", "-b", "-l", "-r", "l"], {"DEBIAN_FRONTEND": "noninteractive"})
        if done.rc == 0:
            return by_needrestart(done.out)
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
    wanted = [unit for unit in found if step.module.params["restart"] and not is_spared(unit, never)]
    described = dict(zip(wanted, _described(step, wanted, *_OF_RESTARTS)))
    mine = unit_of(_text("/proc", "self", "cgroup"))
    units = [unit for unit in wanted if unit == MANAGER or can_restart(described[unit], unit == mine)]
    return units, [unit for unit in found if unit not in units]


def can_restart(unit, is_mine):
    """Whether systemd would do it (it may be told to refuse, or know the unit no more), and no job is cut off by it.

    Who logs in runs in the service of sshd where no session is made of it; that one lets its children live.
    """
    job = unit["Type"] == "oneshot" or unit["Transient"] == "yes" or (is_mine and unit["KillMode"] != "process")
    return unit["CanStart"] == unit["CanStop"] == "yes" and not job


def restart(step):
    """Restart the services that run what was replaced; the units.

    Raises ProcedureError(service_failed) when one does not run afterwards.
    """
    units, spared = due(step)
    if spared:
        step.warn("not restarted, although it runs what was replaced: " + ", ".join(spared))
    for unit in sorted(units, key=lambda unit: unit == MANAGER):
        argv = ["systemctl", "daemon-reexec"] if unit == MANAGER else ["systemctl", "restart", "--", unit]
        with step.action("restart", unit):
            done = step.run(argv)
            if done.rc:
                raise ProcedureError("service_failed", _DOWN.format(unit, (done.err or done.out).strip()))
    if units:
        time.sleep(SETTLE_S)
        require_running(step, units)
    return units


def require_running(step, units):
    down = ["{0} ({1})".format(unit, state) for unit, state in states(step, units).items() if state not in _RUNNING]
    if down:
        raise ProcedureError("service_failed", _DOWN.format(", ".join(down), "it was restarted after the update"))


def states(step, units):
    """unit -> its state as systemd says it; one that waits for its next start after a failure is `failed`."""
    units = [unit for unit in units if unit != MANAGER]
    found = zip(units, _described(step, units, "ActiveState", "SubState"))
    return {name: "failed" if unit["SubState"] == "auto-restart" else unit["ActiveState"] for name, unit in found}


def _described(step, units, *properties):
    """What systemd says of each of the units: property -> value."""
    if not units:
        return []
    done = step.run(["systemctl", "show", "--property=" + ",".join(properties), "--", *units])
    blocks = [dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE)) for block in done.out.strip().split("\n\n")]
    if len(blocks) != len(units) or any(set(properties) - set(block) for block in blocks):
        raise ProcedureError("service_failed", _MUTE.format(", ".join(units), (done.err or done.out).strip()))
    return blocks


def failed_units(step):
    done = step.run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend"])
    return sorted(line.split()[0] for line in done.out.splitlines() if line.strip())


def _namespace(proc, pid):
    return os.readlink(os.path.join(proc, pid, "ns", "pid"))


def _text(proc, pid, name):
    with open(os.path.join(proc, pid, name), encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


_MUTE = "systemd does not say what it knows of {0}: {1}"
_DOWN = "{0} does not run after the update: {1}. See `systemctl status` and `journalctl -n 50` of it."
