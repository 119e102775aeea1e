"""Debian packages for one host of a test: hosts have no network, so the machine puts them in, and keeps what it got."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.fleet import base
from tests.fleet.machine import HostError

if TYPE_CHECKING:
    from tests.fleet.host import Host

# No service starts in a chroot, so none has to be kept from starting.
INSTALL = """
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
get() { apt-get install --quiet --quiet --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@"; }
[ -n "$(ls /var/lib/apt/lists 2>/dev/null)" ] || apt-get update --quiet --quiet
# What an old list names may be gone from the archive.
get "$@" || { apt-get update --quiet --quiet; get "$@"; }
"""


def install(host: Host, *packages: str) -> None:
    """Install packages on a running host. Raises HostError with apt's own words."""
    host.wait()
    root = host._machine.root
    folder = base.cache_dir() / "packages" / host.release
    kept = {folder / "archives": root / "var/cache/apt/archives", folder / "lists": root / "var/lib/apt/lists"}
    for place in kept:
        place.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # In a mount namespace of its own, so that nothing stays mounted when this process is killed.
        binds = " && ".join(f"mount --bind '{place}' '{inside}'" for place, inside in kept.items())
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        script = f"{binds} && exec chroot '{root}' /bin/sh -euc '{INSTALL}' install \"$@\""
        command = ["unshare", "--mount", "sh", "-euc", script, "install", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        (root / "etc/resolv.conf").unlink()
    if done.returncode:
        words = (done.stdout + done.stderr)[-2000:]
        raise HostError(f"{host.name}: {', '.join(packages)} could not be installed:\n{words}")
