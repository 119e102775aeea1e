"""Plain ansible-playbook with one line of configuration keeps records that the command reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent


def play(
    tmp_path: Path, *tasks: dict[str, Any], check: bool = False, others: dict[str, Any] | None = None
) -> tuple[list[dict[str, Any]], str]:
    """The records of a play on this machine, and what Ansible printed."""
    playbook = tmp_path / "site.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
    config = tmp_path / "ansible.cfg"
    config.write_text(
        "[defaults]\ncallbacks_enabled = roundsman.fleet.ledger\n"
        f"[callback_roundsman_ledger]\nledger_dir = {tmp_path}/state/ledger\n"
    )
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts").write_text(json.dumps({"all": {"hosts": {"here": here, **(others or {})}}}))
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", "hosts", "site.yml", *(["--check"] if check else [])],
        env={**os.environ, "ANSIBLE_CONFIG": str(config)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    ledgers = list(tmp_path.glob("state/ledger/*.jsonl"))
    records = [json.loads(line) for path in ledgers for line in path.read_bytes().splitlines()]
    return records, done.stdout + done.stderr


def failed(records: list[dict[str, Any]]) -> list[str]:
    return [record["data"]["task"] for record in records if record["kind"] == "failed"]


FAIL = {"name": "break", "ansible.builtin.fail": {"msg": "broken"}}
SAY = {"name": "go on", "ansible.builtin.debug": {"msg": "on"}}
ASK = {"name": "ask", "ansible.builtin.raw": "true"}
HEALTH = {"name": "look", "roundsman.fleet.health": {"checks": [{"type": "load", "warn": "1000", "crit": "2000"}]}}


def test_results_are_recorded_between_a_start_and_an_end(tmp_path: Path) -> None:
    records, said = play(tmp_path, HEALTH, SAY)
    assert [record["kind"] for record in records] == ["run_started", "health", "run_finished"], said
    started, health, finished = records
    assert started["data"]["hosts"] == ["here"]
    assert (health["host"], health["ok"], health["data"]["worst"]) == ("here", True, "OK")
    assert finished["data"]["stats"]["here"]["ok"] == 2
    assert [record["seq"] for record in records] == [1, 2, 3]


def test_the_command_reads_them(tmp_path: Path) -> None:
    play(tmp_path, HEALTH)
    (tmp_path / "roundsman.yml").write_text("state_dir: state\n")
    done = subprocess.run(
        [BIN / "roundsman", "runs", "list", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (run,) = json.loads(done.stdout)
    assert (run["command"], run["status"], run["hosts"]) == ("ansible-playbook", "finished", ["here"])


def test_check_mode_is_marked(tmp_path: Path) -> None:
    records, _ = play(tmp_path, HEALTH, check=True)
    assert records[0]["data"]["check_mode"] is True


def test_a_failed_task_is_recorded(tmp_path: Path) -> None:
    records, _ = play(tmp_path, FAIL)
    assert failed(records) == ["break"]


def test_failures_that_the_playbook_handles_are_not(tmp_path: Path) -> None:
    first, second, third, fourth, fifth, sixth = ({**FAIL, "name": f"break {number}"} for number in range(6))
    (tmp_path / "imported.yml").write_text(json.dumps([fifth]))
    (tmp_path / "included.yml").write_text(json.dumps([sixth]))
    records, said = play(
        tmp_path,
        {**first, "ignore_errors": True},
        {"block": [second], "rescue": [SAY]},
        {"block": [{"block": [third]}], "rescue": [SAY]},
        {"block": [{"block": [fourth], "always": [SAY]}], "rescue": [SAY]},
        {"block": [SAY, {"ansible.builtin.import_tasks": "imported.yml"}], "rescue": [SAY]},
        {"block": [SAY, {"ansible.builtin.include_tasks": "included.yml"}], "rescue": [SAY]},
    )
    assert failed(records) == [], said
    assert [said.count(f"TASK [break {number}]") for number in range(6)] == [1] * 6


def test_a_rescue_that_fails_is(tmp_path: Path) -> None:
    records, _ = play(tmp_path, {"block": [FAIL], "rescue": [{**FAIL, "name": "give up"}]})
    assert failed(records) == ["give up"]


AWAY = {
    "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1,
    "ansible_become_password": "a-secret-9f3c",
}  # fmt: skip


def test_of_a_host_that_was_never_reached_it_is_known_what_its_alerts_are_routed_by(tmp_path: Path) -> None:
    behind = {
        **AWAY,
        "team": "db",
        "roundsman_labels": {"team": "{{ team }}"},
        "roundsman_depends_on": "{{ groups.all | select('eq', 'here') }}",
        "ansible_ssh_common_args": f"-F {tmp_path}/ssh_config",
    }
    (tmp_path / "ssh_config").write_text("Host 127.0.0.1\n  ProxyJump admin@jump.invalid:1\n")
    broken = {**AWAY, "roundsman_labels": {"team": "{{ ansible_facts.team }}"}}
    wrong = {**AWAY, "roundsman_labels": {"severity": "critical"}}
    records, said = play(tmp_path, ASK, others={"behind": behind, "broken": broken, "wrong": wrong})
    told = {record["host"]: record["data"] for record in records if record["kind"] == "unreachable"}
    routing = {"labels": {"team": "db"}, "depends_on": ["here", "jump.invalid"], "address": "127.0.0.1"}
    assert told.pop("behind") == {"task": "ask", "routing": routing}, said
    assert told == {"broken": {"task": "ask"}, "wrong": {"task": "ask"}}
    assert "a-secret-9f3c" not in json.dumps(records)


@pytest.mark.parametrize("loop", [{}, {"loop": ["etc"]}])
def test_a_host_is_not_called_unreachable_for_another_to_which_its_task_is_delegated(
    tmp_path: Path, loop: dict[str, Any]
) -> None:
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    add = {"ansible.builtin.add_host": {"name": "vault", **away}, "changed_when": False}
    records, said = play(tmp_path, add, {**HEALTH, "delegate_to": "{{ 'vault' }}", **loop})
    assert [(record["kind"], record.get("ok")) for record in records[1:-1]] == [("health", False)], said
    assert records[1]["host"] == "here"


def test_without_a_ledger_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    touched = {"name": "touch", "ansible.builtin.file": {"path": str(tmp_path / "touched"), "state": "touch"}}
    _, said = play(tmp_path, touched)
    assert "nothing was run" in said
    assert not (tmp_path / "touched").exists()


DRILL = {
    "name": "drill",
    "roundsman.fleet.backup_verify": {
        "host": "here", "repository": "/nowhere", "password": "a-secret-9f3c", "sources": ["shop"], "level": "proven",
    },
    "delegate_to": "spare1.invalid",
}  # fmt: skip


def test_a_drill_host_that_is_away_is_nothing_against_the_host_itself(tmp_path: Path) -> None:
    records, said = play(tmp_path, DRILL)
    _started, verify, _finished = records
    assert (verify["kind"], verify["host"], verify["ok"]) == ("verify", "here", False), said
    (one,) = verify["data"]["verifications"]
    assert (one["source"], one["outcome"], one["level"], one["wanted"]) == ("shop", "unknown", None, "proven")
    assert (one["where"], one["reason"]) == ("spare1.invalid", "drill_host_unreachable")
    assert "nothing was verified" in one["message"]
    assert "roundsman doctor --limit spare1.invalid" in one["message"]
    assert "a-secret-9f3c" not in json.dumps(records)
