"""A machine of somebody who has never seen Roundsman: plain Debian with python3, python3-venv, git and the internet.

    with Newcomer("bookworm") as newcomer:
        newcomer.bring(clone, "/home/anna/roundsman", owner="anna")
        newcomer.run("cd roundsman && tests/run", user="anna")

Nothing boots in it; commands run one by one, on a disk that is thrown away. Nothing of the developer's machine gets in
but its name resolution and the certificates that the way to the package registries needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.fleet import base, claim, processes
from tests.fleet.machine import HostError

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What nspawn says at its end where /run is not a tmpfs.
NSPAWN_NOISE = "Attempted to remove disk file system under"
HOMES = {"root": "/root", "anna": "/home/anna"}
PIP_CACHE = "/var/cache/pip"


class Newcomer:
    """Users are root and anna, who may not sudo."""

    def __init__(self, release: str = "bookworm") -> None:
        self._claim = claim.take()
        self.root = base.mount_over(base.ensure(base.newcomer_tree(release)), self._claim.make_folder())
        shutil.copyfile("/etc/resolv.conf", self.root / "etc/resolv.conf")
        cache = self.root / PIP_CACHE.lstrip("/")
        cache.mkdir()
        cache.chmod(0o1777)

    def run(
        self, command: str, *, user: str = "root", check: bool = True, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the user's home. Output and errors come together in `stdout`. With `check`, raises
        HostError with the last of it when the command fails.
        """
        done = subprocess.run(
            [*self._nspawn(user), "/bin/bash", "-lc", command],
            env={**os.environ, processes.MARK: self._machine},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        lines = done.stdout.splitlines(keepends=True)
        done.stdout = "".join(line for line in lines if not line.startswith(NSPAWN_NOISE))
        if check and done.returncode != 0:
            raise HostError(f"newcomer {user}: `{command}` ended with {done.returncode}:\n{done.stdout[-4000:]}")
        return done

    def bring(self, source: Path, target: str, *, owner: str) -> None:
        """Copy a directory of this machine to `target`, as something that `owner` made there."""
        shutil.copytree(source, self.root / target.lstrip("/"), symlinks=True)
        self.run(f"chown -R {owner}: {target}")

    @property
    def _machine(self) -> str:
        return f"{self._claim.name}-0"

    def _nspawn(self, user: str) -> list[str]:
        command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--as-pid2", "--pipe"]
        command += [f"--directory={self.root}", f"--machine={self._machine}"]
        command += ["--resolv-conf=off", "--timezone=off", "--link-journal=no"]
        command += [f"--user={user}", f"--chdir={HOMES[user]}", f"--bind-ro={CERTIFICATES}"]
        command += [f"--setenv=PIP_CERT={CERTIFICATES}", "--setenv=DEBIAN_FRONTEND=noninteractive"]
        # What both users install comes over the network once, and only what runs is compiled.
        command += [f"--setenv=PIP_CACHE_DIR={PIP_CACHE}", "--setenv=PIP_NO_COMPILE=1"]
        return command

    def close(self) -> None:
        self._claim.release()

    def __enter__(self) -> Newcomer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
