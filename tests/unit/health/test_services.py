"""Checks of services: what they conclude from what systemd, the kernel, containers and plugins say."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import sockets
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    containers,
    listen,
    plugin,
    software,
    systemd,
    timers,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import FAMILIES, read
from hypothesis import given
from hypothesis import strategies as st

from .builders import keys_of, result_of

OUTPUTS = Path(__file__).parent / "outputs"


def mark(restarts, invocation="a", boot="1"):
    return {"boot": boot, "invocation": invocation, "restarts": restarts}


@pytest.mark.parametrize(
    ("before", "now", "since"),
    [
        (None, mark(7), None),
        (["of", "another", "shape"], mark(7), None),
        ({"restarts": "7"}, mark(7), None),
        (mark(3), mark(3), 0),
        (mark(3), mark(0), 0),  # reset-failed
        (mark(3), mark(8, "b"), 5),
        (mark(0), mark(0, "b"), 0),  # a person restarted it
        (mark(3), mark(2, "b"), 2),  # and it crashed twice after that
        (mark(3), mark(3, "b"), 3),
        (mark(3), mark(0, "b", "2"), 0),  # the host was restarted
        (mark(3), mark(4, "b", "2"), 4),
    ],
)
def test_restarts_since_the_last_round(before, now, since):
    assert systemd.restarts_since(before, now) == since


def test_only_services_have_restarts():
    assert systemd.reading({"InvocationID": "a"}, "1") is None
    assert systemd.reading({"InvocationID": "a", "NRestarts": "4"}, "1") == mark(4)


NOW, UP, AWAKE = 1795642000.0, 500.0, 900.0
CLOCKS = (NOW, UP, AWAKE)  # realtime, monotonic, boottime: the host has slept
WAITING = {"LoadState": "loaded", "ActiveState": "active", "SubState": "waiting", "Unit": "a.service"}


def at(seconds):
    import time

    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(NOW + seconds))


@pytest.mark.parametrize(
    ("states", "service", "words"),
    [
        ({"NextElapseUSecRealtime": at(60)}, {}, None),
        ({"NextElapseUSecRealtime": at(-60)}, {}, None),
        ({"NextElapseUSecRealtime": at(-7200)}, {}, "missed its run 2 h ago, never ran"),
        ({"NextElapseUSecRealtime": at(-7200), "LastTriggerUSec": at(-9 * 86400)}, {}, "last ran 9 days ago"),
        ({"NextElapseUSecMonotonic": "10min"}, {}, None),
        ({"NextElapseUSecMonotonic": "1min 40s"}, {}, "missed its run 6 min ago"),
        ({"NextElapseUSecMonotonic": "9min", "WakeSystem": "yes"}, {}, "missed its run 6 min ago"),
        ({"NextElapseUSecMonotonic": "infinity", "SubState": "elapsed"}, {}, None),
        ({}, {"Result": "exit-code", "ExecMainStatus": "3"}, "a.service failed at its last run: exit-code 3"),
        ({}, {"Result": "timeout", "ExecMainStatus": "15"}, "a.service failed at its last run: timeout"),
        ({"SubState": "running", "LastTriggerUSec": at(-3 * 86400)}, {}, "a.service still runs after 3 days"),
        ({"SubState": "running", "LastTriggerUSec": at(-60), "NextElapseUSecRealtime": at(-9000)}, {}, None),
        ({"ActiveState": "failed", "Result": "resources"}, {}, "could not start a.service (resources)"),
        ({"ActiveState": "inactive", "ConditionTimestampMonotonic": "0"}, {}, "is enabled but not started"),
        ({"ActiveState": "inactive", "ConditionTimestampMonotonic": "9", "ConditionResult": "no"}, {}, None),
        ({"LoadState": "masked", "ActiveState": "inactive"}, {}, "is masked"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, {}, "is not installed"),
    ],
)
def test_a_timer_that_does_not_do_its_work(states, service, words):
    found = timers.fault(dict(WAITING, **states), service, keys_of({"type": "timers"}), CLOCKS)
    assert found == words if words is None else words in found


def test_spans_of_systemd():
    assert timers.seconds("1w 2d 3h 4min 5.5s") == 788645.5
    assert (timers.seconds("0"), timers.seconds("infinity"), timers.seconds(None)) == (None, None, None)


# Containers


def test_the_lists_of_real_engines_are_read():
    faults = containers.faults_of(containers.parse((OUTPUTS / "podman-4.3.json").read_text()), SPEC)
    assert faults == {"bad": "exited with 1", "loop": "exited with 1", "hc": "is unhealthy"}


SPEC = {"running": [], "ignore": []}
DOCKER = [
    {"ID": "1", "Names": "web", "State": "running", "Status": "Up 2 hours (healthy)"},
    {"ID": "2", "Names": "sick", "State": "running", "Status": "Up 2 hours (unhealthy)"},
    {"ID": "3", "Names": "loop", "State": "restarting", "Status": "Restarting (1) 5 seconds ago"},
    {"ID": "4", "Names": "old", "Status": "Exited (137) 3 days ago"},
    {"ID": "5", "Names": "stopped", "State": "exited", "Status": "Exited (143) 3 days ago"},
    {"ID": "6", "Names": "done", "State": "exited", "Status": "Exited (0) 3 days ago"},
    {"ID": "7", "Names": "new", "State": "created", "Status": "Created"},
]


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ({}, {"sick": "is unhealthy", "loop": "is restarting", "old": "exited with 137"}),
        ({"ignore": ["o*", "loop"]}, {"sick": "is unhealthy"}),
        (
            {"ignore": ["*"], "running": ["web", "done", "sick", "lost"]},
            {"done": "is exited", "lost": "does not exist"},
        ),
    ],
)
def test_containers_that_fail_and_those_that_have_to_run(keys, faults):
    listing = "\n".join(json.dumps(item) for item in DOCKER)
    assert containers.faults_of(containers.parse(listing), dict(SPEC, **keys)) == faults


def test_an_older_podman_has_numbers_for_states():
    old = json.dumps([{"ID": "1", "Names": "web", "State": 2, "Status": "Up 2 minutes ago", "ExitCode": 0}])
    assert [(one.name, one.state) for one in containers.parse(old)] == [("web", "running")]


@pytest.mark.parametrize("text", ["Welcome to docker\n", '["web"]', "[{", '{"Names": "a", "ExitCode": "x"}'])
def test_a_list_that_is_none_cannot_be_looked_at(text):
    with pytest.raises(containers.CannotLookError):
        containers.parse(text)


# Ports


def test_listeners_of_this_machine_are_found_with_their_program():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.2", 0))
        tcp, udp = server.getsockname()[1], datagrams.getsockname()[1]
        found = {(one.protocol, one.address, one.port): one.inode for one in sockets.listeners()}
        inode = found["tcp", "127.0.0.1", tcp]
        assert ("udp", "127.0.0.2", udp) in found
        assert sockets.programs({inode}) == {inode: {sockets.command_name("self")}}
        both = {"type": "listen", "ports": [tcp, f"{udp}/udp"]}
        assert result_of(both)["message"] == f"{tcp}, {udp}/udp are listened on"
        there = {"type": "listen", "ports": [tcp]}
        assert result_of(dict(there, program="nginx*"))["message"].startswith(f"{tcp}/tcp is held by ")
        assert result_of(dict(there, address="*"))["message"] == (
            f"{tcp}/tcp listens on 127.0.0.1 only, not on every address (crit 0)"
        )
    gone = result_of(there)
    assert (gone["status"], gone["message"], gone["value"]) == ("CRITICAL", f"nobody listens on {tcp}/tcp (crit 0)", 1)


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   111        0 1001 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1
   2: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   111        0 1003 1
garbage
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the kernel wrote this table on a little-endian machine")
def test_only_sockets_that_listen_count():
    found = sockets.parse("tcp", "0A", TABLE.splitlines())
    assert found == [("tcp", "127.0.0.1", 5432, "1001"), ("tcp", "0.0.0.0", 22, "1002")]
    assert sockets.address_of("0000000000000000FFFF00000100007F") == "127.0.0.1"
    assert sockets.address_of("00000000000000000000000001000000") == "::1"


def listener(port, address="0.0.0.0", protocol="tcp"):
    return sockets.Listener(protocol, address, port, str(port))


@pytest.mark.parametrize(
    ("keys", "ports"),
    [
        ({"ports": [22]}, [53, 8080, 5432]),
        ({"ports": [22], "allow": ["53/udp", "8000-8100"]}, [5432]),
        ({"allow": ["22", "53/udp", 8080]}, [5432]),
        ({"ports": [5432], "address": "127.0.0.1"}, [22, 53, 8080, 5432]),
        ({"ports": [22, 8080, 5432], "address": "*", "allow": "53/udp"}, []),
    ],
)
def test_ports_that_nobody_listed_are_unexpected_when_others_reach_them(keys, ports):
    found = [listener(22), listener(53, protocol="udp"), listener(8080, "::"), listener(5432)]
    found += [listener(6379, "127.0.0.1"), listener(631, "::1"), listener(40000, protocol="udp")]
    spec = keys_of(dict(keys, type="listen", only=True))
    assert [one.port for one in listen.unexpected(found, spec, (32768, 60999))] == ports


@pytest.mark.parametrize(
    ("bound", "address", "fine"),
    [
        ("0.0.0.0", "10.0.0.5", True),
        ("::", "10.0.0.5", True),
        ("0.0.0.0", "::1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.5", False),
        ("10.0.0.5", "*", False),
        ("::", "*", True),
    ],
)
def test_a_wildcard_takes_every_address(bound, address, fine):
    assert listen.is_on(listener(80, bound), address) is fine


@pytest.mark.parametrize(
    "keys",
    [{}, {"ports": ["http"]}, {"ports": ["1-2"]}, {"ports": [0]}, {"ports": [22], "allow": [80]},
     {"ports": [22], "address": "localhost"}, {"only": True, "allow": ["9-3"]}],
)  # fmt: skip
def test_ports_that_make_no_sense_are_refused(keys):
    assert read([dict(keys, type="listen")], 10)[1]


# Plugins


@pytest.mark.parametrize(
    ("code", "output", "status", "message", "value", "unit", "perfdata"),
    [
        (0, "OK - fine|time=12ms;100;200;0", "OK", "OK - fine", 0.012, "s", "time=12ms;100;200;0"),
        (1, "W|'free space'=1KB 'it''s'=3", "WARNING", "W", 1024, "B", "'free space'=1KB 'it''s'=3"),
        (2, "BAD\nlong one\nlong two | b=2\nc=3;", "CRITICAL", "BAD; long one long two", 2, "", "b=2 c=3;"),
        (2, "BAD | a=1\nrest | b=2", "CRITICAL", "BAD; rest", 1, "", "a=1 b=2"),
        (0, "x|junk a=U =5 b=1,5 d=7%;@1:2;~:9 e='", "OK", "x", 7, "%", "d=7%;@1:2;~:9"),
        (3, "", "UNKNOWN", "no output (stderr: boom)", None, "", ""),
        (4, "odd", "UNKNOWN", "the plugin ended with 4, which means nothing: odd (stderr: boom)", None, "", ""),
        (-9, "", "UNKNOWN", "the plugin was ended by signal 9 (SIGKILL): no output (stderr: boom)", None, "", ""),
        (139, "", "UNKNOWN", "the plugin was ended by signal 11 (SIGSEGV): no output (stderr: boom)", None, "", ""),
    ],
)
def test_what_a_plugin_says_is_taken_over(code, output, status, message, value, unit, perfdata):
    assert plugin.judge_output(code, output, "boom\n") == (status, message, value, unit, perfdata)


ITEM = re.compile(r"('[^=]+'|[^\s'=]+)=[-+\d.eE]+[A-Za-zµ%/]*(;[-+~@:\d.eE]*){0,4};?")


@given(st.text(alphabet="ab'=;:~@%|.,0123456789 -eEUs\n\té", max_size=60))
def test_performance_data_that_is_not_valid_is_left_out(text):
    for item in plugin.performance(text):
        assert ITEM.fullmatch(item.group().strip())


def test_long_output_is_shortened():
    message = plugin.judge_output(0, "OK\n" + "word\n" * 1000, "")[1]
    assert message.startswith("OK; word word")
    assert (len(message) < 320, message[-1]) == (True, "…")


def test_a_plugin_is_run_without_a_shell_and_its_secrets_come_by_environment(tmp_path):
    script = tmp_path / "check_it"
    script.write_text('#!/bin/sh\necho "$1 has $TOKEN"; printf "\\377\\n"; exit 1\n')
    script.chmod(0o755)
    check = {"type": "plugin", "command": f"{script} '$(id); it'", "environment": {"TOKEN": "s3cret"}}
    result = result_of(check)
    assert (result["status"], result["message"]) == ("WARNING", "$(id); it has s3cret; \N{REPLACEMENT CHARACTER}")
    assert (result["id"], result["target"]) == ("plugin-check_it", "check_it")
    script.chmod(0o644)
    assert result_of(check)["message"] == f"the plugin {script} may not be run"
    assert result_of({"type": "plugin", "command": "check_nothing"})["message"] == (
        "the plugin check_nothing is not on the host"
    )
    listed = [str(script), "-w", 5, ""]
    assert keys_of({"type": "plugin", "command": listed})["command"] == [str(script), "-w", "5", ""]


@pytest.mark.parametrize("command", ["", [], "check 'it", {"a": 1}, ["check", True]])
def test_a_command_that_is_none_is_refused(command):
    assert read([{"type": "plugin", "command": command}], 10)[1]


# Software


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
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # roundsman-sleeper"])
    try:
        check = {"type": "processes", "command": "*roundsman-sleeper*", "crit": "1:1"}
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
