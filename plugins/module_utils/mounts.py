# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is mounted: which mounts can fill up, and which are read-only though they should not be."""

from __future__ import annotations

import collections
import re
from fnmatch import fnmatchcase

NETWORK = re.compile(
    r"nfs4?|cifs|smb3?|ceph|glusterfs|lustre|afs|9p|virtiofs|"
    r"fuse\.(sshfs|s3fs|rclone|glusterfs|ceph.*)"
)
SYSTEMS_OWN = re.compile(r"/(proc|sys|dev(?!/shm$)|run/host|run/credentials)(/.*)?")
IMAGES = ("squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs")  # nobody can write to these
# What ext4 shows of a filesystem that gave up after an error (Linux 6.15 and later).
GIVEN_UP = ("emergency_ro", "shutdown")

# root: what of its filesystem is shown at `path`, "/" for all of it; id: as in /proc/PID/fdinfo
Mount = collections.namedtuple("Mount", "path kind device options super_options root id", defaults=("/", 0))


def read_mounts():
    """(mounts, what /etc/fstab says of them)"""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = parse_mounts(file.read())
    try:
        with open("/etc/fstab", encoding="utf-8", errors="surrogateescape") as file:
            return mounts, parse_fstab(file.read())
    except OSError:
        return mounts, {}


def parse_mounts(text):
    """Mounts of /proc/self/mountinfo (proc_pid_mountinfo(5)), the last one at each path."""
    mounts = {}
    # Paths may hold what Python takes for the end of a line; the kernel escapes only blanks and newlines.
    for line in text.rstrip("\n").split("\n"):
        head, _dash, tail = line.partition(" - ")
        fields, (kind, _source, super_options) = head.split(" "), tail.split(" ", 2)
        path = _unescaped(fields[4])
        options = fields[5].split(","), super_options.split(",")
        mounts[path] = Mount(path, kind, fields[2], *options, root=_unescaped(fields[3]), id=int(fields[0]))
    return list(mounts.values())


def _unescaped(path):
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), path)


def parse_fstab(text):
    """mount point -> options of what /etc/fstab mounts at boot."""
    lines = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    entries = {_unescaped(fields[1]): fields[3].split(",") for fields in lines if len(fields) > 3}
    return {path: options for path, options in entries.items() if "noauto" not in options}


def holding(mounts, path):
    """The mount that `path`, without links, lies on, in a list; a changed root may hide it."""
    above = [mount for mount in mounts if (path + "/").startswith(mount.path.rstrip("/") + "/")]
    return sorted(above, key=lambda mount: len(mount.path))[-1:]


def of_interest(mounts, network=False, exclude=()):
    """Mounts without automounts, images and the system's own, no network unless asked, the shortest path first."""
    chosen = []
    for mount in sorted(mounts, key=lambda mount: (len(mount.path), mount.path)):
        remote = NETWORK.fullmatch(mount.kind) and not network
        odd = mount.kind == "autofs" or mount.kind in IMAGES or SYSTEMS_OWN.fullmatch(mount.path)
        left_out = any(fnmatchcase(mount.path, pattern) for pattern in exclude)
        if not left_out and (mount.path == "/" or not (remote or odd)):
            chosen.append(mount)
    return chosen


def real_mounts(mounts):
    """Paths that can fill up, one per device: what somebody can write to, and no container's layers."""
    chosen = {}
    for mount in mounts:
        if mount.path == "/" or (mount.kind != "overlay" and "ro" not in mount.options):
            chosen.setdefault(mount.device, mount.path)
    return list(chosen.values())


def became_read_only(mounts, fstab):
    """path -> why, in words, of those that are read-only though they should not be, one per device."""
    chosen = {}
    for mount in mounts:
        why = why_read_only(mount, fstab)
        if why:
            chosen.setdefault(mount.device, (mount.path, why))
    return dict(chosen.values())


def why_read_only(mount, fstab):
    """Why it is read-only though it should not be, in words; None when it is as it should be.

    A mount that is read-only over a filesystem that is not (a bind mount, a container's root) is somebody's wish, and
    so is one that is read-only all through, unless /etc/fstab says otherwise.
    """
    if any(option in mount.super_options for option in GIVEN_UP):
        return "the kernel stopped writing to it after an error"
    if mount.kind in IMAGES or "ro" not in mount.super_options:
        return None
    if "ro" not in mount.options:
        return "it was mounted read-write, and the kernel made it read-only after an error"
    wanted = fstab.get(mount.path)
    return "/etc/fstab mounts it read-write" if wanted is not None and "ro" not in wanted else None
