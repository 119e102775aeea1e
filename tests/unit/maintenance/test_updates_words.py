"""What apt, dpkg and the kernel say, and what follows from it for updates."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import apt_words, dnf, restarting, room
from hypothesis import given
from hypothesis import strategies as st

SIMULATION = """\
Inst libc6 [2.36-9] (2.36-9+deb12u4 Debian-Security:12/stable-security, Debian:12.5/stable [amd64]) [libc-bin:amd64 ]
Inst linux-image-6.1.0-26-amd64 (6.1.112-1 Debian-Security:12/stable-security [amd64])
Inst libx:i386 [1:1.0] (1:1.1 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [i386])
Inst tool [1.0] (1.1 stable [all]) []
Inst app [1] (2 Ours (beta):1/ours-security [all])
Remv old [0.9]
Conf libc6 (2.36-9+deb12u4 Debian-Security:12/stable-security, Debian:12.5/stable [amd64])
"""
LOG = """\
After this operation, 0 B of additional disk space will be used.
Setting up bad (1.0-1) ...
the disk is upside down
dpkg: error processing package bad (--configure):
 installed bad package post-installation script subprocess returned error exit status 3
dpkg: dependency problems prevent configuration of app:
 app depends on bad (>= 1.0-1); however:
dpkg: error processing package app (--configure):
 dependency problems - leaving unconfigured
Preparing to unpack .../worse_2_all.deb ...
dpkg: error processing archive worse (--unpack):
 new worse package pre-installation script subprocess returned error exit status 1
"""
STATUS = """\
Package: tool
Status: install ok installed
Architecture: all
Description: Package: lib
 Status: install ok installed

Package: lib
Status: install ok installed
Architecture: i386

