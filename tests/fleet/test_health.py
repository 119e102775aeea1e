"""The health module on real hosts: what is wrong with each shows up as what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet import faults
from tests.fleet.looking import PATIENCE_S

ANSIBLE = Path(sys.executable).parent / "ansible"
CHECKS = [
    {"type": "cpu"},
    {"type": "load"},
    {"type": "memory"},
    {"type": "swap"},
    {"type": "filesystem"},
    {"type": "systemd"},
    {"type": "uptime"},
]
# What all hosts share with the machine that they are on, where other tests are at work (one of them swaps on purpose).
OF_THE_MACHINE = ("cpu", "load", "swap")


def sweep(fleet, *hosts, checks=None, become=False, transport="lean", psutil="carry", bookmarks=None):
    """host name -> the module's result, or Ansible's word for why there is none."""
    how = {"psutil": psutil, "bookmarks": bookmarks or {}, "timeout_s": PATIENCE_S}
    arguments = json.dumps({"checks": checks or CHECKS, **how})
    inventory = str(fleet.inventory(hosts=list(hosts)))
    command = [str(ANSIBLE), "-i", inventory, "all", "-m", "roundsman.fleet.health", "-a", arguments, "-o"]
    command += ["-e", f"roundsman_health_transport={transport}"] + ["-b"] * become
    env = {"PATH": "/usr/bin:/bin", "HOME": str(fleet.dir), "LC_ALL": "C.UTF-8", "ANSIBLE_TIMEOUT": "30"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)
    results = {}
    for line in done.stdout.splitlines():
        name, _bar, rest = line.partition(" | ")
        word, arrow, value = rest.partition(" => ")
        if arrow:
            results[name] = dict(json.loads(value), word=word.rstrip("!"))
        elif rest.startswith("UNREACHABLE"):
            results[name] = {"word": "UNREACHABLE"}
    assert results, done.stdout + done.stderr
    return results


def by_id(result):
    assert "checks" in result, result
    return {check["id"]: check for check in result["checks"]}


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
@pytest.mark.parametrize("become", [False, True])
def test_a_well_host_is_ok_with_a_carried_psutil_that_stays(fleet, release, become):
    alba = fleet.host("alba", release=release)

    first = sweep(fleet, alba, become=become)["alba"]
    second = sweep(fleet, alba, become=become)["alba"]

    statuses = {check["id"]: check["status"] for check in first["checks"] if check["id"] not in OF_THE_MACHINE}
    assert set(statuses.values()) == {"OK"}, statuses
    assert first["psutil"].startswith("carried ")
    assert second["psutil"] == first["psutil"]
    home = "/root" if become else "/home/ops"
    assert len(alba.run(f"ls {home}/.cache/roundsman").stdout.split()) == 1


def test_the_hosts_own_psutil_is_preferred_and_a_copy_can_be_refused(fleet):
    alba, bela = fleet.host("alba"), fleet.host("bela")
    alba.write("/usr/lib/python3/dist-packages/psutil.py", "__version__ = '5.9.4'\n")

    results = sweep(fleet, alba, bela, psutil="host")

    assert results["alba"]["psutil"] == "host 5.9.4"
    bela_checks = by_id(results["bela"])
    assert {name: check["status"] for name, check in bela_checks.items() if name in ("cpu", "memory", "swap")} == {
        "cpu": "UNKNOWN",
        "memory": "UNKNOWN",
        "swap": "UNKNOWN",
    }
    assert "python3-psutil" in bela_checks["memory"]["remedy"]
    assert bela_checks["filesystem"]["status"] == "OK"


def test_a_home_that_runs_no_programs_is_remembered(fleet):
    alba = fleet.host("alba", noexec_homes=True)

    for _time in range(2):
        result = sweep(fleet, alba)["alba"]
        assert "present but unusable" in result["psutil"]
        assert by_id(result)["memory"]["status"] == "UNKNOWN"
        assert by_id(result)["filesystem"]["status"] == "OK"


def test_every_fault_shows_up_as_what_it_is_and_goes_away(fleet):
    full = fleet.host("full", full_filesystem={"path": "/srv/data", "size": "8M"})
    failed = fleet.host("failed", failed_unit=True)
    dead = fleet.host("dead", web=True, dead_web_server=True)
    well = fleet.host("well", web=True)
    web = [{"type": "http", "url": "http://127.0.0.1/", "warn": None}, {"type": "systemd", "unit": "web.service"}]

    results = sweep(fleet, full, failed, checks=CHECKS) | sweep(fleet, dead, well, checks=CHECKS + web)

    disk = by_id(results["full"])["filesystem"]
    assert (disk["status"], disk["message"].startswith("/srv/data 100% used (crit 95%)")) == ("CRITICAL", True), disk
    units = by_id(results["failed"])["systemd"]
    assert (units["status"], units["message"]) == ("CRITICAL", "1 failed unit: payroll.service")
    assert units["details"] == {"failed": ["payroll.service"]}
    assert by_id(results["dead"])["http-http://127.0.0.1/"]["status"] == "CRITICAL"
    assert by_id(results["dead"])["systemd-web.service"]["status"] == "CRITICAL"
    assert by_id(results["well"])["http-http://127.0.0.1/"]["status"] == "OK"
    assert by_id(results["well"])["systemd-web.service"]["status"] == "OK"

    failed.recover()
    assert by_id(sweep(fleet, failed)["failed"])["systemd"]["status"] == "OK"


def test_no_result_is_told_apart_from_a_bad_one(fleet):
    down, changed, sudoless = fleet.host("down"), fleet.host("changed"), fleet.host("sudoless")
    fleet.inventory()
    for host, fault in ((down, faults.down), (changed, faults.changed_host_key), (sudoless, faults.broken_sudo)):
        host.suffer(fault)

    results = sweep(fleet, down, changed, sudoless, become=True)

    assert (results["down"]["word"], results["changed"]["word"]) == ("UNREACHABLE", "UNREACHABLE")
    assert results["sudoless"]["word"].startswith("FAILED")
    assert "sudo" in results["sudoless"]["msg"]


def test_the_plain_module_uses_a_copy_that_was_carried_before(fleet):
    alba = fleet.host("alba")

    before = sweep(fleet, alba, transport="module")["alba"]
    carried = sweep(fleet, alba)["alba"]
    after = sweep(fleet, alba, transport="module")["alba"]

    assert before["psutil"].startswith("missing: ")
    assert after["psutil"] == carried["psutil"]
    assert by_id(after)["memory"]["status"] == "OK"


def test_a_password_for_sudo_reaches_sudo_and_the_script_the_host(fleet):
    alba = fleet.host("alba", variables={"ansible_become_password": "open sesame"})
    alba.run("echo 'ops:open sesame' | chpasswd; sed -i s/NOPASSWD:// /etc/sudoers.d/*")

    result = sweep(fleet, alba, become=True)["alba"]

    assert by_id(result)["memory"]["status"] == "OK"
