"""Find and end the processes of fleet hosts, which a machine name (`rmf3-7`) marks, so that nothing else is hit."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

# In the environment of a host's PID 1, where an orphan can still be recognised.
MARK = "ROUNDSMAN_FLEET_MACHINE"
TIDYING_LIMIT_S = 2
DEATH_LIMIT_S = 120


def nspawns(machine: str) -> list[int]:
    """PIDs of systemd-nspawn that run a machine whose name matches this regular expression."""
    commands = ((pid, _fields(pid, "cmdline")) for pid in _pids())
    return [
        pid
        for pid, argv in commands
        if argv and argv[0].endswith("systemd-nspawn") and _named(argv, "--machine", machine)
    ]


def inits(machine: str) -> list[int]:
    """PIDs, seen from here, of every PID 1 inside such a machine. Some may belong to no nspawn any more."""
    return [pid for pid in _pids() if _is_init(pid) and _named(_fields(pid, "environ"), MARK, machine)]


def init_of(nspawn: int) -> int | None:
    """The PID 1 that this nspawn runs, or None while there is none."""
    try:
        children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
    except OSError:
        return None
    return next((int(child) for child in children if _is_init(int(child))), None)


def inside(init: int) -> list[int]:
    """PIDs of all processes that share the PID namespace of this PID 1."""
    space = _namespace(init)
    return _in_namespaces({space} if space else set())


def kill_all(machine: str) -> None:
    """SIGKILL whatever runs of such machines, and return when it is gone. With a PID 1 goes all that is inside."""
    begin = time.monotonic()
    dying: set[str] = set()
    while left := [*nspawns(machine), *inits(machine), *_in_namespaces(dying)]:
        # A dying PID 1 cannot be recognised any more while its processes still end, so remember its namespace.
        living = inits(machine)
        dying.update(space for pid in living if (space := _namespace(pid)))
        # nspawn tidies up after itself when its PID 1 is gone, so it has a moment for that.
        impatient = time.monotonic() > begin + TIDYING_LIMIT_S
        for pid in [*living, *(nspawns(machine) if impatient else [])]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > begin + DEATH_LIMIT_S:
            raise RuntimeError(f"processes {left} of {machine} outlived SIGKILL for {DEATH_LIMIT_S} s")
        time.sleep(0.02)


def fleets_seen(prefix: str) -> set[int]:
    """Numbers of all fleets of which a process runs."""
    marks = [mark for pid in _pids() for mark in [*_fields(pid, "cmdline"), *_fields(pid, "environ")]]
    found = (re.fullmatch(rf"(?:--machine|{MARK})={prefix}(\d+)-\d+", mark) for mark in marks)
    return {int(match[1]) for match in found if match}


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _fields(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it ended meanwhile
        return []


def _named(fields: list[str], key: str, machine: str) -> bool:
    return any(re.fullmatch(rf"{key}={machine}", field) for field in fields)


def _is_init(pid: int) -> bool:
    try:
        # A process may have any bytes for a name, and that of any test is asked here.
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
    found = re.search(r"^NSpid:\s+(\d+.*)$", status, re.MULTILINE)
    numbers = found[1].split() if found else []
    # A zombie has no environment left and needs no killing.
    return len(numbers) > 1 and numbers[-1] == "1"


def _in_namespaces(spaces: set[str]) -> list[int]:
    return [pid for pid in _pids() if _namespace(pid) in spaces] if spaces else []


def _namespace(pid: int) -> str | None:
    """The PID namespace that a process belongs to; None for what has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None
