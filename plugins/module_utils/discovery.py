# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What on a host somebody may want back: directories that are not the system's, and the databases in them.

The walk is bounded in entries and in time, follows no links and stays on each filesystem. What it could not look at is
a finding with a `problem`; nothing is left out in silence.
"""

from __future__ import annotations

import os
import re
import stat

from . import mounts
from .coverage import finding

# Every directory in these is a candidate of its own, unless the system put it there.
PARENTS = ("/srv", "/opt", "/home", "/var/lib", "/var/lib/docker/volumes", "/var/lib/containers/storage/volumes", "/")
SINGLE = ("/etc", "/root", "/var/www", "/var/mail", "/var/vmail", "/var/spool/cron", "/usr/local/etc")
OF_THE_SYSTEM = (
    "bin", "bin.usr-is-merged", "boot", "dev", "etc", "home", "lib", "lib.usr-is-merged", "lib32", "lib64",
    "libx32", "lost+found", "media", "mnt", "opt", "proc", "root", "run", "sbin", "sbin.usr-is-merged", "snap",
    "srv", "sys", "tmp", "usr", "var",
)  # fmt: skip
OF_THE_SYSTEM_VAR_LIB = (
    "AccountsService", "NetworkManager", "PackageKit", "alternatives", "apparmor", "apt", "aptitude", "aspell",
    "authselect", "bluetooth", "chrony", "cloud", "command-not-found", "containerd", "containers", "dbus",
    "debconf", "dhclient", "dhcp", "dictionaries-common", "dnf", "doc-base", "docker", "dpkg", "emacsen-common",
    "fail2ban", "fontconfig", "fwupd", "gems", "ghostscript", "git", "initramfs-tools", "initscripts", "insserv",
    "ispell", "kdump", "kernel", "landscape", "libuuid", "logrotate", "man-db", "misc", "mlocate", "nfs", "ntp",
    "ntpsec", "os-prober", "pacman", "pam", "plocate", "polkit-1", "portables", "private", "python", "rasdaemon",
    "roundsman", "rpm", "rpm-state", "rsyslog", "selinux", "sgml-base", "smartmontools", "snapd", "sntp-kod", "sss",
    "sudo", "systemd", "tpm2-tss", "ubuntu-advantage", "ubuntu-release-upgrader", "ucf", "udisks2",
    "unattended-upgrades", "update-manager", "update-notifier", "upower", "urandom", "usb_modeswitch", "usbutils",
    "vim", "xfonts", "xkb", "xml-core", "yum", "zypp",
)  # fmt: skip
SYSTEM_MOUNTS = ("/", "/boot", "/efi", "/usr", "/var", "/var/lib", "/home", "/opt", "/srv", "/run")
# What lies in these is made again by whoever needs it.
PASSING = re.compile(r"/(usr|proc|sys|run|dev|boot|(var/)?tmp|var/cache)(/.*)?")
SQLITE_NAMES = (".db", ".db3", ".sqlite", ".sqlite3")
# What SQLite puts beside a database goes with it.
SQLITE_ASIDE = tuple(name + aside for name in SQLITE_NAMES for aside in ("-wal", "-shm", "-journal"))
SQLITE_MAGIC = b"SQLite format 3\x00"
# A file in the data directory of a server -> the kind of server.
SIGNS = (("PG_VERSION", "postgresql"), ("ibdata1", "mariadb"))
# Redis writes where it was started, maybe among what others have there.
REDIS_SIGNS = ("dump.rdb", "appendonlydir")
OF_REDIS = re.compile(r"dump\.rdb|appendonlydir|appendonly\.aof|temp-.*\.(rdb|aof)|nodes\.conf")
_RAISE = "Raise max_entries or timeout_s (roundsman_coverage_max_entries, roundsman_coverage_timeout_s)."


def candidates(mounted):
    """path -> why, of directories that are not the system's; each without links, the shortest first."""
    found = {path: "what the host is set up with" if path == "/etc" else "a usual place of data" for path in SINGLE}
    for parent in PARENTS:
        of_system = {"/": OF_THE_SYSTEM, "/var/lib": OF_THE_SYSTEM_VAR_LIB}.get(parent, ())
        why = "a directory in {0} that is not the system's".format(parent)
        found.update((os.path.join(parent, name), why) for name in _names(parent) if name not in of_system)
    for mount in mounts.of_interest(mounted):
        if mount.path not in SYSTEM_MOUNTS and mount.kind not in ("tmpfs", "ramfs", "overlay", "devtmpfs"):
            found.setdefault(mount.path, "a mounted filesystem ({0})".format(mount.kind))
    real = {}
    for path in sorted(found, key=lambda path: (len(path), path)):
        # Asking a network filesystem whose server is gone never ends.
        if _is_remote(mounted, path):
            continue
        place = os.path.realpath(path)
        if not _is_remote(mounted, place) and os.path.isdir(place) and place != "/" and not PASSING.fullmatch(place):
            real.setdefault(place, found[path])
    return real


