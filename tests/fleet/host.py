"""One host of a fleet, as a test sees it: commands over SSH, files, life and death, faults."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from tests.fleet import base
from tests.fleet.machine import HostError, Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    Fault = Callable[..., AbstractContextManager[None]]

HOMES = {"root": "root", "ops": "home/ops"}
WEB_UNIT = """[Unit]
Description=The shop's web server
[Service]
ExecStart=/usr/bin/python3 -m http.server --directory /srv/www 80
# It is up when it answers, and so is the host.
ExecStartPost=/bin/sh -c "until curl -so /dev/null http://localhost; do sleep .1; done"
[Install]
WantedBy=multi-user.target
"""


class Host:
    def __init__(self, machine: Machine, folder: Path, client_key: Path, release: str, variables: dict[str, Any]):
        self.name = machine.hostname
        self.address = machine.address
        self.release = release
        self.vars = variables
        self._machine = machine
        self._folder = folder
        self._client_key = client_key
        # What the host really answers with; the fleet's known_hosts is what the controller believes.
        self._true_known_hosts = folder / "known_hosts"
        self._booting: Future[None] | None = None
        self._booter: threading.Thread | None = None
        self._suffering: dict[str, AbstractContextManager[None]] = {}
        folder.mkdir(parents=True)
        self.new_host_key()

    def __repr__(self) -> str:
        return f"<Host {self.name} {self.address}>"

    # Life

    def boot(
        self, executor: Executor, tree: base.Tree, *, web: bool, faults: list[tuple[Fault, dict[str, Any]]]
    ) -> None:
        """Begin to make and boot the host and then to apply the faults; `wait` tells when that is done."""
        self._booting = executor.submit(self._boot, tree, web, faults)

    def wait(self) -> None:
        """Return when the host has booted and its faults are applied. Raises HostError when it did not."""
        if self._booting is not None and threading.current_thread() is not self._booter:
            self._booting.result()

    def stop(self) -> None:
        """Shut down in good order."""
        self.wait()
        self._machine.stop()

    def kill(self) -> None:
        """Pull the plug: every process is gone at once, and the address does not answer any more."""
        self.wait()
        self._machine.kill()

    def start(self) -> None:
        """Boot again after `stop` or `kill`; the disk is as it was."""
        self.wait()
        self._machine.start()

    def wait_for_reboot(self, limit_s: float = 300) -> None:
        """Wait until the host reboots itself, and let it."""
        self.wait()
        self._machine.wait_for_reboot(limit_s)

    def freeze(self) -> None:
        """Stop all processes where they are: the kernel still answers on the network, nobody else does."""
        self.wait()
        self._machine.signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._machine.signal_all(signal.SIGCONT)

    def unplug(self) -> None:
        """Take the network link down; the host runs on."""
        self.wait()
        self._machine.link(up=False)

    def plug(self) -> None:
        self._machine.link(up=True)

    def shape(self, shape: str | None) -> None:
        """Shape the traffic to and from the host, in the words of tc(8): "tbf rate 64kbit burst 3k latency 20s". None:
        as it was.
        """
        self.wait()
        self._machine.shape(shape)

    # Work

    def run(
        self, command: str, *, user: str = "root", check: bool = True, text_in: str = "", timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command over SSH. With `check`, raises HostError with the command's own words when it fails."""
        self.wait()
        done = subprocess.run(
            [*self.ssh(user), command], input=text_in, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise HostError(f"{self.name}: `{command}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def ssh(self, user: str = "root") -> list[str]:
        """The ssh command line up to the remote command; believes the host's present key, whatever it is."""
        self.wait()
        options = [f"UserKnownHostsFile={self._true_known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
        options += ["ConnectTimeout=60", "LogLevel=ERROR", "ControlPath=none"]
        flags = [flag for option in options for flag in ("-o", option)]
        return ["ssh", "-F", "/dev/null", "-i", str(self._client_key), *flags, f"{user}@{self.address}"]

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the host without SSH or network, as from its console."""
        self.wait()
        return self._machine.inside(*command)

    def write(self, path: str, text: str, mode: str = "0644", owner: str = "root") -> None:
        """Write a file, with the folders it needs. `owner` is also its group."""
        self.run(f"install -D -m {mode} -o {owner} -g {owner} /dev/stdin {shlex.quote(path)}", text_in=text)

    def read(self, path: str) -> str:
        return self.run(f"cat {shlex.quote(path)}").stdout

    def bring(self, source: Path, path: str, owner: str) -> None:
        """Copy a folder of this machine to `path`, unless something is there. The host need not run."""
        target = self._machine.root / path.lstrip("/")
        if target.exists():
            return
        shutil.copytree(source, target)
        ids = (self._machine.root / HOMES[owner]).stat()
        for one in (target, *target.rglob("*")):
            os.chown(one, ids.st_uid, ids.st_gid)

    # Keys

    @property
    def public_key(self) -> str:
        kind, key, *_ = self._host_key.with_suffix(".pub").read_text().split()
        return f"{kind} {key}"

    @property
    def _host_key(self) -> Path:
        return self._folder / "ssh_host_ed25519_key"

    def new_host_key(self) -> str:
        """Make a new host key, which `run` believes from now on; return the private key, for the host's sshd."""
        self._host_key.unlink(missing_ok=True)
        new_key(self._host_key, comment=self.name)
        self._true_known_hosts.write_text(f"{self.address} {self.public_key}\n")
        return self._host_key.read_text()

    def restore_host_key(self, private: str) -> None:
        """Believe an earlier host key again."""
        self._host_key.write_text(private)
        public = subprocess.run(["ssh-keygen", "-y", "-f", self._host_key], capture_output=True, text=True, check=True)
        self._host_key.with_suffix(".pub").write_text(public.stdout)
        self._true_known_hosts.write_text(f"{self.address} {self.public_key}\n")

    # Faults

    def suffer(self, fault: Fault, *args: Any, **kwargs: Any) -> None:
        """Apply a fault of faults.py and keep it until `recover`."""
        if fault.__name__ in self._suffering:
            raise ValueError(f"{self.name} already suffers {fault.__name__}; recover first")
        suffering = fault(self, *args, **kwargs)
        suffering.__enter__()
        self._suffering[fault.__name__] = suffering

    def recover(self, *faults: Fault) -> None:
        """Repair these faults, or all of them, the last one first."""
        self.wait()
        for name in [fault.__name__ for fault in faults] or list(reversed(self._suffering)):
            self._suffering.pop(name).__exit__(None, None, None)

    # Making

    def _boot(self, tree: base.Tree, web: bool, faults: list[tuple[Fault, dict[str, Any]]]) -> None:
        self._booter = threading.current_thread()
        self._machine.create(base.ensure(tree))
        self._machine.put("etc/ssh/ssh_host_ed25519_key", self._host_key.read_text(), 0o600)
        self._authorize()
        if web:
            self._add_web_server()
        self._machine.start()
        for fault, arguments in faults:
            self.suffer(fault, **arguments)
        self._booter = None

    def _authorize(self) -> None:
        public = self._client_key.with_suffix(".pub").read_text()
        for home in HOMES.values():
            path = f"{home}/.ssh/authorized_keys"
            self._machine.put(path, public, 0o600)
            owner = (self._machine.root / home).stat()
            shutil.chown(self._machine.root / path, owner.st_uid, owner.st_gid)

    def _add_web_server(self) -> None:
        self._machine.put("srv/www/index.html", f"<h1>Welcome to {self.name}</h1>\n")
        self._machine.put("etc/systemd/system/web.service", WEB_UNIT)
        wants = self._machine.root / "etc/systemd/system/multi-user.target.wants/web.service"
        wants.symlink_to("/etc/systemd/system/web.service")


def new_key(path: Path, comment: str) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
