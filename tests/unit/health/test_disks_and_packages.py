"""What programs of the host tell: SMART of disks, pending updates; and what its caches hold."""

import json
import os

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import pending
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import reclaimable, smart, updates
from ansible_collections.roundsman.fleet.plugins.module_utils.family import CannotLookError, NotThereError

from .builders import keys_of, look, result_of


def attribute(number, name, raw):
    return {"id": number, "name": name, "value": 100, "raw": {"value": raw, "string": str(raw)}}


def ata(reallocated=0, pending_sectors=0, passed=True):
    """What smartctl 7 says of an ATA disk, as far as it matters here."""
    table = [attribute(5, "Reallocated_Sector_Ct", reallocated), attribute(9, "Power_On_Hours", 43549)]
    table += [attribute(197, "Current_Pending_Sector", pending_sectors), attribute(198, "Offline_Uncorrectable", 0)]
    return {
        "smartctl": {"version": [7, 3], "exit_status": 0 if passed else 8},
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
        "model_name": "WDC WD40EFRX",
        "smart_status": {"passed": passed},
        "ata_smart_attributes": {"revision": 16, "table": table},
        "temperature": {"current": 34},
    }


def nvme(**log):
    health = {"critical_warning": 0, "temperature": 35, "percentage_used": 3, "media_errors": 0, **log}
    return {
        "smartctl": {"version": [7, 0], "exit_status": 0},
        "model_name": "Samsung SSD 970 EVO 500GB",
        "smart_status": {"passed": not health["critical_warning"], "nvme": {"value": health["critical_warning"]}},
        "nvme_smart_health_information_log": health,
        "temperature": {"current": health["temperature"]},
    }


SAS = {
    "smartctl": {"exit_status": 0},
    "model_name": "SEAGATE ST4000NM0043",
    "smart_status": {"passed": True},
    "scsi_grown_defect_list": 156,
    "temperature": {"current": 34, "drive_trip": 68},
}
ASLEEP = {"smartctl": {"messages": [{"string": "Device is in STANDBY mode, exit(2)"}], "exit_status": 2}}
CLOSED = {
    "smartctl": {
        "messages": [{"string": "Smartctl open device: /dev/sdz failed: No such device", "severity": "error"}],
        "exit_status": 2,
    }
}
# The answer of smartctl 7.3 about the virtual disk of the machine that tests this.
VIRTUAL = {
    "smartctl": {
        "messages": [{"string": "/dev/vda: Unable to detect device type", "severity": "error"}],
        "exit_status": 1,
    }
}


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (ata(), "OK", "d (WDC WD40EFRX) 34 °C"),
        (ata(reallocated=2), "WARNING", "d (WDC WD40EFRX) 2 reallocated (warn 0), 34 °C"),
        (ata(300, 8), "CRITICAL", "d (WDC WD40EFRX) 300 reallocated, 8 pending (crit 100), 34 °C"),
        (ata(passed=False), "CRITICAL", "d (WDC WD40EFRX) says that it is failing, 34 °C"),
        (nvme(), "OK", "d (Samsung SSD 970 EVO 500GB) 3% worn, 35 °C"),
        (nvme(media_errors=7), "WARNING", "d (Samsung SSD 970 EVO 500GB) 7 media errors (warn 0), 3% worn, 35 °C"),
        (nvme(percentage_used=120), "CRITICAL", "d (Samsung SSD 970 EVO 500GB) 120% worn (crit 100%), 35 °C"),
        (nvme(temperature=75), "CRITICAL", "d (Samsung SSD 970 EVO 500GB) 3% worn, 75 °C (crit 70)"),
        (
            nvme(critical_warning=9),
            "CRITICAL",
            "d (Samsung SSD 970 EVO 500GB) says that it is failing, spare blocks run out, read-only, 3% worn, 35 °C",
        ),
        (SAS, "CRITICAL", "d (SEAGATE ST4000NM0043) 156 reallocated (crit 100), 34 °C"),
        (ASLEEP, "OK", "d is asleep"),
        (CLOSED, "UNKNOWN", "d: Smartctl open device: /dev/sdz failed: No such device"),
    ],
)
def test_a_disk_is_judged_by_what_it_says(answer, status, words):
    found = smart.verdict(smart.understand(answer, "d"), keys_of({"type": "smart"}))
    assert (found.status, found.words) == (status, words)


