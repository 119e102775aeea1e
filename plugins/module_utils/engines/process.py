# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs one program to its end or to its time limit, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import tempfile
from collections import namedtuple

from .base import BackupError

# rc (None when the time limit was reached), out (str, empty when it went to a stream), err (str)
Finished = namedtuple("Finished", "rc out err")

_GRACE_S = 10
_MAX_TEXT = 64 << 20
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _begin_as(user):
    """What the child does before it becomes the program. `user` is a pwd entry or None."""

    def begin():
        if user:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        # A change of user would undo it, so it comes last.
        die_with_parent()

    return begin


def die_with_parent():
    """End this process when its parent is gone: what nobody reports on must not go on, even after kill -9."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _text(stream):
    stream.seek(0)
    return stream.read(_MAX_TEXT).decode("utf-8", "backslashreplace")


def _end(process):
    """Stop the whole process group: politely, then for certain."""
    for number, patience in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        if number == signal.SIGKILL:
            return


def _entry_of(user):
    """The pwd entry of the user to become, or None when that is who we are."""
    if user is None:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise BackupError("unprivileged", "there is no user {0} on this host".format(user)) from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise BackupError("unprivileged", "only root can become {0}: run with become".format(user))
    return entry


def program_of(pid):
    """The name of the program that runs as `pid` on this host, or None when there is no such process."""
    try:
        with open("/proc/{0}/comm".format(pid), encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return None


@contextlib.contextmanager
def started(argv, env, stdout, stderr, keep_fds=(), user=None, stdin=None, cwd=None):
    """`argv` in a process group of its own, which ends with the block; yields the process.

    `keep_fds` stay open in the child: a lock held by such a descriptor lasts as long as the child does. `user` (a name)
    is whom it runs as, which takes root. `stdin`, `stdout` and `stderr` are as subprocess takes them. Raises
    FileNotFoundError without the program, BackupError(unprivileged) without the user or the right to become it.
    """
    entry = _entry_of(user)
    # run_command has no time limit, no descriptors to keep and no process group to kill.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv,
        env=env,
        stdin=stdin or subprocess.DEVNULL,
        cwd=cwd,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_begin_as(entry),  # noqa: PLW1509  (modules have one thread)
        pass_fds=keep_fds,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)


def run(argv, env, timeout_s, stdout=None, **options):
    """Run `argv` to its end or its time limit; output goes to files, so that no pipe can stall it.

    `options` are those of `started`, and so is what it raises.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with started(argv, env, stdout or out, err, **options) as process:
            try:
                rc = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                rc = None
        return Finished(rc, "" if stdout else _text(out), _text(err))