Package: lib
Status: install ok installed
Architecture: amd64
"""


def test_what_apt_would_do() -> None:
    found = apt_words.simulated(SIMULATION)
    assert [(one["package"], one["from"], one["to"]) for one in found] == [
        ("libc6", "2.36-9", "2.36-9+deb12u4"),
        ("linux-image-6.1.0-26-amd64", None, "6.1.112-1"),
        ("libx:i386", "1:1.0", "1:1.1"),
        ("tool", "1.0", "1.1"),
        ("app", "1", "2"),
        ("old", "0.9", None),
    ]
    security = ["*-security", "*-security:*", "*-security/*"]
    assert [apt_words.is_from(one["origin"], security) for one in found] == [True, True, True, False, True, False]
    assert apt_words.arguments(found) == ["libc6=2.36-9+deb12u4", "libx:i386=1:1.1", "tool=1.1", "app=2", "old-"]
    back = apt_words.arguments_back([*found[:2], {**found[3], "kept": "/previous/tool_1.0_all.deb"}])
    assert back == ["libc6=2.36-9", "linux-image-6.1.0-26-amd64-", "/previous/tool_1.0_all.deb"]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("Debian-Security:12/stable-security", True),
        ("Ubuntu:24.04/noble-security", True),
        ("stable-security", True),
        ("Debian:12.5/stable", False),
        ("Ubuntu:24.04/noble-updates", False),
        ("security-tools:1/stable", False),
    ],
)
def test_which_archives_are_of_security(origin: str, expected: bool) -> None:
    assert apt_words.is_from(origin, ["*-security", "*-security:*", "*-security/*"]) is expected


def test_why_dpkg_failed() -> None:
    assert apt_words.failures(LOG) == {
        "bad": "the disk is upside down; installed bad package post-installation script subprocess returned error exit "
        "status 3",
        "app": "app depends on bad (>= 1.0-1); however:; dependency problems - leaving unconfigured",
        "worse": "new worse package pre-installation script subprocess returned error exit status 1",
    }
    assert apt_words.last_words("Reading...\nE: Unable to lock.\nE: Sorry\n") == "Unable to lock.; Sorry"
    assert apt_words.last_words(" \n") == "it said nothing"


def test_packages_are_held_in_a_copy_of_the_status_alone() -> None:
    held = apt_words.with_holds(STATUS, {"lib:i386"})
    assert held == STATUS.replace(
        "Package: lib\nStatus: install ok installed\nArchitecture: i386",
        "Package: lib\nStatus: hold ok installed\nArchitecture: i386",
    )
    assert apt_words.with_holds(STATUS, {"tool"}).count("hold ok") == 1
    assert apt_words.with_holds(STATUS, {"other"}) == STATUS


def test_what_dpkg_knows() -> None:
    rows = [
        "tool\tall\t1.0\tinstall\tinstalled\tok\t12",
        "lib\ti386\t1.0\thold\tinstalled\tok\t4",
        "bad\tamd64\t2\tinstall\thalf-configured\tok\t4",
        "worse\tamd64\t2\tinstall\thalf-installed\treinstreq\t",
        "gone\tamd64\t1\tdeinstall\tconfig-files\tok\t4",
    ]
    found = apt_words.installed("\n".join(rows) + "\n", "amd64")
    assert apt_words.unwell(found) == {"bad": "half-configured", "worse": "reinstreq"}
    assert (found["lib:i386"]["want"], found["tool"]["installed_bytes"]) == ("hold", 12288)


def change(name: str, size: int, installed: int) -> dict[str, Any]:
    return {"package": name, "size_bytes": size, "installed_bytes": installed}


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999))))
def test_there_is_room_at_every_moment(sizes: list[tuple[int, int, int]]) -> None:
    """dpkg unpacks one package after the other, each beside its old files, in an order that nobody knows."""
    changes = [change(str(number), size, new) for number, (size, new, _old) in enumerate(sizes)]
    have = {str(number): old for number, (_size, _new, old) in enumerate(sizes)}
    need = room.room_needed(changes, have)
    grown = 0
    for _size, new, old in sorted(sizes, key=lambda one: one[2] - one[1]):
        assert grown + new <= need["unpack"]
        grown += new - old
    assert need["download"] == sum(one[0] for one in sizes)


MAPS = """\
7f00-7f01 r-xp 00000000 08:01 10 /usr/lib/libssl.so.3 (deleted)
7f01-7f02 r--p 00000000 08:01 11 /usr/lib/libc.so.6
7f02-7f03 rw-s 00000000 00:01 12 /memfd:pulse (deleted)
7f03-7f04 rw-s 00000000 00:01 13 /dev/zero (deleted)
7f04-7f05 rw-s 00000000 08:01 14 /tmp/scratch (deleted)
7f05-7f06 rw-p 00000000 00:00 0
7f08-7f09 r--p 00000000 08:01 16 /usr/lib/locale/locale-archive (deleted)
7f04-7f05 rwxs 00000000 08:01 17 /tmp/jit (deleted)
7f06-7f07 r-xp 00000000 08:01 15 /opt/the shop/app (deleted)
"""


def test_what_runs_and_is_replaced() -> None:
    assert restarting.replaced_files(MAPS) == ["/opt/the shop/app", "/usr/lib/libssl.so.3"]
    units = {
        "0::/system.slice/web.service\n": "web.service",
        "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n": "postgresql@15-main.service",
        "0::/user.slice/user-0.slice/session-3.scope\n": None,
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n": "user@1000.service",
        "0::/machine.slice/web.scope/payload/system.slice/a.service\n": None,
        "4:memory:/x\n1:name=systemd:/system.slice/ssh.service\n": "ssh.service",
        "0::/init.scope\n": "systemd-manager",
    }
    assert {text: restarting.unit_of(text) for text in units} == units
    assert restarting.is_spared("dbus.service", [])
    assert restarting.is_spared("shop@1.service", ["shop@*"])
    assert not restarting.is_spared("shop.service", [])


INSTALLED = "30\tkernel-core.x86_64\t6.1-2\n10\tkernel-core.x86_64\t6.1-1\n20\tbash.x86_64\t1:5.2-1\n"
UPDATES = """
bash.x86_64                              1:5.2-2                   baseos
a-name-that-is-so-long-that-it-is-on-a-line-of-its-own.noarch
                                         2-1                       appstream
Obsoleting Packages
new.noarch                               1-1                       baseos
    old.noarch                           1-1                       @System
"""


def test_what_dnf_says() -> None:
    assert dnf.installed(INSTALLED) == {"kernel-core.x86_64": "6.1-2", "bash.x86_64": "1:5.2-1"}
    long = "a-name-that-is-so-long-that-it-is-on-a-line-of-its-own.noarch"
    assert dnf.updates(UPDATES) == [("bash.x86_64", "1:5.2-2", "baseos"), (long, "2-1", "appstream")]
    assert dnf.spec("bash.x86_64", "1:5.2-2") == "bash-1:5.2-2.x86_64"
    assert dnf.is_named_by("bash.x86_64", ["ba*h"])
    assert not dnf.is_named_by("bash.x86_64", ["ba"])
