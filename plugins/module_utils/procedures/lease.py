# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may change this host now, and what was done under it: leases with a number that only grows.

A controller that died may have left a task running here. It holds the lock until it ends, and whoever comes next takes
a new number: everything that still carries the old one is refused (a fencing token).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time

from ..engines.base import BackupError
from ..state import read_json, replace_file, take
from .base import ProcedureError
from .journal import Journal

KEPT_JOURNALS = 50
CHILD = "child-"
NOBODY = {"number": 0, "run": None, "ended_at": 0.0}


class Leases:
    """The leases of one host, below its state directory. `state` is a State; times are seconds since 1970."""

    def __init__(self, state):
        self._state = state

    def current(self):
        """The newest lease, over or not: number, run, procedure, controller, began_at, lasts_s, ended_at (or None)."""
        return read_json(os.path.join(self._directory(), "lease.json"), NOBODY)

    @contextlib.contextmanager
    def alone(self, patience_s):
        """Hold the lock of everything that changes this host; yields its descriptor, for children to hold it, too."""
        try:
            with self._state.locked("maintenance", "maintenance", patience_s) as fd:
                self._await_children(time.monotonic() + patience_s)
                yield fd
        except BackupError as error:
            reason = "locked" if error.reason == "repository_locked" else error.reason
            raise ProcedureError(reason, error.message) from error

    @contextlib.contextmanager
    def child(self):
        """A descriptor by which a child holds the host until it has ended, also when we are killed meanwhile.

        What it leaves running then (a daemon of git, ssh or a build) has the descriptor as well, and holds nobody up.
        """
        fd, path = tempfile.mkstemp(".lock", CHILD, self._directory())
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
            os.unlink(path)
        finally:
            os.close(fd)

    def begin(self, wanted, now, patience_s, dead=None):
        """A new lease for `wanted` (run, procedure, controller, lasts_s) and the one before it.

        A lease that somebody holds is taken over only when its time is over, or when it is one of the run `dead`, which
        is known to be dead. No number says which: the next host may have given the same one to a run that lives.
        Raises ProcedureError(locked).
        """
        with self.alone(patience_s):
            before = self.current()
            if holds(before, now) and before["run"] not in (dead, wanted["run"]):
                raise ProcedureError("locked", _HELD.format(**before), {"holder": before})
            lease = dict(wanted, number=before["number"] + 1, began_at=now, ended_at=None)
            self._keep(lease)
            self._forget_old(lease["number"])
            return lease, before

    def extend(self, number, lasts_s, now):
        """Let a lease last from now on."""
        lease = self.current()
        if lease["number"] == number and lease["ended_at"] is None:
            self._keep(dict(lease, lasts_s=max(lease["lasts_s"], now - lease["began_at"] + lasts_s)))

    def end(self, number, now, patience_s):
        """The lease is over; a younger one stays as it is."""
        with self.alone(patience_s):
            lease = self.current()
            if lease["number"] == number and lease["ended_at"] is None:
                self._keep(dict(lease, ended_at=now))

    def require(self, number, now):
        """Raise ProcedureError(fenced) unless `number` is the lease that counts; without one nobody may hold any.

        To be called under the lock.
        """
        lease = self.current()
        if number is None and holds(lease, now):
            raise ProcedureError("locked", _HELD.format(**lease))
        if number is not None and (lease["number"] != number or lease["ended_at"] is not None):
            raise ProcedureError("fenced", _FENCED.format(number, lease["number"], lease["run"] or "another run"))

    def journal(self, number):
        """What is done under a lease."""
        return Journal(os.path.join(self._directory(), "{0}.jsonl".format(number)))

    def _await_children(self, until):
        """Wait for what steps that were killed have left at work. To be called under the lock."""
        for name in sorted(os.listdir(self._directory())):
            if name.startswith(CHILD):
                path = os.path.join(self._directory(), name)
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    take(fd, path, "maintenance", until)
                    os.unlink(path)
                finally:
                    os.close(fd)

    def _directory(self):
        return self._state.make("maintenance")

    def _keep(self, lease):
        replace_file(os.path.join(self._directory(), "lease.json"), json.dumps(lease, sort_keys=True))

    def _forget_old(self, number):
        for name in os.listdir(self._directory()):
            stem, _dot, kind = name.partition(".")
            if kind == "jsonl" and stem.isdigit() and int(stem) <= number - KEPT_JOURNALS:
                os.unlink(os.path.join(self._directory(), name))


def holds(lease, now):
    """Whether somebody may still work under a lease. One that began in the future was taken with a wrong clock."""
    return lease["ended_at"] is None and lease["began_at"] <= now < lease["began_at"] + lease["lasts_s"]


_HELD = (
    "{procedure} of run {run} (controller {controller}) holds this host. Nothing was done. Wait for it, or if that run "
    "is known to be dead, repeat the command with `--take-over {run}` (ansible-playbook: "
    "`-e roundsman_maintain_take_over={run}`)."
)
_FENCED = (
    "this task belongs to lease {0}, and lease {1} of {2} came after it. Nothing was done by this task. Its controller "
    "was taken for dead; see what the later run says about this host."
)
