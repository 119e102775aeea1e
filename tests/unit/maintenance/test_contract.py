"""The contract with real Ansible: procedures of one's own on hosts that are directories of this machine."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.lease import Leases
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

BIN = Path(sys.executable).parent
# A check that is as well as a file says: what a procedure does can make it worse.
CHECKS = [{"id": "marker", "type": "plugin", "timeout": 60, "command": "/bin/sh -c 'exit $(cat {base}/health)'"}]
MAIN = """
- ansible.builtin.copy: {{dest: "{base}/version", content: new, mode: "0600"}}
- ansible.builtin.copy: {{dest: "{base}/health", content: "{{{{ health_after }}}}", mode: "0600"}}
"""
VERIFY = """
- ansible.builtin.command: "{{ proof }}"
  changed_when: false
"""
ROLLBACK = """
- ansible.builtin.copy: {{dest: "{base}/version", content: old, mode: "0600"}}
- ansible.builtin.copy: {{dest: "{base}/health", content: "{{{{ health_undone }}}}", mode: "0600"}}
"""
BASE = "{{ base }}"


class Desk:
    """Hosts, each with a version of something and a health of its own, and the procedure `switch` for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hosts: dict[str, dict[str, Any]] = {}
        for name, text in (("main", MAIN), ("verify", VERIFY), ("rollback", ROLLBACK)):
            path = root / "switch" / "tasks" / f"{name}.yml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(base=BASE) if name != "verify" else text)

    def add(self, host: str, **variables: Any) -> Leases:
        base = self.root / host
        base.mkdir()
        (base / "version").write_text("old")
        (base / "health").write_text(str(variables.pop("health", "0")))
        self.hosts[host] = {"base": str(base), "roundsman_state_dir": str(base / "state"), **variables}
        return Leases(State(str(base / "state")))

    def version(self, host: str) -> str:
        return (self.root / host / "version").read_text()

    def run(self, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        procedures = {"switch": {"role": str(self.root / "switch"), "rollback": True, "symptoms": ["marker"]}}
        common = {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "health_after": "0",
            "health_undone": "0", "proof": "true", "roundsman_maintain_become": False, "roundsman_default_checks": [],
            "roundsman_maintain_types": {"night": [{"procedure": "switch"}]}, "roundsman_maintain_settle_s": 0,
            "roundsman_maintain_procedures": procedures, "roundsman_maintain_lock_timeout_s": 0,
            "roundsman_checks": [{**CHECKS[0], "command": CHECKS[0]["command"].format(base=BASE)}],
        }  # fmt: skip
        (self.root / "hosts.yml").write_text(json.dumps({"all": {"hosts": self.hosts, "vars": common}}))
        settings = f"state_dir: {self.root}/controller\ninventory: {self.root}/hosts.yml\n"
        (self.root / "roundsman.yml").write_text(settings)
        done = subprocess.run(
            [BIN / "roundsman", "maintain", "--json", *arguments],
            cwd=self.root, capture_output=True, text=True, check=False, env=dict(os.environ),
        )  # fmt: skip
        assert done.stdout, done.stderr
        return done.returncode, {host["host"]: host for host in json.loads(done.stdout)["hosts"]}

    def alerts(self) -> dict[tuple[str, str], str]:
        done = subprocess.run(
            [BIN / "roundsman", "alerts", "list", "--json"], cwd=self.root, capture_output=True, text=True, check=True
        )
        return {(one["host"], one["check"]): one["status"] for one in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def test_each_host_ends_as_the_contract_says(desk: Desk) -> None:
    desk.add("good")
    desk.add("regressed", health_after="2")
    desk.add("stuck", proof="false", health_undone="2")
    desk.add("held", proof="false", roundsman_maintain_rollback=False)
    wanted = {"run": "another", "procedure": "updates", "controller": "ops2", "lasts_s": 90000}
    desk.add("taken").begin(wanted, time.time(), 0)
    orphaned = an_orphan_of(desk, desk.add("orphaned", health="2", health_after="2"))

    code, hosts = desk.run("--type", "night")
    record = {host: one["maintenance"][0] for host, one in hosts.items()}
    assert {host: (one["status"], desk.version(host)) for host, one in record.items()} == {
        "good": ("completed", "new"),
        "regressed": ("rolled-back", "old"),
        "stuck": ("failed", "old"),
        "held": ("failed", "new"),
        "taken": ("skipped", "old"),
        # Sick before and after: that is no fault of the procedure.
        "orphaned": ("completed", "new"),
    }
    assert code == 2
    assert "worse than before: marker is CRITICAL" in record["regressed"]["message"]
    assert "THE ROLLBACK FAILED, TOO" in record["stuck"]["message"]
    assert "Nothing was rolled back" in record["held"]["message"]
    assert "updates of run another (controller ops2) holds this host" in record["taken"]["message"]
    assert record["orphaned"]["lease"] == orphaned + 1
    assert record["orphaned"]["previous"][0]["actions"][0]["outcome"] == "interrupted"


def an_orphan_of(desk: Desk, leases: Leases) -> int:
    """A lease of a run of this controller that is dead, with a step that was killed in the middle."""
    controller = f"{os.uname().nodename}:{desk.root}/controller/ledger"
    wanted = {"run": "20261126T010000Z-dead00", "procedure": "switch", "controller": controller, "lasts_s": 90000}
    number: int = leases.begin(wanted, time.time(), 0)[0]["number"]
    leases.journal(number).write(started={**blank("switch", "half"), "actions": []})
    leases.journal(number).write(begun={"action": "switch", "target": "v2", "size_bytes": None, "detail": None})
    return number


def test_alerts_say_it_too(desk: Desk) -> None:
    found = desk.alerts()
    assert {host: status for (host, check), status in found.items() if check == "maintenance:switch"} == {
        "regressed": "WARNING", "stuck": "CRITICAL", "held": "CRITICAL", "taken": "WARNING",
    }  # fmt: skip
    # The health after a rollback was looked at, too: what it made well again is not told.
    assert {host: status for (host, check), status in found.items() if check in ("marker", "health")} == {
        "orphaned": "CRITICAL", "stuck": "CRITICAL",
    }  # fmt: skip


def test_what_a_procedure_explains_is_silenced_while_it_holds_the_host(desk: Desk) -> None:
    rows = sqlite3.connect(desk.root / "controller" / "store.db").execute(
        "SELECT hosts, symptoms, ends_at > starts_at, julianday(ends_at) - julianday(starts_at) FROM run_silences"
    )
    found = {json.loads(hosts)[0]: (json.loads(symptoms), after, days) for hosts, symptoms, after, days in rows}
    assert set(found) == set(desk.hosts) - {"taken"}
    assert all(symptoms == ['{check="marker"}'] and after and days < 0.01 for symptoms, after, days in found.values())


def test_what_is_not_known_is_refused_before_anything_is_touched(desk: Desk) -> None:
    code, hosts = desk.run("--type", "day", "--limit", "good")
    assert code == 64
    said = "there is no type of maintenance day; known are database, full, night, routine, security. Nothing was done"
    assert hosts["good"]["problems"][0]["message"] == said
    code, hosts = desk.run("--procedure", "sweep", "--limit", "good")
    assert code == 64
    said = "there is no procedure sweep; known are application, caches, database, logs, switch, tuning, updates"
    assert hosts["good"]["problems"][0]["message"] == f"{said}. Nothing was done"
    assert not [check for host, check in desk.alerts() if host == "good"]


def test_a_procedure_of_ones_own_is_done_by_its_name_and_one_of_ours_as_one_says(desk: Desk) -> None:
    switch = {"role": str(desk.root / "switch"), "ignores": ["marker"]}
    desk.add("named", roundsman_maintain_procedures={"caches": switch, "swap": switch}, health_after="1")
    code, hosts = desk.run("--procedure", "swap", "caches", "named")
    told = {record["procedure"]: record["status"] for record in hosts["named"]["maintenance"]}
    assert (told, desk.version("named")) == ({"caches": "completed", "swap": "completed"}, "new")
    assert code == 1, "the check that it may make worse is a warning"


def test_a_run_that_a_person_knows_to_be_dead_is_taken_over_and_no_live_one_beside_it(desk: Desk) -> None:
    """Hosts that are maintained alike have leases of the same number, whoever holds them."""
    live = desk.add("live")
    wanted = {"run": "alive", "procedure": "updates", "controller": "ops3", "lasts_s": 90000}
    number = live.begin(wanted, time.time(), 0)[0]["number"]
    code, hosts = desk.run("--type", "night", "--limit", "taken,live", "--take-over", "another")
    (dead,), (alive,) = (hosts[host]["maintenance"] for host in ("taken", "live"))
    assert (dead["status"], dead["lease"]) == ("completed", number + 1)
    assert (code, alive["status"]) == (1, "skipped")
    assert "repeat the command with `--take-over alive`" in alive["message"]
    live.require(number, time.time())
