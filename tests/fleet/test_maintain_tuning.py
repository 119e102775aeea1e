"""Tuning on a real host: settings of its network, of PostgreSQL and of tuned, measured, kept, and put back."""

from __future__ import annotations

import pytest

from tests.fleet import base
from tests.fleet.roundsman import Roundsman

FIN, BACKLOG = "net.ipv4.tcp_fin_timeout", "net.core.somaxconn"
PROFILE_FILE = "/etc/sysctl.d/90-roundsman-edge.conf"
# In the words of the real one, which takes longer to install than all of this takes: see tests/unit/maintenance.
TUNED = """#!/bin/sh
case "$1" in
active) echo "Current active profile: $(cut -d' ' -f1 /run/tuned)";;
profile_mode) echo "Profile selection mode: $(cut -d' ' -f2 /run/tuned)";;
profile_info) echo "Profile name:"; echo "$2";;
recommend) echo balanced;;
profile) echo "$2 manual" > /run/tuned;;
auto_profile) echo "balanced auto" > /run/tuned;;
verify) echo "Verification failed, current system settings differ from the preset profile."; exit 1;;
*) exit 2;;
esac
"""
VARIABLES = {
    "roundsman_default_checks": [], "roundsman_checks": [{"type": "systemd", "unit": "postgresql@15-main.service"}],
    "roundsman_tuning_profiles": {"edge": {FIN: 17, BACKLOG: 777}}, "roundsman_tuning_profile": "edge",
}  # fmt: skip
# Better with every second less, and the same whatever else is set.
MEASURED = {"roundsman_tuning_steps": ["sysctl"], "roundsman_tuning_measure": {"command": f"sysctl -n {FIN}"}}
ASKED = {"roundsman_tuning_postgresql_apply": True, "roundsman_tuning_tuned_profile": "latency-performance"}


class Desk:
    def __init__(self, fleet, folder):
        self.fleet, self.folder = fleet, folder
        self.host = fleet.host("db1", tree=base.servers_tree)
        self.host.write("/usr/sbin/tuned-adm", TUNED, mode="0755")
        # The kernel's keys are read-only on these hosts. Those of the network are the host's own.
        own_keys = "mkdir /run/p && mount -t proc p /run/p && mount --bind /run/p/sys/net /proc/sys/net"
        self.host.run(f"{own_keys} && echo balanced auto > /run/tuned && systemctl start postgresql")
        self.sql("ALTER SYSTEM SET checkpoint_completion_target = 0.5", "ALTER SYSTEM SET effective_cache_size = '8MB'")
        self.sql("ALTER SYSTEM SET random_page_cost = 2", "SELECT pg_reload_conf()")
        self.before = self.settings()

    def sql(self, *queries):
        asked = " ".join(f'-c "{query}"' for query in queries)
        return self.host.run(f"cd / && runuser -u postgres -- psql -XAtqw {asked}").stdout.split()

    def settings(self):
        """Everything that may be tuned here, as it is in force and as it would be after a restart."""
        live = self.host.run(f"sysctl {FIN} {BACKLOG}; cat /run/tuned; find /etc/sysctl.d").stdout
        conf = self.host.read("/var/lib/postgresql/15/main/postgresql.auto.conf").splitlines()
        names = ("checkpoint_completion_target", "effective_cache_size", "random_page_cost", "work_mem")
        return live, sorted(conf), self.sql(*(f"SHOW {name}" for name in names))

    def maintain(self, *arguments, **variables):
        self.host.vars.clear()
        self.host.vars.update({**VARIABLES, **variables})
        desk = Roundsman(self.folder, self.fleet.inventory())
        (record,) = desk.json("maintain", "tuning", "db1", *arguments)["hosts"][0]["maintenance"]
        return record


@pytest.fixture(scope="module")
def desk(shared_fleet, tmp_path_factory):
    return Desk(shared_fleet, tmp_path_factory.mktemp("roundsman"))


def actions(record):
    return [(one["action"], one["target"], one["outcome"]) for one in record["actions"]]


def test_a_plan_says_every_value_and_changes_nothing(desk):
    record = desk.maintain("--plan", **ASKED)
    assert actions(record) == [
        ("set", f"sysctl {BACKLOG}", "planned"),
        ("set", f"sysctl {FIN}", "planned"),
        ("set", "tuned profile", "planned"),
        ("set", "postgresql effective_cache_size", "planned"),
        ("set", "postgresql checkpoint_completion_target", "planned"),
    ]
    assert record["actions"][1]["detail"] == "60 -> 17"
    assert desk.settings() == desk.before
    assert desk.host.run("ls -A /var/lib/roundsman", check=False).stdout == ""


def test_what_did_not_help_is_taken_back(desk):
    record = desk.maintain(**MEASURED)
    assert (record["status"], record["warnings"]) == ("completed", []), record["message"]
    assert actions(record) == [
        ("set", f"sysctl {BACKLOG}", "done"),
        ("take back", f"sysctl {BACKLOG}", "done"),
        ("set", f"sysctl {FIN}", "done"),
    ]
    assert "(60 -> 60, a gain of 0.0 %, wanted 3 %)" in record["actions"][1]["detail"]
    assert desk.host.run(f"sysctl -n {FIN} {BACKLOG}").stdout.split()[0] == "17"
    assert f"{FIN} = 17" in desk.host.read(PROFILE_FILE)
    assert BACKLOG not in desk.host.read(PROFILE_FILE)


def test_what_is_asked_for_is_set_once(desk):
    record = desk.maintain(**ASKED)
    assert (record["status"], record["warnings"]) == ("completed", []), record["message"]
    assert [target for _action, target, _outcome in actions(record)] == [
        "tuned profile",
        "postgresql effective_cache_size",
        "postgresql checkpoint_completion_target",
    ]
    assert "fstrim: skipped in a container" in record["message"]
    assert "1 settings not tried again, for no help" in record["message"]
    assert desk.sql("SHOW checkpoint_completion_target") == ["0.9"]
    assert desk.host.read("/run/tuned") == "latency-performance manual\n"

    again = desk.maintain(**ASKED)
    assert (again["status"], again["actions"]) == ("completed", [])


def test_everything_is_put_back(desk):
    record = desk.maintain("--revert", **ASKED)
    assert (record["status"], record["warnings"]) == ("completed", []), record["message"]
    assert {outcome for action, _target, outcome in actions(record) if action == "take back"} == {"done"}
    assert len(record["actions"]) == 4
    assert desk.settings() == desk.before
