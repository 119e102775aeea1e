"""Updates of packages on a real host, from a repository with a security suite that the test makes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.fleet import base, packages
from tests.fleet.package_repository import DNF, MORE, UPDATES
from tests.fleet.roundsman import Roundsman, kill_everything

CHECKS = [
    {"id": "shop", "type": "http", "url": "http://127.0.0.1:8000/"},
    {"id": "units", "type": "systemd"},
]
SETTINGS = {
    "roundsman_default_checks": [],
    "roundsman_checks": CHECKS,
    "roundsman_maintain_settle_s": 5,
    "roundsman_maintain_skip_backup": True,
    "roundsman_updates_exclude": ["spare*"],
    "roundsman_updates_reboot": "if-required",
    "roundsman_updates_drain": [
        {"command": ["sh", "-c", "echo drain >> /root/hooks"]},
        {"url": "http://127.0.0.1:8000/drain", "method": "GET", "status_code": [200, 500]},
    ],
    "roundsman_updates_undrain": [{"command": "sh -c 'echo undrain >> /root/hooks'"}],
}
STATE = "dpkg-query -W -f '${binary:Package} ${Version} ${db:Status-Abbrev}\\n'"
# What is written by logging in, by time passing, and by Ansible for as long as it is there.
PASSING = ("/proc", "/sys", "/run", "/tmp", "/var/log", "*/.ansible", "*/.cache")
PRUNED = " -o ".join(f"-path '{path}'" for path in PASSING)
FILES = f"find / /var/log/apt -xdev \\( {PRUNED} \\) -prune -o -printf '%p %s %T@ %i\\n'"
NEEDRESTART = "/usr/sbin/needrestart"
# As an update of systemd does it.
REPLACE_A_LIBRARY_OF_PID_1 = """
library=$(ls /usr/lib/x86_64-linux-gnu/systemd/libsystemd-core-*.so)
cp -p $library $library.new; mv $library.new $library
"""
RPMS = "rpm -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}\\n' | sort"
ANSIBLE = Path(sys.executable).parent / "ansible"


@pytest.fixture(scope="module")
def alba(shared_fleet):
    host = shared_fleet.host("alba", tree=base.peer_tree, variables=SETTINGS)
    # Most tests do without it. Later there is no repository that has it.
    packages.install(host, "needrestart")
    host.run(f"set -eu; chmod -x {NEEDRESTART}; {UPDATES}")
    # What systemd would do by itself at midnight is nothing that a plan did.
    host.run("systemctl stop '*.timer'")
    return host


@pytest.fixture(scope="module")
def roundsman(shared_fleet, alba, tmp_path_factory):
    return Roundsman(tmp_path_factory.mktemp("updates"), shared_fleet.inventory())


def maintained(roundsman, *arguments):
    answer = roundsman.json("maintain", *arguments)
    return answer["hosts"][0]["maintenance"][0]


def versions(host):
    return dict(line.split(" ", 1) for line in host.run(STATE).stdout.splitlines())


def done(record, action):
    return [one["target"] for one in record["actions"] if one["action"] == action and one["outcome"] == "done"]


def test_security_updates_are_exactly_those(alba, roundsman):
    before, files = versions(alba), alba.run(FILES).stdout.splitlines()
    clock = alba.run("systemctl show -p MainPID --value clock").stdout

    plan = maintained(roundsman, "--type", "security", "--plan")
    planned = [(one["target"], one["outcome"]) for one in plan["actions"] if one["action"] == "update"]
    assert planned == [(name, "planned") for name in ("bad", "extra", "libfleet", "needed", "tool")], plan
    assert (versions(alba), sorted(set(files) ^ set(alba.run(FILES).stdout.splitlines()))) == (before, [])

    record = maintained(roundsman, "--type", "security")
    assert record["status"] == "completed-with-warnings", record
    changed = {name: one for name, one in versions(alba).items() if before.get(name) != one}
    assert changed == {"tool": "1.0-1 ii ", "libfleet": "1.0-1 ii ", "needed": "1.1 ii ", "extra": "1.0 ii "}, record
    details = {one["target"]: one["detail"] for one in record["actions"] if one["action"] == "update"}
    assert details["needed"] == "1.0 -> 1.1 from stable, because others need it"
    assert "held: kept" in record["message"]
    # The package that cannot be installed is at its old version, and says why.
    assert done(record, "put back") == ["bad"]
    assert any("the disk of bad is upside down" in warning for warning in record["warnings"]), record["warnings"]
    assert any("/etc/tool.conf.dpkg-dist" in warning for warning in record["warnings"])
    assert alba.read("/etc/tool.conf") == "mine\n"
    assert alba.run("apt-mark showauto extra libfleet needed").stdout.split() == ["extra", "libfleet"]
    # What had mapped the old library runs the new one.
    assert done(record, "restart") == ["clock.service"]
    assert alba.run("systemctl show -p MainPID --value clock").stdout != clock

    again = maintained(roundsman, "--type", "security")
    assert again["actions"] == [], again
    assert "bad 1.0-1 failed here before" in again["warnings"][0]


def test_what_was_killed_is_finished_and_the_host_reboots_once(alba, roundsman):
    alba.run(f"set -eu; {MORE} slow; build slow 1.1 stable; index stable")
    alba.run("touch /run/reboot-required; rm -f /root/hooks")
    run = roundsman.start("maintain", "updates")
    until(lambda: alba.inside("test", "-e", "/root/slow").returncode == 0)

    kill_everything(run)
    # The module as well: what apt does goes on, and holds the host's lock.
    alba.run("kill -9 $(ps -o ppid= -C apt-get)")
    assert alba.run("flock -n /var/lib/roundsman/locks/maintenance.lock true", check=False).returncode == 1
    assert versions(alba)["slow"] == "1.1 iF "
    alba.run("pkill -9 -x dpkg; touch /root/quick; while pgrep -x apt-get; do sleep 0.1; done")
    assert alba.run("dpkg --audit").stdout != ""
    assert alba.read("/root/hooks").split() == ["drain"]

    reboot = threading.Thread(target=alba.wait_for_reboot)
    reboot.start()
    record = maintained(roundsman, "updates")
    reboot.join()

    assert record["status"] == "completed-with-warnings", record
    assert done(record, "repair") == ["dpkg, slow"], record
    assert "goes on with an update that was cut off" in record["message"]
    assert record["previous"][-1]["reason"] == "interrupted", record["previous"]
    assert versions(alba)["slow"] == "1.1 ii "
    assert done(record, "reboot") == ["the host"]
    assert (record["before"]["reboot_required"], record["after"]["reboot_required"]) == (1, 0)
    assert alba.read("/root/hooks").split() == ["drain", "drain", "undrain"]


def test_a_bad_version_is_rolled_back_and_the_old_one_serves_again(alba, roundsman):
    alba.run(f"set -eu; {MORE} serving 500; build shop 1.1 stable; index stable; rm /root/hooks")
    record = maintained(roundsman, "updates")
    assert record["status"] == "rolled-back", record
    assert "shop is CRITICAL" in record["message"], record["message"]
    assert versions(alba)["shop"] == "1.0 ii "
    assert alba.run("curl -fsS http://127.0.0.1:8000/").stdout == "shop\n"
    assert alba.read("/root/hooks").split() == ["drain", "undrain"]


def test_a_host_that_is_unwell_stays_out_of_service_until_it_is_well(alba, roundsman):
    alba.run("rm /root/hooks")
    record = maintained(roundsman, "updates", "--no-rollback")
    assert (record["status"], versions(alba)["shop"]) == ("failed", "1.1 ii "), record
    assert any("the host is drained" in warning for warning in record["warnings"]), record["warnings"]

    alba.run(f"set -eu; {MORE} conf newer; build tool 1.2 stable; index stable")
    record = maintained(roundsman, "updates")
    assert (record["status"], done(record, "update")) == ("completed-with-warnings", ["tool"]), record
    assert any("stays drained: shop is CRITICAL" in warning for warning in record["warnings"]), record["warnings"]
    assert alba.read("/root/hooks").split() == ["drain", "drain"]

    alba.run(f"set -eu; {MORE} serving 200; build shop 1.2 stable; library; build libfleet 1.1 stable; index stable")
    # From here on needrestart finds what runs what was replaced, PID 1 included.
    alba.run(f"chmod +x {NEEDRESTART}; {REPLACE_A_LIBRARY_OF_PID_1}")
    record = maintained(roundsman, "updates")
    assert done(record, "restart") == ["clock.service", "systemd-manager"], record
    assert (record["before"]["outdated_services"], record["after"]["outdated_services"]) == (1, 0)
    assert alba.read("/root/hooks").split() == ["drain", "drain", "drain", "undrain"]


def test_dnf_updates_what_its_advisories_say_and_undoes_it(alba, shared_fleet, roundsman):
    alba.run(f"set -eu; {DNF}")
    alba.vars.update(roundsman_updates_manager="dnf", roundsman_updates_reboot="never", roundsman_updates_drain=[])
    inventory = shared_fleet.inventory()
    record = maintained(roundsman, "--type", "security")
    updates = [(one["target"], one["detail"]) for one in record["actions"] if one["action"] == "update"]
    assert updates == [("tool.noarch", "1-1 -> 1-2 from fleet")], record
    assert alba.run(RPMS).stdout.split() == ["shop-1-1", "tool-1-2"]

    arguments = json.dumps({"step": "undo", "manager": "dnf"})
    command = [str(ANSIBLE), "-i", str(inventory), "alba", "-b", "-m", "roundsman.fleet.updates", "-a", arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "put back 1 package (tool.noarch)" in said
    assert alba.run(RPMS).stdout.split() == ["shop-1-1", "tool-1-1"]


def until(reached, limit_s=90):
    deadline = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)
