# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Updates that a package manager would install, as it knows them without asking the network: apt and dnf."""

from __future__ import annotations

import collections
import glob
import os
import re
import shutil

from .family import ENVIRONMENT, CannotLookError, NotThereError

# Touched by a refresh that succeeded, or that brought news. lists/partial is touched by one that failed as well.
APT_STAMPS = ("/var/lib/apt/periodic/update*-stamp", "/var/lib/apt/lists")
DNF_STAMPS = ("/var/cache/dnf/*/repodata/repomd.xml", "/var/cache/libdnf5/*/repodata/repomd.xml")
DNF_HAS_UPDATES = 100  # exit code of `dnf check-update`
ROOT = "check as root (roundsman_health_become: true)"

# `upgradable`, `security` and `held` are sorted names; `fetched` is when the lists were, 0 for never.
Pending = collections.namedtuple("Pending", "manager upgradable security held fetched")

# Inst libc6 [2.36-9] (2.36-9+deb12u4 Debian-Security:12/stable-security, Debian:12.5/stable [amd64]); a package
# without a version in brackets is new, not an update.
APT_INST = re.compile(r"^Inst (\S+) \[[^\]]+\] \(\S+ (.*?)(?: \[[^\]]*\])?\)", re.MULTILINE)
DNF_UPDATE = re.compile(r"^(\S+)\.[a-z0-9_]+\s+\S+\s+\S+[ \t]*$", re.MULTILINE)


def look(context):
    """Pending of the host's package manager. CannotLookError when it cannot tell, NotThereError without one."""
    for program, ask in (("apt-get", ask_apt), ("dnf", ask_dnf)):
        if shutil.which(program, path=ENVIRONMENT["PATH"]):
            return ask(context)
    raise NotThereError("neither apt nor dnf is installed", "remove the check")


def ask_apt(context):
    with_held = ["--ignore-hold", "--allow-change-held-packages"]
    simulation = ["apt-get", "-qq", "--simulate", *with_held, "-o", "Debug::NoLocking=1", "dist-upgrade"]
    code, stdout, stderr = context.run(simulation)
    if code:
        raise CannotLookError("apt-get cannot tell: %s" % _last_words(stderr or stdout), "see `apt-get check`")
    upgradable, security = parse_apt(stdout)
    held = set(context.run(["apt-mark", "showhold"])[1].split()) & set(upgradable)
    return Pending("apt", upgradable, security, sorted(held), newest(APT_STAMPS) if has_apt_lists() else 0)


def parse_apt(simulation):
    """(names that would be upgraded, those of them from a security archive), both sorted."""
    found = APT_INST.findall(simulation)
    security = {name for name, origins in found if "-security" in origins.lower()}
    return sorted({name for name, _origins in found}), sorted(security)


def has_apt_lists():
    return bool(glob.glob("/var/lib/apt/lists/*Release"))


def ask_dnf(context):
    if os.geteuid() != 0:  # from a cache of their own, which is empty, others hear that there is nothing
        raise CannotLookError("dnf tells only root what the system's package lists hold", ROOT)
    pending = []
    for options in ([], ["--security"]):
        code, stdout, stderr = context.run(["dnf", "--quiet", "--cacheonly", "check-update", *options])
        if code not in (0, DNF_HAS_UPDATES):
            raise CannotLookError("dnf cannot tell: %s" % _last_words(stderr or stdout), "see `dnf check-update`")
        pending.append(parse_dnf(stdout))
    return Pending("dnf", pending[0], pending[1], [], newest(DNF_STAMPS))


def parse_dnf(listing):
    """Sorted names of `dnf check-update`, which breaks lines that are long; what others replace is not counted."""
    return sorted(set(DNF_UPDATE.findall(listing.partition("Obsoleting Packages")[0])))


def newest(patterns):
    """When the newest of some files was written, 0 when there is none."""
    times = [os.stat(path).st_mtime for pattern in patterns for path in glob.glob(pattern)]
    return max(times, default=0)


def _last_words(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1][:200]
