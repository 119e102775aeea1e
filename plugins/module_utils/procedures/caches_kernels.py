# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Old kernels, removed by the package manager: never the running one, the newest, or one that a person chose."""

from __future__ import annotations

import os
import re
import shutil
from collections import namedtuple

from ..checks.uptime import installed_kernels, kernel_order
from ..state import State, own_directory
from .apt_plan import NOTHING_WRITTEN
from .base import ProcedureError
from .detached import run_detached
from .programs import answer

# release: what its packages have in common: 6.1.0-18, 6.12.48+deb13, or on Red Hat the whole of `uname -r`
Package = namedtuple("Package", "name release version size_bytes")

# A meta package has the version of its distribution at most: linux-image-generic-hwe-22.04.
_RELEASE = r"\d+\.\d+(?:-\d|[.+~]\w)[\w.+~]*(?:-\d[\w.+~]*)?"
_OF_DEBIAN = re.compile(r"linux-(?:image|modules|headers)-(?:\w+-)*?(" + _RELEASE + ")(?:-.*)?")
_OF_RED_HAT = re.compile(r"kernel(-uek)?(-core|-modules|-modules-core|-modules-extra|-devel)?")
_REMOVED = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)
_APT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


class Kernels:
    def __init__(self, params):
        self._wanted, self._keep = params["kernels"], params["kernels_keep"]
        self._lock_timeout_s = params["lock_timeout_s"]

    def clean(self, step):
        """Remove the packages of each old kernel, one kernel after the other."""
        manager = self._manager(step) if self._wanted else None
        if manager is None:
            return 0
        packages, removable, companions, remove = manager
        freed_bytes = 0
        for release, doomed in old_kernels(packages, removable, os.uname().release, self._keep):
            more = companions(step, doomed)
            if more:
                names = " ".join(one.name for one in doomed)
                step.warn(_STAYS.format(release, ", ".join(more), names))
                continue
            size_bytes = sum(one.size_bytes for one in doomed)
            words = ", ".join("{0} {1}".format(one.name, one.version) for one in doomed)
            if step.check_mode:
                step.plan("remove", "kernel " + release, size_bytes, words)
                continue
            with step.action("remove", "kernel " + release, size_bytes, words):
                remove(step, doomed)
            freed_bytes += size_bytes
        return freed_bytes

    def _manager(self, step):
        """(installed packages of kernels, names of those that may go, what would go with some, how to remove some).

        None where there are none.
        """
        if shutil.which("dpkg-query"):
            packages = _of_debian(step)
            return (packages, _removable(step), _apt_companions, self._apt_remove) if packages else None
        if shutil.which("rpm"):
            packages = _of_red_hat(step)
            return (packages, {one.name for one in packages}, _dnf_companions, _dnf_remove) if packages else None
        return None

    def _apt_remove(self, step, doomed):
        wait = "DPkg::Lock::Timeout={0}".format(self._lock_timeout_s)
        names = [one.name for one in doomed]
        _change(step, ["apt-get", "--yes", "--quiet", "-o", wait, "remove", *names], _APT)


def old_kernels(packages, removable, running, keep):
    """[(release, Packages)] to remove, oldest first.

    The running one and the newest stay, and `keep` more; and so does what is not among the names `removable`. Where the
    running kernel is not among the installed ones (a container, a kernel of one's own), all stay.
    """
    images = [one for one in packages if not re.search("modules|headers|devel", one.name)]
    releases = sorted({one.release for one in images}, key=kernel_order)
    mine = [one for one in releases if running == one or running.startswith(one + "-")]
    if not mine:
        return []
    kept = {*mine, *releases[-1 - keep :]}
    grouped = {}
    for one in packages:
        if one.release in releases and one.release not in kept and one.name in removable:
            grouped.setdefault(one.release, []).append(one)
    return sorted(grouped.items(), key=lambda pair: kernel_order(pair[0]))


def of_debian(listed):
    """Packages of kernels in what dpkg-query lists: status, name, version, KiB."""
    found = []
    for line in listed.splitlines():
        status, name, version, size_kib = line.split("\t")
        match = _OF_DEBIAN.fullmatch(name)
        # The first letter is what is wanted: i, or h of one that is held.
        if match and status[1:2] == "i":
            found.append(Package(name, match.group(1), version, int(size_kib or 0) * 1024))
    return found


def of_red_hat(listed):
    """Packages of kernels in what rpm lists: name, version, bytes."""
    lines = (line.split("\t") for line in listed.splitlines())
    return [
        Package("{0}-{1}".format(name, version), version, version, int(size))
        for name, version, size in lines
        if _OF_RED_HAT.fullmatch(name)
    ]


def prove_kernels(step):
    """Raise ProcedureError unless the kernels that the host may boot next, and the packages of kernels, are whole."""
    releases, running = installed_kernels(), os.uname().release
    wanted = {one for one in (running, max(releases, key=kernel_order, default=running)) if one in releases}
    modules = [one for one in sorted(wanted) if not os.path.isdir("/lib/modules/" + one)]
    if modules:
        text = "kernel {0} has no modules any more; reinstall its package before the next reboot"
        raise ProcedureError("verification_failed", text.format(", ".join(modules)))
    if shutil.which("dpkg"):
        broken = sorted(filter(_OF_DEBIAN.fullmatch, step.run(["dpkg", "--audit"]).out.split()))
        if broken:
            text = "dpkg has to repair {0}; see `dpkg --audit`"
            raise ProcedureError("verification_failed", text.format(", ".join(broken)))
    return "kernels are whole"


def _of_debian(step):
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Installed-Size}\n"
    return of_debian(step.run(["dpkg-query", "--show", "--showformat", form, "linux-*"]).out)


def _of_red_hat(step):
    form = "%{NAME}\t%{VERSION}-%{RELEASE}.%{ARCH}\t%{SIZE}\n"
    return of_red_hat(answer(step, ["rpm", "--query", "--all", "--queryformat", form, "kernel*"]))


def _removable(step):
    """Names that apt would remove by itself: nobody asked for them, and nothing needs them."""
    return set(_REMOVED.findall(answer(step, ["apt-get", "--simulate", *NOTHING_WRITTEN, "autoremove"])))


def _apt_companions(step, doomed):
    """Names of other packages that apt would remove with these."""
    names = [one.name for one in doomed]
    simulated = answer(step, ["apt-get", "--simulate", *NOTHING_WRITTEN, "remove", *names])
    return sorted(set(_REMOVED.findall(simulated)).difference(names))


def _dnf_companions(_step, _doomed):
    """Nothing needs one certain kernel there: what does is a package of that kernel itself."""
    return []


def _dnf_remove(step, doomed):
    # dnf itself refuses to remove the running kernel.
    alone = "--setopt=clean_requirements_on_remove=False"
    _change(step, ["dnf", "--assumeyes", alone, "remove", *(one.name for one in doomed)], {})


def _change(step, argv, env):
    """Change packages, to the end, whatever becomes of the module."""
    log = os.path.join(State(step.module.params["state_dir"] or own_directory()).make("caches"), "kernels.log")
    rc, said = run_detached(step, argv, env, log)
    if rc != 0:
        words = (said.strip().splitlines() or ["it said nothing"])[-1]
        text = "`{0}` ended with {1}: {2}. All that it said is in {3}."
        raise ProcedureError("procedure_failed", text.format(" ".join(argv), rc, words, log))


_STAYS = "kernel {0} stays, for {1} would go with it. To remove both, use `apt-get remove {2}`"
