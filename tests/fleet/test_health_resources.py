"""The checks of resources on a real host, in the healthy state and with each resource really short."""

from __future__ import annotations

import re
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet import base, network
from tests.fleet.looking import look_until
from tests.fleet.test_health import sweep
from tests.fleet.waiting import until

# As the controller sees it: what a host may do with devices, its console may not.
LOOP_DEVICES = """
test -e /dev/loop-control || mknod /dev/loop-control c 10 237
for n in $(seq 0 31); do test -e /dev/loop$n || mknod /dev/loop$n b 7 $n; done
"""
LOCAL_EXPERIMENTAL = 0x88B5  # an EtherType that nobody listens to


@pytest.fixture(scope="module")
def alba(shared_fleet):
    return shared_fleet.host("alba", tree=base.peer_tree)


@pytest.fixture
def look(shared_fleet, alba):
    """One check on alba: `look({"type": "load"})`; with `last`, since the bookmarks of an earlier look."""

    def look(check, last=None, become=False):
        answer = sweep(shared_fleet, alba, checks=[check], become=become, bookmarks=last)["alba"]
        (result,) = answer["checks"]
        return dict(result, bookmarks=answer["bookmarks"])

    return look


def console(host, script):
    done = host.inside("sh", "-euc", script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def unit(host, name, command, *properties):
    """A command that runs as a service of the host."""
    host.run(f"systemd-run --quiet --unit={name} {' '.join(f'-p {one}' for one in properties)} {command}")
    yield
    host.run(f"systemctl stop {name}; systemctl reset-failed {name} 2>/dev/null || true")


@contextmanager
def disk(host, path):
    """An ext4 of its own at `path`; the name of its device."""
    console(host, f"{LOOP_DEVICES} truncate -s 32M {path}.img; mkfs.ext4 -q {path}.img; mkdir -p {path}")
    console(host, f"mount -o loop,errors=remount-ro {path}.img {path}")
    yield console(host, f"findmnt -no SOURCE {path}").removeprefix("/dev/")
    console(host, f"umount {path}; rm {path}.img")


def test_a_disk_that_is_remounted_read_only_against_its_fstab_is_critical(alba, look):
    with disk(alba, "/srv/data"):
        check = {"type": "filesystem", "path": "/srv/data"}
        assert look(check)["status"] == "OK"
        console(alba, "mount -o remount,ro /srv/data")
        assert look(check)["status"] == "OK", "nobody said that it has to be writable"
        alba.write("/etc/fstab", "/dev/vdb /srv/data ext4 defaults 0 2\n")
        for one in (check, {"type": "filesystem"}):
            result = look(one)
            assert result["status"] == "CRITICAL"
            assert "/srv/data is read-only: /etc/fstab mounts it read-write" in result["message"]
        alba.run("rm /etc/fstab")


def test_a_disk_that_the_kernel_gave_up_after_an_error_is_critical(alba, look):
    with disk(alba, "/srv/data") as device:
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("the test breaks it")
        assert alba.run("touch /srv/data/new", check=False).returncode != 0
        result = look({"type": "filesystem"})
        assert result["status"] == "CRITICAL"
        assert re.search("/srv/data is read-only: .* after an error", result["message"])
        assert look({"type": "filesystem", "read_only": "ignore"})["status"] == "OK"


def test_a_disk_that_works_hard_is_busy_and_one_that_rests_is_not(alba, look):
    with disk(alba, "/srv/data") as device:
        check = {"type": "disk_io", "devices": [device], "warn": "5%"}
        quiet = look({"type": "disk_io", "devices": [device]})
        assert (quiet["status"], quiet["value"]) == ("OK", 0), quiet
        write = "sh -c 'while :; do dd if=/dev/zero of=/srv/data/x bs=64k count=200 oflag=direct; done'"
        with unit(alba, "writer", write):
            busy = look_until(lambda: look(check, last=quiet["bookmarks"]), lambda result: result["value"] > 5)
        assert "busy (warn 5%)" in busy["message"]
        assert busy["perfdata"].startswith(f"'{device} busy'=")


def test_packets_that_a_host_drops_are_counted_since_the_last_round(shared_fleet, alba, look):
    check = {"type": "network", "interface": "eth0", "drops_warn": "1/s"}
    before = look(check)
    assert before["status"] == "OK", before
    frame = b"\xff" * 6 + b"\x02" * 6 + LOCAL_EXPERIMENTAL.to_bytes(2, "big") + bytes(50)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((f"{network.PREFIX}{shared_fleet.number}", 0))
        for _frame in range(500):
            wire.send(frame)
    after = look(check, last=before["bookmarks"])
    drops = int(re.search(r"(\d+) drops \(warn 1/s\)", after["message"])[1])
    assert (after["status"], 500 <= drops < 600) == ("WARNING", True), after


def test_an_interface_without_a_link_is_critical(alba, look):
    console(alba, "ip link add lan1 type veth peer name lan2; ip link set lan1 up")
    assert look({"type": "network", "interface": "lan1"})["message"].startswith("lan1 has no link; ")
    console(alba, "ip link set lan2 up")
    assert look({"type": "network", "interface": "lan1"})["status"] == "OK"
    console(alba, "ip link set lan1 down")
    result = look({"type": "network", "interface": "lan1"})
    assert (result["status"], result["message"].startswith("lan1 is switched off; ")) == ("CRITICAL", True)
    console(alba, "ip link del lan1")
    assert look({"type": "network", "interface": "lan1"})["status"] == "UNKNOWN"


def test_a_process_that_opened_thousands_of_files_is_found_by_anybody(alba, look):
    assert look({"type": "descriptors"})["status"] == "OK"
    hog = "import time; kept = [open('/dev/null') for _ in range(4000)]; open('/run/hog', 'w'); time.sleep(600)"
    alba.write("/srv/hog.py", hog)
    with unit(alba, "hog", "python3 /srv/hog.py", "LimitNOFILE=4096"):
        alba.run(until("test -e /run/hog"))
        result = look({"type": "descriptors"})
        assert (result["status"], "of its 4096 open (crit 95%)" in result["message"]) == ("CRITICAL", True), result


def test_zombies_are_told_with_the_parent_that_neglects_them(alba, look):
    assert look({"type": "zombies"})["status"] == "OK"
    parent = "import subprocess, time; kept = [subprocess.Popen(['true']) for _ in range(20)]; time.sleep(600)"
    alba.write("/srv/parent.py", parent)
    with unit(alba, "payroll", "python3 /srv/parent.py"):
        result = look_until(lambda: look({"type": "zombies"}), lambda result: result["value"] >= 20)
        pid = alba.run("systemctl show --value -p MainPID payroll").stdout.strip()
        assert (result["status"], f"20 of python3 (pid {pid})" in result["message"]) == ("WARNING", True), result


def test_pressure_rises_when_more_wants_to_run_than_can(alba, look):
    check = {"type": "pressure", "seconds": 10, "cpu_warn": "10%", "memory_full_crit": None}
    with unit(alba, "spin", "sh -c 'for n in 1 2 3 4 5; do while :; do :; done & done; wait'"):
        result = look_until(lambda: look(check), lambda result: result["status"] == "WARNING")
    assert "some tasks waited for a processor" in result["message"]
    assert "(warn 10%)" in result["message"]
    assert "'io full avg300'=" in result["perfdata"]


def test_what_a_host_does_not_have_is_unknown_or_passed_over(shared_fleet, alba):
    checks = [{"type": "smart"}, {"type": "smart", "devices": ["/dev/sdz"]}, {"type": "raid", "optional": True}]
    smart, named, *_raid = sweep(shared_fleet, alba, checks=checks, become=True)["alba"]["checks"]
    assert (smart["status"], smart["message"]) == ("UNKNOWN", "smartctl finds no disk that it could ask")
    assert named["status"] == "UNKNOWN"
    assert "roundsman_health_become" in sweep(shared_fleet, alba, checks=checks)["alba"]["checks"][1]["remedy"]
    alba.run("mv /usr/sbin/smartctl /root")
    without = sweep(shared_fleet, alba, checks=checks, become=True)["alba"]["checks"]
    alba.run("mv /root/smartctl /usr/sbin")
    assert [result["message"] for result in without[:2]] == ["smartctl is not installed"] * 2
    # Without optional arrays there is no third result; a machine that has some is another matter.
    assert Path("/proc/mdstat").exists() or len(without) == 2


def test_what_can_be_had_back_is_gone_after_it_was_had_back(alba, look):
    alba.run("journalctl --rotate; head -c 3M /dev/urandom > /var/cache/apt/archives/shop_1_all.deb")
    before = look({"type": "reclaimable", "warn": "3MiB"}, become=True)
    assert (before["status"], before["details"]["packages_bytes"]) == ("WARNING", 3 * 1024**2), before
    assert before["details"]["journal_archived_bytes"] > 0
    told = alba.run("journalctl --disk-usage").stdout
    mebibytes = float(re.search(r"take up ([\d.]+)M", told)[1])
    assert abs(before["details"]["journal_bytes"] / 1024**2 - mebibytes) < 0.2
    alba.run("journalctl --vacuum-size=1; apt-get clean")
    after = look({"type": "reclaimable", "warn": "3MiB"}, become=True)
    assert (after["status"], after["value"]) == ("OK", 0), after
