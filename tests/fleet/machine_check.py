"""Whether this machine can have a fleet: root, the programs, and a kernel that lets us."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.fleet import base, cgroups

# Program -> Debian package that brings it.
PROGRAMS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "tc": "iproute2",
}


def problem() -> str | None:
    """One line that says why no fleet can be had here, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    if missing := sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None}):
        return f"missing programs, install {' '.join(missing)}"
    try:
        _try_cgroup()
        return _network_problem() or _mount_problem()
    except OSError as error:
        return f"cannot prepare {base.cache_dir()} or a control group, is this a container? ({error})"


def _network_problem() -> str | None:
    name = f"rmfx{os.getpid()}"
    made = _try("ip", "link", "add", name, "type", "bridge")
    _try("ip", "link", "del", name)
    return f"cannot make a network bridge ({made})" if made else None


def _mount_problem() -> str | None:
    base.cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base.cache_dir()) as scratch:
        parts = [Path(scratch) / part for part in ("lower", "upper", "work", "root")]
        for part in parts:
            part.mkdir()
        lower, upper, work, root = map(str, parts)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        failed = _try("mount", "-t", "overlay", "-o", options, "overlay", root)
        _try("umount", root)
    return f"cannot mount an overlay under {base.cache_dir()} ({failed})" if failed else None


def _try_cgroup() -> None:
    name = f"rmfx{os.getpid()}"
    cgroups.make(name)
    cgroups.remove(name)


def _try(*command: str) -> str | None:
    """Run a command; return its complaint when it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"
