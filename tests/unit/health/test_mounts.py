"""Which mounts can fill up, and which are read-only though they should not be."""

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import filesystem
from ansible_collections.roundsman.fleet.plugins.module_utils.mounts import (
    became_read_only,
    holding,
    of_interest,
    parse_fstab,
    parse_mounts,
    real_mounts,
)

from .builders import keys_of, result_of

MOUNTINFO = r"""
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
23 21 0:6 / /dev rw - devtmpfs udev rw
24 21 0:20 / /dev/shm rw - tmpfs tmpfs rw
25 21 0:21 / /run rw,nosuid - tmpfs tmpfs rw
26 21 8:17 / /srv/my\040data rw shared:1 - xfs /dev/sdb1 rw
27 21 8:17 /deep /srv/bind rw shared:1 - xfs /dev/sdb1 rw
28 21 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
29 21 0:40 / /mnt/nas rw - nfs4 nas:/export rw
30 21 0:41 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
31 21 0:42 / /misc rw - autofs auto rw
32 21 8:33 / /mnt/camera ro - vfat /dev/sdc1 ro
"""
MOUNTS = parse_mounts(MOUNTINFO.strip())
FSTAB = parse_fstab(r"""
# <file system> <mount point> <type> <options> <dump> <pass>
/dev/sda1 / ext4 errors=remount-ro 0 1
/dev/sdb1 /srv/my\040data xfs defaults 0 2
/dev/sdd1 /srv/archive ext4 ro,nosuid 0 2
/dev/sdc1 /mnt/camera vfat noauto,user 0 0
short line
""")


def test_real_mounts_leave_out_what_cannot_fill_up():
    assert real_mounts(of_interest(MOUNTS)) == ["/", "/run", "/dev/shm", "/srv/bind"]
    assert "/mnt/nas" in real_mounts(of_interest(MOUNTS, network=True))
    assert real_mounts(of_interest(MOUNTS, exclude=["/run", "/srv/*"])) == ["/", "/dev/shm"]


def test_a_containers_root_is_a_real_mount():
    root = parse_mounts("1 0 0:50 / / rw - overlay overlay rw")
    assert real_mounts(of_interest(root)) == ["/"]


def test_a_strange_path_is_one_mount():
    assert [one.path for one in parse_mounts("1 0 0:50 / /mnt/a\x0cb\u2028 rw - fuse x rw\n")] == ["/mnt/a\x0cb\u2028"]


@pytest.mark.parametrize(
    ("path", "mount"),
    [("/var/log", "/"), ("/srv/bind/a", "/srv/bind"), ("/srv/bindings", "/"), ("/run", "/run"), ("/", "/")],
)
def test_the_mount_that_holds_a_path(path, mount):
    assert [each.path for each in holding(MOUNTS, path)] == [mount]
    assert holding([], path) == []


AFTER_ERROR = "it was mounted read-write, and the kernel made it read-only after an error"
GIVEN_UP = "the kernel stopped writing to it after an error"
FSTAB_SAYS_RW = "/etc/fstab mounts it read-write"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro", None),
        ("21 1 8:1 / / rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro", AFTER_ERROR),
        ("21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro,emergency_ro", GIVEN_UP),
        ("21 1 8:1 / / ro,relatime - ext4 /dev/sda1 ro,errors=remount-ro", FSTAB_SAYS_RW),
        (r"21 1 8:17 / /srv/my\040data ro - xfs /dev/sdb1 ro", FSTAB_SAYS_RW),
        ("21 1 8:17 / /srv/elsewhere ro - xfs /dev/sdb1 ro", None),
        ("21 1 8:49 / /srv/archive ro - ext4 /dev/sdd1 ro", None),
        ("21 1 8:33 / /mnt/camera ro - vfat /dev/sdc1 ro", None),
        ("21 1 8:1 / /srv/bound ro - ext4 /dev/sda1 rw", None),
        ("21 1 0:50 / / ro - overlay overlay rw", None),
        ("21 1 7:1 / /snap/core/1 rw - squashfs /dev/loop1 ro", None),
        ("21 1 11:0 / /media/disc rw - iso9660 /dev/sr0 ro", None),
    ],
)
def test_only_what_nobody_wanted_read_only_is_a_fault(line, why):
    (mount,) = parse_mounts(line)
    assert became_read_only([mount], FSTAB) == ({mount.path: why} if why else {})


def test_a_device_that_became_read_only_is_named_once():
    twice = parse_mounts("1 0 8:1 / /srv rw - ext4 /dev/sda1 ro\n2 0 8:1 / /srv/again rw - ext4 /dev/sda1 ro")
    assert list(became_read_only(of_interest(twice), {})) == ["/srv"]


@pytest.mark.parametrize(("grade", "status"), [("critical", "CRITICAL"), ("warning", "WARNING"), ("ignore", "OK")])
def test_a_person_decides_what_read_only_means(monkeypatch, grade, status):
    monkeypatch.setattr(filesystem, "became_read_only", lambda mounts, fstab: {"/": GIVEN_UP})
    limits = dict.fromkeys(("warn", "crit", "inodes_warn", "inodes_crit"))
    result = result_of(dict(limits, type="filesystem", path="/", read_only=grade))
    assert result["status"] == status
    assert result["message"].startswith(f"/ is read-only: {GIVEN_UP}") == (status != "OK")
    assert result["value"] is not None


def test_space_and_read_only_are_told_together():
    keys = keys_of({"type": "filesystem"})
    full = filesystem.verdict("/var", filesystem.Usage(100, 97, 3, 97.0, 12.0), keys)
    found = filesystem.conclude(keys, [full], {"/srv": FSTAB_SAYS_RW}, {})
    assert found.message == "/srv is read-only: /etc/fstab mounts it read-write; /var 97% used (crit 95%), 3 B free"
