"""Checks on the real machine, compared with what other programs say about it."""

import collections
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import filesystem, systemd, uptime

from .builders import keys_of, result_of

GIB = 1024**3


def test_filesystem_agrees_with_df():
    result = result_of({"type": "filesystem", "path": "/"})
    df = subprocess.run(["df", "--output=pcent", "/"], capture_output=True, text=True, check=True)
    assert abs(result["value"] - int(df.stdout.split()[-1].rstrip("%"))) < 3  # df rounds up, and others write
    assert result["unit"] == "%"
    assert "'/ inodes'=" in result["perfdata"]


def test_all_filesystems_are_one_result():
    limits = dict.fromkeys(("warn", "crit", "inodes_warn", "inodes_crit"))
    # Others may have mounted what is read-only, and read-only on purpose.
    result = result_of({"type": "filesystem", "read_only": "ignore", **limits})
    assert (result["id"], result["status"]) == ("filesystem", "OK")
    assert "fullest" in result["message"]


@pytest.mark.parametrize(
    ("keys", "status", "words", "unit"),
    [
        ({"warn": "0%", "crit": None}, "WARNING", "% used (warn 0%)", "%"),
        ({"warn": "1k", "crit": "1PiB"}, "WARNING", "% used (warn 1k)", "B"),
        ({"free_warn": "1PiB"}, "WARNING", "% free (warn 1PiB)", "%"),
        ({"free_crit": "100%"}, "CRITICAL", "% free (crit 100%)", "%"),
        ({"inodes_crit": "0%"}, "CRITICAL", "% of inodes used (crit 0%)", "%"),
    ],
)
def test_space_free_space_and_inodes_have_thresholds_of_their_own(keys, status, words, unit):
    result = result_of(dict(keys, type="filesystem", path="/"))
    assert (result["status"], words in result["message"], result["unit"]) == (status, True, unit), result


def test_a_path_that_is_not_there_is_unknown_and_one_that_is_not_mounted_critical(tmp_path):
    missing = result_of({"type": "filesystem", "path": "/no/such"})
    assert (missing["status"], missing["message"]) == ("UNKNOWN", "/no/such: No such file or directory")
    result = result_of({"type": "filesystem", "path": str(tmp_path), "mounted": True})
    assert (result["status"], result["message"]) == ("CRITICAL", f"{tmp_path} is not mounted")


def test_a_mount_that_never_answers_is_named_and_the_others_are_judged(monkeypatch):
    statvfs = os.statvfs

    def dead_for_nas(path):
        if path == "/mnt/nas":
            time.sleep(600)
        return statvfs("/")

    monkeypatch.setattr(filesystem, "real_mounts", lambda mounts: ["/", "/mnt/nas"])
    monkeypatch.setattr(filesystem.os, "statvfs", dead_for_nas)
    result = result_of({"type": "filesystem"}, limit_s=3)
    assert (result["status"], result["message"]) == ("UNKNOWN", "/mnt/nas does not answer")
    assert result["value"] is not None


Blocks = collections.namedtuple("Blocks", "f_frsize f_blocks f_bfree f_bavail f_files f_ffree")


def test_space_reserved_for_root_counts_as_used_up():
    usage = filesystem.usage_of(Blocks(4096, 1000, 100, 0, 0, 0))
    assert (usage.used_percent, usage.free, usage.inodes_percent) == (100.0, 0, None)
    assert filesystem.usage_of(Blocks(4096, 0, 0, 0, 0, 0)) is None


def test_the_worst_filesystem_comes_first_in_the_message():
    keys = keys_of({"type": "filesystem"})
    full = filesystem.verdict("/var", filesystem.Usage(100 * GIB, 97 * GIB, 3 * GIB, 97.0, 12.0), keys)
    tight = filesystem.verdict("/home", filesystem.Usage(100 * GIB, 10 * GIB, 90 * GIB, 10.0, 91.0), keys)
    assert full.words == "/var 97% used (crit 95%), 3.0 GiB free"
    assert tight.words == "/home 10% used, 91% of inodes used (warn 85%), 90.0 GiB free"
    assert (full.status, tight.status) == ("CRITICAL", "WARNING")


def test_processors_memory_and_load_are_what_psutil_sees():
    assert 0 <= result_of({"type": "cpu", "sample": "50ms"})["value"] <= 100
    before = psutil.virtual_memory().percent
    found = result_of({"type": "memory"})["value"]
    after = psutil.virtual_memory().percent
    assert min(before, after) - 10 < found < max(before, after) + 10
    load = result_of({"type": "load", "minutes": 15, "per_core": False})["value"]
    assert abs(load - os.getloadavg()[2]) < 0.5