def _is_remote(mounted, path):
    return any(mounts.NETWORK.fullmatch(one.kind) and one.path != "/" for one in mounts.holding(mounted, path))


def _names(directory):
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def remote(mounted):
    """Findings of network filesystems, which are not walked: whoever serves them should save them."""
    local = {mount.path for mount in mounts.of_interest(mounted)}
    return [
        finding(
            "directory", mount.path, "a network filesystem ({0})".format(mount.kind), mount.path,
            problem="a network filesystem is not looked into",
            remedy="Save it on the host that serves it, and name it in roundsman_coverage_ignore with that reason.",
        )
        for mount in mounts.of_interest(mounted, network=True)
        if mount.path not in local
    ]  # fmt: skip


class Walk:
    """One bounded walk over all candidates."""

    def __init__(self, max_entries, is_over, skip=(), mounted=()):
        self._left = max_entries
        self._is_over = is_over
        self._skip = {os.path.realpath(path) for path in skip}
        self._remote = {one.path for one in mounted if mounts.NETWORK.fullmatch(one.kind)}
        self.findings = []
        self.servers = []  # (kind, data directory)

    def look(self, candidates):
        unfinished = []
        for path, why in candidates.items():
            if path in self._skip:
                continue
            found = self._directory(path, why, self._skip | set(candidates) - {path})
            if found is None:
                unfinished.append(path)
                found = finding("directory", path, why, path)
            if found["size_bytes"] != 0 or found["problem"]:
                self.findings.append(found)
        if unfinished:
            name, why = "databases below " + ", ".join(unfinished), "the search for databases was not finished"
            problem = "the limit was reached before everything there was looked at"
            self.findings.append(finding("sqlite", name, why, problem=problem, remedy=_RAISE))
        return self

    def _directory(self, root, why, others):
        """The finding of one candidate, its size without what is a finding of its own; None when the limit ended it."""
        found = finding("directory", root, why, root, size_bytes=0)
        try:
            pending, device = [root], os.lstat(root).st_dev
        except FileNotFoundError:
            return found  # removed meanwhile, as below
        while pending:
            if self._left <= 0 or self._is_over():
                return None
            directory = pending.pop()
            try:
                entries = self._entries(directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                found["problem"] = "{0}: {1}".format(directory, error.strerror)
                found["remedy"] = "Run it as root (roundsman_backup_become)."
                continue
            names = {entry.name for entry, _info in entries}
            kind = next((kind for sign, kind in SIGNS if sign in names), None)
            if kind:
                self.servers.append((kind, directory))
                continue
            if not names.isdisjoint(REDIS_SIGNS):
                self.servers.append(("redis", directory))
                entries = [one for one in entries if not OF_REDIS.fullmatch(one[0].name)]
            found["size_bytes"] += sum(self._file(entry, info) for entry, info in entries if stat.S_ISREG(info.st_mode))
            pending += [
                entry.path
                for entry, info in entries
                if stat.S_ISDIR(info.st_mode) and info.st_dev == device and entry.path not in others
            ]
        return found

    def _file(self, entry, info):
        """What a file adds to the size of its directory; databases are findings of their own."""
        if entry.name.endswith(SQLITE_ASIDE):
            return 0
        if not _is_sqlite(entry.path):
            return info.st_size
        self.findings.append(finding("sqlite", entry.path, "a SQLite database", entry.path, size_bytes=info.st_size))
        return 0

    def _entries(self, directory):
        found = []
        with os.scandir(directory) as entries:
            for entry in entries:
                self._left -= 1
                if entry.path in self._remote:
                    continue
                try:
                    found.append((entry, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        return found


def _is_sqlite(path):
    # Programs keep caches and settings in hidden places; the directory that these lie in is a finding itself.
    if not path.endswith(SQLITE_NAMES) or "/." in path:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as stream:
        return stream.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
