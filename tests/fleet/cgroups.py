"""A control group for each host. Without one, hosts started from the same shell would share the groups of their units,
and a systemd that stops its ssh.service would meet the processes of all the others.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """Where systemd keeps its groups: one tree with cgroup v2, two with the mixed layout of v1."""
    mixed = [path for path in (ROOT / "systemd", ROOT / "unified") if path.is_dir()]
    return mixed or [ROOT]


def make(name: str) -> list[Path]:
    """Make the group of a host; return the files that take a PID into it."""
    groups = [tree / name for tree in hierarchies()]
    for group in groups:
        group.mkdir(exist_ok=True)
    return [group / "cgroup.procs" for group in groups]


def remove(pattern: str) -> None:
    """Remove the groups of hosts whose processes are gone, by a shell pattern of their names."""
    for tree in hierarchies():
        for group in tree.glob(pattern):
            inner = sorted(group.rglob("*/"), key=lambda path: len(path.parts), reverse=True)
            for folder in [*inner, group]:
                with suppress(FileNotFoundError):
                    folder.rmdir()