def test_a_virtual_disk_is_none_that_could_be_judged():
    assert smart.understand(VIRTUAL, "/dev/vda") is None


class Smartctl:
    """A context whose smartctl knows some disks."""

    def __init__(self, *answers):
        self.answers = [json.dumps(answer) for answer in answers]
        self.asked = []

    def run(self, argv):
        self.asked.append(argv)
        return 0, self.answers.pop(0), ""


@pytest.fixture
def as_root(monkeypatch):
    monkeypatch.setattr(smart.os, "geteuid", lambda: 0)


def test_the_worst_disk_decides_and_virtual_ones_are_passed_over(as_root):
    scan = {"devices": [{"name": f"/dev/{name}", "type": "sat"} for name in ("sda", "sdb", "vda")]}
    context = Smartctl(scan, ata(), ata(reallocated=500), VIRTUAL)
    found = smart.run(keys_of({"type": "smart"}), context)
    assert (found.status, found.value) == ("CRITICAL", 500)
    assert found.message == "/dev/sdb (WDC WD40EFRX) 500 reallocated (crit 100), 34 °C"
    assert "'/dev/sda defects'=0;0;100;0" in found.perfdata
    assert context.asked[1][-3:] == ["/dev/sda", "-d", "sat"]


def test_named_disks_are_asked_with_their_type(as_root):
    context = Smartctl(ata())
    found = smart.run(keys_of({"type": "smart", "devices": ["/dev/sdb megaraid,0"]}), context)
    assert context.asked[0][-3:] == ["/dev/sdb", "-d", "megaraid,0"]
    assert found.message.startswith("/dev/sdb megaraid,0 (WDC")


@pytest.mark.parametrize("answers", [[{}], [{"devices": [{"name": "/dev/vda", "type": "scsi"}]}, VIRTUAL]])
def test_without_a_disk_that_keeps_data(as_root, answers):
    with pytest.raises(NotThereError):
        smart.run(keys_of({"type": "smart"}), Smartctl(*answers))


def test_only_root_can_ask(monkeypatch):
    monkeypatch.setattr(smart.os, "geteuid", lambda: 1000)
    with pytest.raises(CannotLookError) as raised:
        smart.run(keys_of({"type": "smart"}), Smartctl({"devices": [{"name": "/dev/sda", "type": "sat"}]}))
    assert "roundsman_health_become" in raised.value.remedy


def test_an_old_smartctl_is_named(as_root):
    context = Smartctl({"devices": [{"name": "/dev/sda", "type": "sat"}]})
    context.answers.append("=======> UNRECOGNIZED OPTION: json")
    with pytest.raises(CannotLookError) as raised:
        smart.run(keys_of({"type": "smart"}), context)
    assert "7.0 or newer" in raised.value.remedy


APT = """\
Inst base-files [12.4+deb12u5] (12.4+deb12u12 Debian:12.15/oldstable [amd64])
Inst openssl [3.0.11-1] (3.0.15-1~deb12u1 Debian-Security:12/oldstable-security, Debian:12.15/oldstable [amd64]) []
Inst libssl3 [3.0.2-0ubuntu1] (3.0.2-0ubuntu1.18 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Inst linux-image-6.1.0-40-amd64 (6.1.153-1 Debian-Security:12/oldstable-security [amd64])
Inst insecurity [1] (2 Debian:12/oldstable [all])
Conf base-files (12.4+deb12u12 Debian:12.15/oldstable [amd64])
"""
DNF = """\

bash.x86_64                        5.1.8-9.el9                     baseos
kernel-modules-core-with-a-name-too-long-for-a-line.x86_64
                                   5.14.0-503.el9                  baseos
openssl-libs.x86_64                1:3.2.2-6.el9_5                 baseos
Obsoleting Packages
old-thing.noarch                   2-1                             appstream
"""


def test_updates_of_apt():
    upgradable, security = pending.parse_apt(APT)
    assert upgradable == ["base-files", "insecurity", "libssl3", "openssl"]
    assert security == ["libssl3", "openssl"]
    assert pending.parse_apt("") == ([], [])


