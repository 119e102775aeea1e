"""Software that is known by its processes, and processes by their command line."""

import os
import subprocess
import sys

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    software,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import FAMILIES, read

from .builders import result_of


@pytest.mark.parametrize(
    ("name", "command", "found"),
    [
        ("nginx", "", "nginx"),
        ("mysqld", "", "mariadb"),
        ("php-fpm8.2", "", "php-fpm"),
        ("python3.11", "/usr/bin/python3 /opt/shop/bin/celery -A shop worker -l info", "celery"),
        ("python3", "/usr/bin/python3 -m http.server", None),
        ("beam.smp", "/usr/lib/erlang/bin/beam.smp -- -root /usr/lib/erlang -s rabbit boot", "rabbitmq"),
        ("java", "java -Xms1g -cp x org.elasticsearch.bootstrap.Elasticsearch", "elasticsearch"),
        ("bash", "", None),
    ],
)
def test_servers_are_known_by_their_processes(name, command, found):
    assert software.server_of(name, lambda: command) == found


@pytest.mark.parametrize(
    ("cgroups", "unit", "contained"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service", False),
        ("0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n", "postgresql@15-main.service", False),
        ("9:name=systemd:/system.slice/ssh.service\n8:pids:/\n0::/system.slice/ssh.service", "ssh.service", False),
        ("0::/system.slice/docker-0123abcd.scope\n", None, True),
        ("0::/machine.slice/libpod-0123abcd.scope/container\n", None, True),
        ("0::/machine.slice/libpod-conmon-0123abcd.scope\n", None, False),
        ("0::/system.slice/docker.service\n", "docker.service", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n", None, False),
        ("0::/init.scope\n", None, False),
    ],
)
def test_the_unit_of_a_process_and_whether_it_is_in_a_container(cgroups, unit, contained):
    assert software.unit_of(cgroups) == (unit, contained)


@pytest.mark.parametrize("name", software.SERVERS)
def test_suggested_checks_are_valid(name):
    checks = [check for check in software.suggestions(name, {"a.service"}) if check["type"] in FAMILIES]
    assert read(checks, 10)[1] == []


def test_software_of_this_machine_is_looked_for_and_never_alerts():
    result = result_of({"type": "software"}, library=None)
    assert (result["status"], result["unit"]) == ("OK", "")
    assert len(result["details"]["found"]) == result["value"]


def test_processes_by_command_line_their_memory_and_age():
    # The same test may run elsewhere on this machine.
    mark = f"roundsman-sleeper-{os.getpid()}"
    sleeper = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(600)  # {mark}"])
    try:
        check = {"type": "processes", "command": f"*{mark}*", "crit": "1:1"}
        well = result_of(check)
        amiss = result_of(dict(check, memory_warn="1k", youngest_crit="1h:"))
        shares = result_of(dict(check, memory_warn="99%", oldest_warn="1h"))
    finally:
        sleeper.kill()
        sleeper.wait()
    assert (well["status"], well["value"]) == ("OK", 1)
    assert "'memory'=" in well["perfdata"]
    assert amiss["status"] == "CRITICAL"
    assert "of memory (warn 1k), youngest" in amiss["message"]
    assert amiss["message"].endswith("old (crit 1h:)")
    assert shares["status"] == "OK"
