"""A health sweep of real hosts beside what else asks them something.

Run it as root: python -m tests.benchmarks.health_sweep

Every contender is run in turn, several times over, in one go; the figures are ratios of medians. They differ from
machine to machine far more than the ratios do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.roundsman.fleet.plugins.action import health
from ansible_collections.roundsman.fleet.plugins.plugin_utils import parcel

from tests.fleet import base
from tests.fleet.hosts import Fleet
from tests.fleet.roundsman import Roundsman

BIN = Path(sys.executable).parent
FORKS = 20
CHECKS: list[dict[str, Any]] = [
    {"type": "cpu"}, {"type": "load"}, {"type": "memory"}, {"type": "swap"}, {"type": "filesystem"},
    {"type": "processes", "warn": "500"}, {"type": "systemd"}, {"id": "ssh", "type": "tcp", "port": 22},
    {"type": "uptime"},
]  # fmt: skip
CONVENTIONAL = """
- hosts: all
  gather_facts: true
  tasks:
    - ansible.builtin.service_facts:
    - ansible.builtin.command: df -P /
      changed_when: false
    - ansible.builtin.command: cat /proc/loadavg
      changed_when: false
    - ansible.builtin.wait_for: {port: 22, timeout: 5}
    - ansible.builtin.assert:
        that:
          - ansible_facts.memfree_mb > 1
          - ansible_facts.services | length > 0