def test_processes_are_counted_by_name_and_user():
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        found = result_of({"type": "processes", "name": "sle*p", "user": "*", "crit": "1:"})
        missing = result_of({"type": "processes", "name": "sleep", "user": "nobody-has-this", "crit": "1:"})
    finally:
        sleeper.kill()
        sleeper.wait()
    assert (found["status"], found["value"] >= 1) == ("OK", True)
    assert (missing["status"], missing["value"]) == ("CRITICAL", 0)
    assert missing["message"] == "0 processes sleep of nobody-has-this (crit 1:)"


def test_uptime_is_the_kernels():
    before = float(Path("/proc/uptime").read_text().split()[0])
    result = result_of({"type": "uptime", "reboot_required": "ignore", "crit": "1ms"})
    after = float(Path("/proc/uptime").read_text().split()[0])
    assert before - 2 < result["value"] < after + 2
    assert result["status"] == "CRITICAL"


def test_a_reboot_is_required_after_updates_or_with_a_newer_kernel(tmp_path):
    flag = tmp_path / "reboot-required"
    assert uptime.reboot_reasons(str(flag), str(tmp_path)) == []
    flag.touch()
    assert uptime.reboot_reasons(str(flag), str(tmp_path)) == ["updates ask for it"]
    (tmp_path / "reboot-required.pkgs").write_text("libc6\ndbus\nlibc6\n")
    assert uptime.reboot_reasons(str(flag), "/no/boot") == ["after updates of dbus, libc6"]


@pytest.mark.parametrize(
    ("running", "installed", "newer"),
    [
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-10-amd64"], "6.1.0-10-amd64"),
        ("6.1.0-10-amd64", ["6.1.0-9-amd64", "6.1.0-10-amd64"], None),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-10-cloud-amd64"], None),
        ("6.1.0-39-amd64", ["6.1.0-39-amd64", "6.12.48+deb13-amd64"], "6.12.48+deb13-amd64"),
        ("6.12.9+bpo-amd64", ["6.12.9+bpo-amd64", "6.12.48+deb13-cloud-amd64"], None),
        ("5.14.0-70.el9.x86_64", ["5.14.0-70.el9.x86_64", "5.14.0-362.el9.x86_64"], "5.14.0-362.el9.x86_64"),
        (
            "4.18.0-80.el8.x86_64",
            ["4.18.0-80.el8.x86_64", "4.18.0-80.1.2.el8_0.x86_64", "4.18.0-80.1.2.el8_0.x86_64+debug"],
            "4.18.0-80.1.2.el8_0.x86_64",
        ),
        ("6.18.0", ["6.1.0-9-amd64"], None),
        ("6.18.0", [], None),
    ],
)
def test_a_newer_kernel_of_the_same_flavour(running, installed, newer):
    assert uptime.newer_kernel(running, installed) == newer


def test_a_rescue_image_is_no_installed_kernel(tmp_path):
    for name in ("vmlinuz-0-rescue-ffee", "vmlinuz-5.14.0-70.el9.x86_64", "vmlinuz.old", "config-6.1.0-9-amd64"):
        (tmp_path / name).touch()
    assert uptime.installed_kernels(str(tmp_path)) == ["5.14.0-70.el9.x86_64"]


LISTING = "nginx.service loaded failed failed A web server\nfoo@1.service not-found failed failed foo@1.service\n"


@pytest.mark.parametrize(
    ("ignored", "failed"), [([], ["nginx.service", "foo@1.service"]), (["foo@*"], ["nginx.service"]), (["*"], [])]
)
def test_failed_units_that_may_fail_are_left_out(ignored, failed):
    assert systemd.failed_units(LISTING, ignored) == failed


@pytest.mark.parametrize(
    ("states", "fine", "words"),
    [
        ({"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}, True, "active (running)"),
        ({"LoadState": "loaded", "ActiveState": "activating", "SubState": "start"}, True, "activating (start)"),
        ({"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead"}, False, "inactive (dead)"),
        ({"LoadState": "masked", "ActiveState": "inactive", "SubState": "dead"}, False, "inactive (dead), masked"),
        (
            {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "Result": "exit-code"},
            False,
            "failed (failed), result exit-code",
        ),
    ],
)
def test_a_unit_has_to_be_active(states, fine, words):
    assert systemd.describe("a.service", states) == (fine, "a.service is " + words)


def test_a_unit_that_is_not_installed():
    assert systemd.describe("a.service", {"LoadState": "not-found"}) == (False, "a.service is not installed")
