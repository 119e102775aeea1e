"""What a test run holds of this machine: a number N, and with it a network, a folder and the name `rmfN…`.

Several test runs may have hosts at once, so each claims a number by locking `/run/roundsman-fleet/rmfN.lock` for as
long as its process lives; the file says where the folder is. A number with traces and no lock was left by a killed one.
"""

from __future__ import annotations

import fcntl
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.fleet import base, cgroups, network, processes
from tests.fleet.network import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCKS = Path("/run/roundsman-fleet")
# nspawn leaves a folder for each machine there when /run is not a tmpfs.
NSPAWN_LEAVES = Path("/run/systemd/nspawn/propagate")


class Claim:
    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number = number
        self._lock = lock
        lock.seek(0)
        noted = lock.read()
        self.folder = Path(noted) if noted else None

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.number}"

    def make_folder(self) -> Path:
        self.folder = base.cache_dir() / "fleets" / self.name
        self._lock.write(str(self.folder))
        self._lock.flush()
        if self.folder.exists():  # the lock files are gone after a reboot, the folders are not
            base.remove_tree(self.folder)
        self.folder.mkdir(parents=True)
        return self.folder

    def let_go(self) -> None:
        """Leave everything as it is, to whoever claims it next."""
        self._lock.close()

    def left_traces(self) -> bool:
        return self.folder is not None or network.exists(self.number)

    def kill(self) -> None:
        """End every process of its hosts."""
        processes.kill_all(rf"{self.name}-\d+")

    def release(self) -> None:
        """Leave nothing behind: no process, mount, file or network."""
        self.kill()
        if self.folder is not None and self.folder.exists():
            if self.folder.name != self.name:
                raise ValueError(f"{self.folder} is not the folder of {self.name}; nothing of it was removed")
            base.remove_tree(self.folder)
        cgroups.remove(f"{self.name}-*")
        network.remove(self.number)
        for leaf in NSPAWN_LEAVES.glob(f"{self.name}-*"):
            leaf.rmdir()
        self._lock.truncate(0)
        self._lock.close()


def take() -> Claim:
    """Claim a number that nobody holds and nobody left traces of."""
    for number in range(len(network.NETWORKS)):
        claim = hold(number)
        if claim is not None and not claim.left_traces():
            return claim
    raise RuntimeError("no free fleet number; `python -m tests.fleet.clean` removes what killed test runs left")


def abandoned() -> Iterator[Claim]:
    """Take over each claim whose process is gone."""
    locks = {int(found[1]) for path in LOCKS.glob("*") if (found := re.fullmatch(rf"{PREFIX}(\d+)\.lock", path.name))}
    for number in sorted(locks | network.fleets_seen() | processes.fleets_seen(PREFIX)):
        claim = hold(number)
        if claim is not None and claim.left_traces():
            yield claim


def hold(number: int) -> Claim | None:
    """Claim this number, whatever was left of it; None while somebody holds it."""
    LOCKS.mkdir(mode=0o755, exist_ok=True)
    lock = (LOCKS / f"{PREFIX}{number}.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return Claim(number, lock)