def test_updates_of_dnf():
    names = ["bash", "kernel-modules-core-with-a-name-too-long-for-a-line", "openssl-libs"]
    assert pending.parse_dnf(DNF) == names
    assert pending.parse_dnf("\n") == []


NOW = 1_800_000_000
NOTHING = "0 security updates, 0 updates in all"


def conclude(keys, upgradable=(), security=(), held=(), age_s=60.0):
    known = pending.Pending("apt", list(upgradable), list(security), list(held), NOW - age_s if age_s else 0)
    return updates.conclude(keys_of(dict(keys, type="updates")), known, NOW)


@pytest.mark.parametrize(
    ("keys", "pending_updates", "status", "message"),
    [
        ({}, {}, "OK", NOTHING),
        ({}, {"upgradable": "ab"}, "OK", "0 security updates, 2 updates in all"),
        ({"all_warn": "1"}, {"upgradable": "ab"}, "WARNING", "0 security updates, 2 updates in all (warn 1)"),
        (
            {"crit": "5"},
            {"upgradable": "abcdefgh", "security": "abcdefg", "held": "c"},
            "CRITICAL",
            "7 security updates (crit 5) (a, b, c, d, e and 2 more), 8 updates in all, held back: c",
        ),
        (
            {},
            {"age_s": 12 * 86400},
            "UNKNOWN",
            f"{NOTHING}, the package lists are 12 days old, so there may be more: `apt-get update`",
        ),
        ({"stale": "warning"}, {"age_s": 0}, "WARNING", None),
        ({"stale": "ignore"}, {"age_s": 12 * 86400}, "OK", NOTHING),
        ({"lists_age": "30d"}, {"age_s": 12 * 86400}, "OK", None),
        ({}, {"age_s": -7200}, "OK", None),
    ],
)
def test_updates_are_judged_by_number_and_by_how_much_is_known(keys, pending_updates, status, message):
    found = conclude(keys, **pending_updates)
    assert (found.status, message in (None, found.message)) == (status, True), found


def test_details_of_updates_are_bounded():
    names = [f"package-{number:04}" for number in range(5000)]
    result = conclude({}, upgradable=names, security=names)
    assert (result.details["security"], len(result.details["security_packages"])) == (5000, 100)


def test_lists_that_were_never_fetched_are_said_so():
    assert "were never fetched" in conclude({}, age_s=0).message


def test_a_host_without_a_package_manager(monkeypatch):
    monkeypatch.setattr(pending.shutil, "which", lambda program, path: None)
    assert result_of({"type": "updates"})["message"] == "neither apt nor dnf is installed"
    assert look({"type": "updates", "optional": True})[0] is None


def test_only_archived_journals_and_packages_count(monkeypatch, tmp_path):
    journals, packages = tmp_path / "journal" / "machine", tmp_path / "archives"
    for path, size in (
        (journals / "system.journal", 8192),
        (journals / "system@1-2-3.journal", 16384),
        (journals / "user-1000@1-2.journal~", 4096),
        (packages / "a_1.deb", 32768),
        (packages / "lock", 0),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    monkeypatch.setattr(reclaimable, "JOURNALS", (str(tmp_path / "journal"), "/no/such"))
    monkeypatch.setattr(reclaimable, "PACKAGES", (str(packages),))
    result = result_of({"type": "reclaimable", "warn": "50k"})
    assert result["details"] == {
        "journal_bytes": 28672,
        "journal_archived_bytes": 20480,
        "packages_bytes": 32768,
        "old_kernels": 0,
    }
    assert (result["status"], result["value"]) == ("WARNING", 53248)


@pytest.mark.parametrize(
    ("running", "installed", "old"),
    [
        ("6.1.0-9-amd64", ["6.1.0-8-amd64", "6.1.0-9-amd64", "6.1.0-10-amd64"], ["6.1.0-8-amd64"]),
        ("6.1.0-10-amd64", ["6.1.0-10-amd64"], []),
        ("6.18.0", ["6.1.0-8-amd64", "6.1.0-9-amd64"], []),
    ],
)
def test_old_kernels_are_neither_running_nor_newest(running, installed, old):
    assert reclaimable.old_kernels(running, installed) == old
