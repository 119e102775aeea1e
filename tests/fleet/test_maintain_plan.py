"""A plan changes nothing: ten hosts are compared file by file before and after the plans of all procedures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.fleet.roundsman import Roundsman, backed_up

if TYPE_CHECKING:
    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

DEFAULTS = Path(__file__).parents[2] / "roles/maintain/defaults/main.yml"
PROCEDURES = sorted(yaml.safe_load(DEFAULTS.read_text())["roundsman_maintain_default_procedures"])
# Somebody logs in, the clock ticks, and Ansible has a directory for its modules: that is no maintenance.
ELSEWHERE = ("/var/log", "/var/lib/systemd", "/root/.ansible", "/root/.cache", "/etc/mtab")
LIST = f"""
find / -xdev {' '.join(f'-path {path} -prune -o' for path in ELSEWHERE)} ! -type d -printf '%p %y %s %m %U %T@ %i %l\\n'
find / -xdev {' '.join(f'-path {path} -prune -o' for path in ELSEWHERE)} -type d -printf '%p %m %U\\n'
"""


def listing(host: Host) -> list[str]:
    lines = host.run(LIST).stdout.splitlines()
    assert len(lines) > 5000, "the listing is not that of a whole host"
    return sorted(lines)


def test_plans_of_every_procedure_change_nothing_on_ten_hosts(fleet: Fleet, tmp_path: Path) -> None:
    for number in range(10):
        release = "bookworm" if number % 2 else "trixie"
        fleet.host(f"h{number}", release=release, variables=backed_up("/etc"))
    roundsman = Roundsman(tmp_path, fleet.inventory())
    hosts = list(fleet.hosts.values())
    for host in hosts:
        # What systemd would do by itself at midnight is no maintenance either.
        host.run("systemctl stop '*.timer'")
        # Something to do for those who clean up.
        host.run("mkdir -p /var/cache/apt/archives && head -c 100000 /dev/zero > /var/cache/apt/archives/old_1_all.deb")
        host.run("head -c 100000 /dev/zero > /var/log/unrotated.log")
    roundsman.json("health")  # leaves psutil there
    before = {host.name: listing(host) for host in hosts}
    told = roundsman.json("maintain", *PROCEDURES, "--plan")
    for host in hosts:
        assert listing(host) == before[host.name]
    planned = {host["host"]: [one["procedure"] for one in host["maintenance"]] for host in told["hosts"]}
    assert {name: sorted(done) for name, done in planned.items()} == {host.name: PROCEDURES for host in hosts}
    outcomes = {
        action["outcome"] for host in told["hosts"] for one in host["maintenance"] for action in one["actions"]
    }
    assert outcomes == {"planned"}
