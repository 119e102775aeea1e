# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs that must not be stopped half-way: they outlive the module, the connection and the controller."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from .base import ProcedureError

BOOTED = "/run/systemd/system"  # sd_booted(3)
_POLL_S = 0.2


def run_detached(step, argv, env, log_path, keep_fds=None):
    """Run `argv` to its end, its output in the file `log_path`; (exit code, what it said).

    It holds the host's lock of maintenance for as long as it runs, so that whoever comes next waits for it. When the
    time limit is reached or the module is killed, it goes on: ProcedureError(timeout) says so. `keep_fds` are what it
    holds the host by, where it is not the lock itself.
    """
    with open(log_path, "wb") as log:
        # run_command has no descriptors to keep, and reads from pipes that would break with the module.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [*_scope(), *argv],
            env=dict(os.environ, LC_ALL="C", TERM="dumb", **env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=step.keep_fds if keep_fds is None else keep_fds,
        )
    while process.poll() is None:
        try:
            step.tick()
        except ProcedureError as error:
            raise ProcedureError("timeout", _GOES_ON.format(argv[0], process.pid, log_path)) from error
        time.sleep(_POLL_S)
    with open(log_path, encoding="utf-8", errors="backslashreplace") as stream:
        return process.returncode, stream.read()


def _scope():
    """A scope of its own, so that the end of the session or of the service that started it is not its end."""
    if os.geteuid() == 0 and os.path.isdir(BOOTED) and shutil.which("systemd-run"):
        return ["systemd-run", "--scope", "--quiet", "--collect", "--"]
    return []


_GOES_ON = (
    "{0} did not end in time. It was not stopped, for that would leave its work half done: it goes on as pid {1}, "
    "its words are in {2}, and the next run waits for it"
)
