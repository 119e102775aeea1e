# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import fcntl
import json
import os

from ..module_utils.flocks import is_held

FORMAT_VERSION = 1
CURRENT = "ROUNDSMAN_CURRENT_LEDGER"  # set by the callback, inherited by Ansible's workers


def current():
    """(run id, controller): who works here. Without the ledger callback, the Ansible process itself.

    The node is part of its id, for other nodes have processes of the same number.
    """
    node = os.uname().nodename
    path = os.environ.get(CURRENT)
    if path is None:
        return "ansible-{0}-{1}".format(node, os.getppid()), node
    directory, name = os.path.split(path)
    return name.rpartition(".")[0], "{0}:{1}".format(node, directory)


def is_dead(run_id):
    """Whether nobody lives any more of a run whose ledger is, or was, beside the current one."""
    path = os.environ.get(CURRENT)
    if path is None:
        return False
    try:
        return not is_held(os.path.join(os.path.dirname(path), run_id + ".lock"))
    except FileNotFoundError:
        return True


class LedgerFile:
    """One run's append-only ledger, as docs/records.md describes it.

    While the process lives it holds a shared lock beside the file, so that a reader can tell a run that was
    killed from one that is at work. A line that could not be written (disk full) is kept and tried again
    before the next one.

    Raises OSError from the constructor when the ledger cannot be opened.
    """

    def __init__(self, directory: str, run_id: str) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.path = os.path.join(directory, run_id + ".jsonl")
        self._lock_fd = os.open(os.path.join(directory, run_id + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock_fd, fcntl.LOCK_SH)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._run_id = run_id
        self._seq = 0
        self._unwritten: list[bytes] = []

    def append(self, time: str, kind: str, fields: dict, *, sync: bool) -> None:
        """Append one record; raise OSError when it could not be written yet (it is kept for the next attempt)."""
        self._seq += 1
        record = {"v": FORMAT_VERSION, "run": self._run_id, "seq": self._seq, "time": time, "kind": kind, **fields}
        # ASCII, because file names from hosts may hold bytes that are not UTF-8 (lone surrogates here).
        self._unwritten.append(json.dumps(record, ensure_ascii=True, default=str).encode("ascii") + b"\n")
        self.flush(sync=sync)

    def flush(self, *, sync: bool) -> None:
        while self._unwritten:
            self._write_whole(self._unwritten[0])
            del self._unwritten[0]
        if sync:
            os.fsync(self._fd)

    @property
    def unwritten(self) -> int:
        """How many records wait for room."""
        return len(self._unwritten)

    def _write_whole(self, line: bytes) -> None:
        start = os.fstat(self._fd).st_size
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            os.ftruncate(self._fd, start)
            raise

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._lock_fd)
