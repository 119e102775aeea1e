"""The machine under a host: an overlay over a base tree, a network namespace, and systemd-nspawn that boots it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

from tests.fleet import base, cgroups, network, processes

BOOT_LIMIT_S = 300
STOP_LIMIT_S = 120
POLL_S = 0.1


class HostError(RuntimeError):
    """A host did not do what the test asked of it."""


class Machine:
    def __init__(self, fleet: int, number: int, hostname: str, folder: Path) -> None:
        self.hostname = hostname
        self.address = network.address(fleet, number)
        self.root = folder / "root"
        self._fleet = fleet
        self._number = number
        self._name = network.interface(fleet, number)
        self._folder = folder
        self._console = folder / "console.log"
        self._nspawn: subprocess.Popen[bytes] | None = None

    def create(self, tree: Path) -> None:
        """Give it a disk of its own over `tree`, and its network."""
        base.mount_over(tree, self._folder)
        self.put("etc/machine-id", uuid.uuid4().hex + "\n")
        self.put("etc/hostname", self.hostname + "\n")
        self.put("etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.hostname}\n")
        network.add_host(self._fleet, self._number)

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file before the first boot. The folders on the way are real ones in the base tree, never links."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def start(self) -> None:
        """Boot, and return when systemd says so and sshd answers."""
        if self._nspawn is not None:
            raise HostError(f"{self.hostname} is already running")
        network.set_link(self._fleet, self._number, up=True)
        command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--boot", f"--directory={self.root}"]
        command += [f"--machine={self._name}", f"--hostname={self.hostname}", "--resolv-conf=off", "--timezone=off"]
        command += ["--link-journal=no", f"--network-namespace-path=/run/netns/{self._name}"]
        command += [f"--setenv={processes.MARK}={self._name}"]
        enter = "".join(f"echo $$ > {procs}; " for procs in cgroups.make(self._name))
        in_group = ["sh", "-c", f'{enter} exec "$@"', "sh", *command]
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                in_group, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        self._wait_until_up(time.monotonic() + BOOT_LIMIT_S)

    def stop(self) -> None:
        """Shut down in good order."""
        if self._nspawn is not None:
            self._nspawn.send_signal(signal.SIGRTMIN + 4)
            with suppress(subprocess.TimeoutExpired):
                self._nspawn.wait(STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        """Pull the plug: nothing runs any more and the address does not answer."""
        processes.kill_all(self._name)
        if self._nspawn is not None:
            self._nspawn.wait()
            self._nspawn = None
        cgroups.remove(self._name)
        network.set_link(self._fleet, self._number, up=False)

    def wait_for_reboot(self, limit_s: float) -> None:
        """Wait until it has shut itself down to reboot, which is the end of its nspawn, and boot it."""
        if self._nspawn is None:
            raise HostError(f"{self.hostname} is not running")
        self._nspawn.wait(limit_s)
        self.kill()
        self.start()

    def signal_all(self, number: signal.Signals) -> None:
        init = processes.init_of(self._nspawn.pid) if self._nspawn else None
        for pid in processes.inside(init) if init else []:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the running machine as from its console."""
        init = processes.init_of(self._nspawn.pid) if self._nspawn else None
        if init is None:
            raise HostError(f"{self.hostname} is not running")
        enter = ["nsenter", f"--target={init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )

    def link(self, *, up: bool) -> None:
        network.set_link(self._fleet, self._number, up=up)

    def shape(self, shape: str | None) -> None:
        network.set_shape(self._fleet, self._number, shape)

    def _wait_until_up(self, deadline: float) -> None:
        while not self._sshd_answers():
            self._check_boot("sshd did not answer", deadline)
        # "degraded" is up as well: a test may have left a failed unit before it starts the host again.
        while (state := self._systemd_state(deadline)) not in {"running", "degraded"}:
            self._check_boot(f"systemd still says {state!r}", deadline)
        # sshd runs a little before systemd allows others than root to log in.
        while self.inside("test", "-e", "/run/nologin").returncode == 0:
            self._check_boot("only root may log in", deadline)

    def _systemd_state(self, deadline: float) -> str:
        limit_s = max(1, round(deadline - time.monotonic()))
        return self.inside("timeout", str(limit_s), "systemctl", "is-system-running", "--wait").stdout.strip()

    def _check_boot(self, problem: str, deadline: float) -> None:
        ended = self._nspawn is None or self._nspawn.poll() is not None
        if ended or time.monotonic() > deadline:
            console = self._console.read_text(errors="replace")[-2000:]
            raise HostError(f"{self.hostname} did not boot: {'it ended' if ended else problem}. Console:\n{console}")
        time.sleep(POLL_S)

    def _sshd_answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False
