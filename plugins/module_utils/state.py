# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Roundsman keeps on a host: one private directory, its files replaced as a whole, its locks held by flock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
import time

from .engines.base import BackupError


def own_directory():
    """`/var/lib/roundsman` for root, a directory of one's own for everybody else."""
    return "/var/lib/roundsman" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/roundsman")


class State:
    """The directories below `directory`; nothing is made before it is needed."""

    def __init__(self, directory):
        self.directory = os.path.realpath(directory)
        self.cache = os.path.join(self.directory, "cache")

    def make(self, *parts):
        """A directory below the state directory, made with mode 0700."""
        path = self.directory
        try:
            os.makedirs(path, 0o700, exist_ok=True)
            for part in parts:
                path = os.path.join(path, part)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, 0o700)
            info = os.stat(path)
        except OSError as error:
            raise from_os_error("making the state directory", path, error) from error
        if info.st_uid != os.geteuid():
            raise BackupError(
                "unprivileged", "{0} belongs to another user (uid {1}). Nothing was done.".format(path, info.st_uid)
            )
        if stat.S_IMODE(info.st_mode) & 0o077:
            os.chmod(path, 0o700)
        return path

    def manifest(self, source):
        return os.path.join(self.directory, "manifests", source + ".jsonl")

    def runbook(self, source):
        return os.path.join(self.directory, "manifests", source + ".runbook.sh")

    def changes(self, repository_key, source):
        """Where it is remembered what moved during the backups of a source: one file per manifest."""
        return os.path.join(self.directory, "changes", repository_key, source)

    @contextlib.contextmanager
    def locked(self, name, what, patience_s, clock=time.monotonic, sleep=time.sleep):
        """Hold the host's lock on `what`; yields its descriptor, which a child may inherit to hold the lock as well."""
        path = os.path.join(self.make("locks"), name + ".lock")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            take(fd, path, what, clock() + patience_s, clock, sleep)
            os.ftruncate(fd, 0)
            # For whoever waits. On a full disk it is held without.
            with contextlib.suppress(OSError):
                os.pwrite(fd, "{0}\n".format(os.getpid()).encode(), 0)
            try:
                yield fd
            finally:
                os.ftruncate(fd, 0)
        finally:
            os.close(fd)


_HELD = (
    "Another Roundsman process on this host (pid {0}) works with {2} and holds {1}. Nothing was done. "
    "Wait for it, or raise lock_timeout_s."
)


def take(fd, path, what, until, clock=time.monotonic, sleep=time.sleep):
    """Lock an open file, or raise BackupError(repository_locked) when `until` is over."""
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock() >= until:
                holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise BackupError("repository_locked", _HELD.format(holder, path, what)) from None
            sleep(0.5)
        else:
            return


def replace_file(path, text, mode=0o600):
    """Write `text` (str) so that a reader sees the old or the new file, also after a power cut."""
    fd, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    try:
        with os.fdopen(fd, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def read_json(path, absent):
    """The JSON in a file, or `absent` when there is no such file."""
    try:
        with open(path) as stream:
            return json.load(stream)
    except FileNotFoundError:
        return absent
    except ValueError as error:
        raise BackupError(
            "engine_failed",
            "{0} is not valid JSON ({1}). Nothing was done. Restore or remove that file.".format(path, error),
        ) from error


def make_private(path, user=None):
    """Make a directory (and those above it) that only its owner may enter; `user` (a name) owns it when given."""
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        os.chmod(path, 0o700)
        if user:
            shutil.chown(path, user)
    except (OSError, LookupError) as error:
        raise from_os_error("making a directory", path, error) from error


def require_room(directory, needed_bytes, text):
    """Refuse with `no_space` unless that much (and a margin) is free; `text` takes directory, MiB free, MiB needed."""
    room = os.statvfs(directory)
    free = room.f_bavail * room.f_frsize
    needed = needed_bytes + _MARGIN_BYTES
    if free < needed:
        raise BackupError("no_space", text.format(directory, free >> 20, needed >> 20))


_MARGIN_BYTES = 64 << 20


def remove_tree(path):
    """Remove a directory whatever modes a restore gave to its parts."""

    def unlock(function, name, _info):
        os.chmod(os.path.dirname(name), 0o700)
        if os.path.isdir(name) and not os.path.islink(name):
            os.chmod(name, 0o700)
            shutil.rmtree(name)
        else:
            function(name)

    if os.path.lexists(path):
        shutil.rmtree(path, onerror=unlock)


def from_os_error(doing, path, error):
    """The BackupError for an OSError (or a LookupError of a user's name) of our own file work."""
    reason = {
        errno.ENOSPC: "no_space",
        errno.EDQUOT: "no_space",
        errno.EACCES: "unprivileged",
        errno.EPERM: "unprivileged",
    }
    return BackupError(
        reason.get(getattr(error, "errno", None), "engine_failed"),
        "{0} failed at {1}: {2}.".format(doing, path, getattr(error, "strerror", None) or error),
    )
