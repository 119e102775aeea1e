"""The module as ansible-playbook runs it on this machine, by both transports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.release import __version__ as ansible_version

from tests.pythons import real_python

ANSIBLE = Path(sys.executable).with_name("ansible")


def run_ansible(checks, tmp_path, *options, **variables):
    """The output of one ad-hoc call for the host alba, which is this machine."""
    variables = dict({"ansible_python_interpreter": sys.executable, "ansible_connection": "local"}, **variables)
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"alba": variables}}}))
    arguments = json.dumps({"checks": checks, "psutil": "host", "timeout_s": 60})
    argv = [ANSIBLE, "alba", "-i", inventory, "-m", "roundsman.fleet.health", "-a", arguments]
    environment = dict(os.environ, ANSIBLE_HOME=str(tmp_path / "ansible"))
    return subprocess.run(
        [*argv, *options], capture_output=True, text=True, env=environment, timeout=600, check=False
    )


def ansible(checks, tmp_path, *, check_mode=False, **variables):
    """(exit code, result) of one ad-hoc call."""
    done = run_ansible(checks, tmp_path, *["--check"] * check_mode, **variables)
    words, arrow, result = done.stdout.partition(" => ")
    assert arrow, words + done.stderr
    return done.returncode, json.JSONDecoder().raw_decode(result)[0]


@pytest.mark.parametrize("transport", ["lean", "module"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_both_transports_return_the_same_with_and_without_check_mode(tmp_path, transport, check_mode):
    checks = [{"type": "memory"}, {"type": "tcp", "port": 1}]
    code, result = ansible(checks, tmp_path, check_mode=check_mode, roundsman_health_transport=transport)
    assert code == 0, result
    assert (result["changed"], result["worst"], result["psutil"].split()[0]) == (False, "CRITICAL", "host")
    assert [each["id"] for each in result["checks"]] == ["memory", "tcp-localhost:1"]
    assert set(result["checks"][0]) == {
        *("id", "type", "area", "target", "status", "value", "unit", "warn", "crit"),
        *("message", "remedy", "perfdata", "details", "attempts", "recovery_s", "duration_s"),
    }


@pytest.mark.parametrize("count", [1, 60])
def test_any_number_of_checks_is_one_round_trip(tmp_path, count):
    checks = [{"type": "load", "id": f"load-{number}"} for number in range(count)]
    said = run_ansible(checks, tmp_path, "-vvv").stdout
    assert said.count("EXEC") == 1, said[:2000]
    assert said.count('"status": ') == count


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_the_plain_module_runs_under_the_oldest_and_newest_python(tmp_path, version):
    python = real_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    if version == "3.8" and tuple(map(int, ansible_version.split(".")[:2])) >= (2, 20):
        pytest.skip(f"ansible-core {ansible_version} runs no modules under Python 3.8")
    checks = [{"type": name} for name in ("load", "filesystem", "systemd", "uptime")]
    checks.append({"type": "http", "url": "http://127.0.0.1:1/"})
    variables = {"roundsman_health_transport": "module", "ansible_python_interpreter": python}
    code, result = ansible(checks, tmp_path, **variables)
    assert code == 0, result
    assert [each["message"] for each in result["checks"] if "broke" in each["message"]] == []


def test_all_bad_specs_are_named_at_once_and_nothing_runs(tmp_path):
    code, result = ansible([{"type": "lod"}, {"type": "tcp", "prot": 1}], tmp_path)
    assert code == 2
    assert "so none did" in result["msg"]
    assert 'did you mean "load"?' in result["msg"]
    assert 'did you mean "port"?' in result["msg"]


def test_a_wrong_transport_is_refused(tmp_path):
    _code, result = ansible([{"type": "load"}], tmp_path, roundsman_health_transport="pigeon")
    assert "it takes lean or module" in result["msg"]


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    _code, result = ansible([{"type": "load"}], tmp_path, ansible_python_interpreter="/no/such/python")
    assert "no Python 3.8 or newer was found" in result["msg"]
    assert "/no/such/python" in result["msg"]


def test_the_usual_places_are_tried_when_no_interpreter_is_set(tmp_path):
    code, result = ansible([{"type": "load"}], tmp_path, ansible_python_interpreter="auto_silent")
    assert code == 0, result


@pytest.mark.parametrize("transport", ["lean", "module"])
def test_checks_of_the_network_can_look_from_the_controller(tmp_path, transport):
    checks = [
        {"id": "outside", "type": "tcp", "port": 1, "from": "controller"},
        {"type": "clock", "unsynchronised": "ignore"},
        {"id": "inside", "type": "tcp", "port": 1},
    ]
    code, result = ansible(checks, tmp_path, roundsman_health_transport=transport)
    assert code == 0, result
    assert [each["id"] for each in result["checks"]] == ["outside", "clock", "inside"]
    assert (result["worst"], "clock" in result) == ("CRITICAL", False)
    assert "agrees with the controller's" in result["checks"][1]["message"]


def test_what_only_the_host_can_know_is_not_looked_at_from_elsewhere(tmp_path):
    _code, result = ansible([{"type": "load", "from": "controller"}], tmp_path)
    assert "load can only be looked at from the host itself" in result["msg"]