"""
# Families that ask the kernel, systemd, the network and the disk, each several times over with a name of its own.
MANY: list[dict[str, Any]] = [
    {"id": f"{check['type']}-{number}", **check}
    for number in range(6)
    for check in [
        {"type": "load"}, {"type": "memory"}, {"type": "swap"}, {"type": "filesystem", "path": "/"},
        {"type": "processes", "name": "sshd", "warn": "500"}, {"type": "systemd", "unit": "ssh.service"},
        {"type": "tcp", "port": 22}, {"type": "uptime"}, {"type": "clock", "unsynchronised": "ignore"},
        {"type": "cpu"},
    ]
]  # fmt: skip
HANGING = {"id": "hangs", "type": "tcp", "host": "192.0.2.1", "port": 9, "timeout": "2s"}
PYINFRA_FACTS = (
    "server.Hostname", "server.Kernel", "server.Mounts", "hardware.Cpus", "hardware.Memory", "systemd.SystemdStatus",
)  # fmt: skip
PING = "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n"


def contenders(fleet: Fleet, folder: Path) -> dict[str, Callable[[], None]]:
    """What is measured, by name; each raises when it did not do its work."""
    inventory = fleet.inventory()
    ansible_cfg = folder / "ansible.cfg"
    ansible_cfg.write_text(f"[defaults]\nforks = {FORKS}\nhost_key_checking = true\n[connection]\npipelining = true\n")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ansible_cfg), "ROUNDSMAN_LEDGER_DIR": str(folder / "ledger")}

    def ansible(*command: str) -> None:
        line = [str(BIN / command[0]), "-i", str(inventory), *command[1:]]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def playbook(name: str, text: str) -> Callable[[], None]:
        path = folder / name
        path.write_text(text)
        return lambda: ansible("ansible-playbook", str(path))

    def sweep(name: str, checks: list[dict[str, Any]]) -> Callable[[], None]:
        task = {"roundsman.fleet.health": {"checks": checks}}
        return playbook(name, yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))

    roundsman = Roundsman(folder / "roundsman", inventory)
    settings = yaml.safe_load(roundsman.config.read_text())
    roundsman.config.write_text(yaml.safe_dump(settings | {"forks": FORKS}))

    def command() -> None:
        done = roundsman.run("health", "--json")
        report = json.loads(done.stdout)
        assert all(len(host["checks"]) == len(CHECKS) for host in report["hosts"]), done.stdout[:2000]

    return {
        "raw parallel ssh, the same probe script": lambda: raw_ssh(fleet),
        "ansible -m ping": lambda: ansible("ansible", "all", "-m", "ansible.builtin.ping"),
        "ping play": playbook("ping.yml", PING),
        "conventional play": playbook("conventional.yml", CONVENTIONAL),
        "ansible-playbook roundsman.fleet.health": lambda: ansible("ansible-playbook", "roundsman.fleet.health"),
        "roundsman health": command,
        "sweep of 10 checks": sweep("ten.yml", MANY[:10]),
        "sweep of 60 checks": sweep("sixty.yml", MANY),
        "sweep of 10 checks and one that hangs for 2 s": sweep("hanging.yml", [*MANY[:10], HANGING]),
        "pyinfra, comparable facts": lambda: pyinfra(fleet, folder),
    }


def pyinfra(fleet: Fleet, folder: Path) -> None:
    """Facts that tell about as much as the sweep. It has a virtual environment of its own: its needs are not ours."""
    program = base.cache_dir() / "pyinfra" / "bin" / "pyinfra"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", program.parent.parent], check=True)
        subprocess.run([program.with_name("pip"), "install", "--quiet", "pyinfra"], check=True)
    inventory = folder / "pyinfra_hosts.py"
    data = {"ssh_user": "ops", "ssh_key": str(fleet.key), "ssh_known_hosts_file": str(fleet.known_hosts)}
    inventory.write_text(f"hosts = {[(host.address, data) for host in fleet.hosts.values()]!r}\n")
    command = [program, "--parallel", str(FORKS), str(inventory), "fact", *PYINFRA_FACTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def raw_ssh(fleet: Fleet) -> None:
    """The very script that the action plugin sends, over plain ssh with a kept connection."""
    parameters = {"checks": CHECKS, "timeout_s": 10.0, "psutil": "carry"}
    payload = parcel.parcel(dict(parameters, bookmarks={}))
    control = [
        "-o", "ControlMaster=auto", "-o", "ControlPersist=900s", "-o", f"ControlPath={fleet.dir}/raw-%h",
        "-o", f"UserKnownHostsFile={fleet.known_hosts}", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
    ]  # fmt: skip

    def one(address: str) -> None:
        ssh = ["ssh", "-F", "/dev/null", "-i", str(fleet.key), *control, f"ops@{address}"]
        for archive in (b"", parcel.pack_psutil()):
            command = [*ssh, parcel.script(["/usr/bin/python3"])]
            done = subprocess.run(command, input=payload + archive, capture_output=True, check=True)
            answer = health.parse({"stdout": done.stdout.decode(), "stderr": "", "rc": 0})
            if "checks" in answer:
                break
        assert len(answer.get("checks", [])) == len(CHECKS), answer

    with ThreadPoolExecutor(FORKS) as pool:
        list(pool.map(one, [host.address for host in fleet.hosts.values()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with Fleet() as fleet, tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.hosts):
            fleet.host(f"web{number}", variables={"roundsman_checks": CHECKS, "roundsman_default_checks": []})
        fleet.wait()
        measured = measure(contenders(fleet, Path(folder)), arguments.repeats)
    print(table(measured, arguments.hosts))


def measure(work: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, after one round that warms connections and caches and is not counted."""
    measured: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, do in work.items():
            started = time.perf_counter()
            do()
            if repeat:
                measured[name].append(time.perf_counter() - started)
            print(f"{name}: {time.perf_counter() - started:.2f} s", file=sys.stderr)
    return measured


def table(measured: dict[str, list[float]], hosts: int) -> str:
    median = {name: statistics.median(values) for name, values in measured.items()}
    setting = f"{hosts} hosts, {FORKS} forks, {os.cpu_count()} cores shared by controller and hosts"
    lines = [
        f"{setting}, {len(CHECKS)} checks a host, Python {platform.python_version()}",
        "",
        "| | median s | of a ping play | of raw ssh |",
        "|---|---|---|---|",
    ]
    raw, ping = median["raw parallel ssh, the same probe script"], median["ping play"]
    lines += [f"| {name} | {value:.1f} | {value / ping:.2f} | {value / raw:.2f} |" for name, value in median.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
