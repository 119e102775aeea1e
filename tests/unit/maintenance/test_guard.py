"""Where nothing is ever removed."""

from __future__ import annotations

import os

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.mounts import parse_mounts
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.guard import ROOTS, TREES, aliases, refusal
from hypothesis import given
from hypothesis import strategies as st

HOMES = [b"/", b"/root", b"/home/anna", b"/var/lib/shop"]


@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "//etc", "/etc", "/etc/cache", "/usr", "/usr/share/x", "/boot", "/boot/efi", "/var", "/var/lib",
        "/var/lib/dpkg", "/var/lib/dpkg/info", "/home", "/home/anna", "/root", "/var/lib/shop", "/home/anna/.ssh",
        "/home/anna/.config/x", "/srv/../etc", "/srv/cache/", "/srv/./cache", "srv/cache", "", "/run/x", "/proc/1",
        "/var/backups", "/var/cache", "/tmp", "/var/lib/pgsql/15/data/base", "/var/lib/mongodb/journal",
        "/var/lib/etcd/member", "/var/lib/containerd/x", "/var/lib/libvirt/images", "/var/lib/rabbitmq/mnesia",
        "/var/lib/mongo", "/home/anna/.mozilla/firefox",
    ],
)  # fmt: skip
def test_never(path: str) -> None:
    assert refusal(path.encode(), HOMES)


@pytest.mark.parametrize(
    "path",
    [
        "/var/cache/shop", "/srv/shop/cache", "/home/anna/.cache/pip", "/root/.npm/_cacache", "/tmp/build", "/etcetera",
        "/cache", "/srv/.config",
    ],
)  # fmt: skip
def test_a_cache(path: str) -> None:
    assert refusal(path.encode(), HOMES) is None


@given(
    st.sampled_from([*TREES, *ROOTS, *HOMES]), st.lists(st.sampled_from([b"a", b"etc", b"\xff\n", b"usr"]), max_size=3)
)
def test_nothing_guarded_lies_in_what_may_be_cleaned(kept: bytes, below: list[bytes]) -> None:
    path = b"/" + b"/".join(below)
    if refusal(path, HOMES) is None:
        assert not kept.startswith(path.rstrip(b"/") + b"/")
        assert kept != path


MOUNTS = r"""
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 254:0 /etc/ssl /srv/cache rw - ext4 /dev/vda rw
31 22 254:0 / /mnt/whole rw - ext4 /dev/vda rw
32 22 254:1 / /srv/data rw - ext4 /dev/vdb rw
33 22 254:1 /in\040side /srv/other rw - ext4 /dev/vdb rw
""".strip()


@pytest.mark.parametrize(
    ("mount", "path", "also"),
    [
        (30, "/srv/cache", {"/etc/ssl", "/mnt/whole/etc/ssl"}),
        (30, "/srv/cache/certs", {"/etc/ssl/certs", "/mnt/whole/etc/ssl/certs"}),
        (31, "/mnt/whole/etc", {"/etc"}),
        (31, "/mnt/whole/etc/ssl/x", {"/etc/ssl/x", "/srv/cache/x"}),
        (32, "/srv/data/x", set()),
        (32, "/srv/data", set()),
        (33, "/srv/other/x", {"/srv/data/in side/x"}),
    ],
)
def test_every_name_of_what_is_mounted_twice(mount: int, path: str, also: set[str]) -> None:
    mounts = parse_mounts(MOUNTS)
    (mine,) = [one for one in mounts if one.id == mount]
    assert {os.fsdecode(one) for one in aliases(path.encode(), mine, mounts)} == {path, *also}
