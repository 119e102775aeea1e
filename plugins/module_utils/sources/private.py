# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A place where a server is started from a restored copy, apart from the network and from what is live."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import time
from collections import namedtuple

from ..engines.base import BackupError
from ..state import make_private, remove_tree, require_room

# directory (as we see it), inside (as the server sees it), prefix (words before the server's own)
Place = namedtuple("Place", "directory inside prefix")

_SBIN = ":/usr/local/sbin:/usr/sbin:/sbin"
# The server's user may not enter the directories above its own, which are root's alone: in a mount namespace it sees
# it at /mnt. Whoever changes the user loses the signal that ends it with us, so it is asked for once more. Nothing of
# the server is worth a polite end.
_INSIDE = (
    'mount --bind "$1" /mnt; cd /mnt; uid=$2; gid=$3; shift 3; '
    'exec setpriv --reuid "$uid" --regid "$gid" --init-groups --pdeathsig KILL -- "$@"'
)


def program(*names):
    """The path of the first of these programs that is on this host; BackupError(application_missing) without any."""
    for name in names:
        path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + _SBIN)
        if path:
            return path
    text = "None of the programs {0} is on this host. Nothing was done. Install one."
    raise BackupError("application_missing", text.format(", ".join(names)))


@contextlib.contextmanager
def place(effects, copy, user, needed_bytes):
    """An empty Place in the copy for a server that runs as `user` (when we are root), removed afterwards."""
    directory = os.path.join(copy, "roundsman-proof")
    remove_tree(directory)
    try:
        if os.geteuid() != 0:
            make_private(directory)
            made = Place(directory, directory, [])
        else:
            made = _apart(effects, directory, user)
        require_room(directory, needed_bytes, _NO_ROOM)
        yield made
    finally:
        remove_tree(directory)


def _apart(effects, directory, user):
    make_private(directory, user)
    prefix = at_mnt(directory, user, "--net")
    effects.run([*prefix, "true"], "unprivileged", "Separating the proof from the network and from what is live")
    return Place(directory, "/mnt", prefix)


def at_mnt(directory, user, *namespaces):
    """The words before those of a program that sees the directory at /mnt and runs as `user`, which takes root."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise BackupError("application_missing", _NO_USER.format(user)) from None
    ids = [str(entry.pw_uid), str(entry.pw_gid)]
    return ["unshare", "--mount", *namespaces, "--", "sh", "-euc", _INSIDE, "sh", directory, *ids]


def wait_until(effects, process, answers, patience_s, log):
    """Return when `answers()` holds; BackupError(proof_failed) with the end of `log` when the server ends before."""
    until = time.monotonic() + patience_s
    while not answers():
        effects.tick()
        if process.poll() is not None:
            raise BackupError("proof_failed", "the server ended at once: {0}".format(last_words(log)))
        if time.monotonic() > until:
            text = "the server does not answer within {0} s: {1}"
            raise BackupError("timeout", text.format(patience_s, last_words(log)))
        time.sleep(0.05)


def last_words(path):
    """The end of a log, in one line."""
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - 2000))
        lines = stream.read().decode("utf-8", "backslashreplace").splitlines()
    return " | ".join(line.strip() for line in lines[-5:] if line.strip()) or "it said nothing"


_NO_ROOM = (
    "{0} has {1} MiB free, the proof needs {2} MiB. Nothing was proven. Free space there, or set scratch_dir "
    "(roundsman_verify_scratch_dir) to a directory on a larger filesystem"
)
_NO_USER = (
    "there is no user {0} on this host, as whom the server would run. Nothing was proven. Install the server "
    "here, or set roundsman_drill_host to a host that has it"
)
