"""A fleet of real hosts on this machine: each boots its own systemd and answers by SSH on its own address.

    with Fleet() as fleet:
        web1 = fleet.host("web1", web=True)
        db1 = fleet.host("db1", tree=servers_tree)
        db2 = fleet.host("db2", release="trixie", full_filesystem={"path": "/srv/data"})
        inventory = fleet.inventory()

`host()` returns at once and the host boots beside the others; whatever talks to a host waits for it first.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import yaml

from tests.fleet import base, claim, network, quick_repositories
from tests.fleet.backup_server import BackupServer
from tests.fleet.faults import FAULTS
from tests.fleet.host import Host, new_key
from tests.fleet.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HOSTS_AT_MOST = 200


class Fleet:
    """Hosts with one network, one client key and one known_hosts file. `close()` leaves nothing behind."""

    def __init__(self) -> None:
        network.raise_limits()
        self._claim = claim.take()
        self.number = self._claim.number
        self.dir = self._claim.make_folder()
        self.hosts: dict[str, Host] = {}
        # The hosts' repositories are there before their first backups. Without, Roundsman makes them.
        self.quick_repositories = True
        self._have_repositories: set[str] = set()
        self._control = self.dir / "cp"
        self._control.mkdir(mode=0o700)
        self.key = self.dir / "id_ed25519"
        new_key(self.key, comment="fleet")
        self.known_hosts = self.dir / "known_hosts"
        self._executor = ThreadPoolExecutor(HOSTS_AT_MOST, thread_name_prefix="boot")
        network.add_bridge(self.number)

    @property
    def address(self) -> str:
        """The controller's address as the hosts see it."""
        return network.address(self.number, 0)

    def host(
        self,
        name: str,
        *,
        release: str = "bookworm",
        tree: Callable[[str], base.Tree] = base.host_tree,
        web: bool = False,
        variables: dict[str, Any] | None = None,
        **faults: Any,
    ) -> Host:
        """Begin to boot a host on a tree of base.py. `web`: it serves /srv/www on port 80. `variables`: for the
        inventory. Faults by their names in faults.py are applied in this order once it is up: `failed_unit=True`, or
        with its arguments, `full_filesystem={"path": "/srv/data"}`.
        """
        if name in self.hosts:
            raise ValueError(f"there is already a host {name} in this fleet")
        if unknown := set(faults) - set(FAULTS):
            raise ValueError(f"unknown fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
        folder = self.dir / "hosts" / name
        machine = Machine(self.number, len(self.hosts) + 1, name, folder)
        host = Host(machine, folder, self.key, release, variables or {})
        with self.known_hosts.open("a") as known:
            known.write(f"{host.address} {host.public_key}\n")
        self.hosts[name] = host
        asked = [(FAULTS[fault], given if isinstance(given, dict) else {}) for fault, given in faults.items() if given]
        host.boot(self._executor, tree(release), web=web, faults=asked)
        return host

    def backup_server(self, name: str, *, append_only: bool = False, **options: Any) -> BackupServer:
        """Boot a host that keeps restic repositories, and return it when it serves. `options` as for `host`."""
        return BackupServer(self.host(name, **options), self.key, append_only=append_only)

    def wait(self) -> None:
        """Return when every host has booted and its faults are applied. Raises the HostError of one that did not."""
        for host in self.hosts.values():
            host.wait()

    def inventory(
        self,
        hosts: Iterable[Host] | None = None,
        groups: dict[str, Iterable[Host]] | None = None,
        path: Path | None = None,
    ) -> Path:
        """Write a YAML inventory of these hosts (all by default) and return its path. Waits for the hosts."""
        chosen = list(self.hosts.values() if hosts is None else hosts)
        for host in chosen:
            host.wait()
        if self.quick_repositories:
            self._bring_repositories(chosen)
        content: dict[str, Any] = {"hosts": {host.name: self._variables(host) for host in chosen}}
        if groups:
            content["children"] = {name: {"hosts": {h.name: {} for h in inside}} for name, inside in groups.items()}
        path = path or self.dir / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": content}, sort_keys=False))
        return path

    def _bring_repositories(self, hosts: list[Host]) -> None:
        by_address = {host.address: host for host in self.hosts.values()}
        for host in hosts:
            # Once: what a test took away stays away.
            if host.name not in self._have_repositories and "roundsman_backups" in host.vars:
                self._have_repositories.add(host.name)
                quick_repositories.bring(host, by_address)

    def _variables(self, host: Host) -> dict[str, Any]:
        return {
            "ansible_host": host.address,
            "ansible_user": "ops",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes",
            # The next fleet has the same addresses, so no connection kept open may outlive this one.
            "ansible_control_path_dir": str(self._control),
            "ansible_python_interpreter": "/usr/bin/python3",
            **host.vars,
        }

    def close(self) -> None:
        for socket in self._control.iterdir():
            command = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "nobody"]
            subprocess.run(command, check=False, capture_output=True)
        # A host that still boots is killed under its thread, which then ends; nothing else is waited for.
        self._claim.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._claim.release()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
