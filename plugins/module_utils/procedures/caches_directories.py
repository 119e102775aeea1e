# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Directories of caches, of applications and in homes, kept within an age and a size."""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import pwd
import time

from ..family import size, span
from ..mounts import NETWORK, holding, read_mounts
from ..sources.plan import seconds
from ..thresholds import size_bytes
from ..tree import normal, printable, text
from . import guard
from .base import ProcedureError
from .budget import expendable, frees_bytes
from .confined import GONE, Confined
from .held import deleted_files, holder, open_files

Directory = collections.namedtuple("Directory", "path older_than_s keep_bytes remove_empty asked")
_REFUSED = "nothing is removed below {0}: {1}. Correct roundsman_caches_directories. Nothing was done."


class Directories:
    def __init__(self, params):
        self._mounts, _fstab = read_mounts()
        entries = pwd.getpwall()
        # Programs whose home is their cache have no home to be spared.
        homes = {os.fsencode(entry.pw_dir).rstrip(b"/") or b"/" for entry in entries}
        self._homes = [home for home in homes if home.startswith(b"/") and not home.startswith(b"/var/cache/")]
        self._directories = [_directory(spec) for spec in params["directories"]]
        for one in self._directories:
            self._refuse(one.path, [one.path])
        self._directories += self._in_homes(params, entries)

    def clean(self, step):
        """Keep each within its budget."""
        freed_bytes = 0
        for one in self._directories:
            with _opened(one, step) as tree:
                if tree is not None:
                    self._refuse_aliases(tree)
                    freed_bytes += _clean(step, one, tree)
        return freed_bytes

    def _in_homes(self, params, entries):
        """The caches below the homes of people; those on the network are another host's to clean."""
        older_than_s = _span("homes_older_than", params["homes_older_than"])
        homes = {normal(entry.pw_dir) for entry in entries if entry.pw_uid == 0 or 1000 <= entry.pw_uid < 65534}
        for home in sorted(homes):
            mount = holding(self._mounts, os.fsdecode(home))
            if not mount or NETWORK.fullmatch(mount[0].kind) or mount[0].kind == "autofs":
                continue
            for name in params["homes"]:
                path = normal(os.path.join(os.fsdecode(home), name))
                if guard.refusal(path, self._homes) is None and path.startswith(home + b"/"):
                    yield Directory(path, older_than_s, None, True, asked=False)

    def _refuse(self, path, names):
        for name in names:
            why = guard.refusal(name, self._homes)
            if why is not None:
                also = "" if name == path else ", which is {0} as well".format(_shown(name))
                raise ProcedureError("refused", _REFUSED.format(_shown(path) + also, why))

    def _refuse_aliases(self, tree):
        """As `_refuse`, for all the places where the directory that is open is to be seen."""
        mounts, _fstab = read_mounts()
        mine = [mount for mount in mounts if mount.id == tree.mount]
        if not mine:
            raise ProcedureError("refused", _REFUSED.format(_shown(tree.path), "it is not known what is mounted there"))
        self._refuse(tree.path, guard.aliases(tree.path, mine[0], mounts))


def _directory(spec):
    path = os.fsencode(spec["path"])
    keep_bytes = size_bytes(spec["keep_size"])
    older_than_s = _span(spec["path"] + ": older_than", spec["older_than"])
    if spec["keep_size"] is not None and keep_bytes is None:
        raise ProcedureError(
            "refused", "{path}: keep_size must be a size such as 500M or 2GiB. Nothing was done.".format(**spec)
        )
    if older_than_s is None and keep_bytes is None:
        raise ProcedureError("refused", "{path}: give older_than, keep_size or both. Nothing was done.".format(**spec))
    return Directory(path, older_than_s, keep_bytes, spec["remove_empty"], asked=True)


def _span(name, words):
    found = seconds(words)
    if words is not None and found is None:
        raise ProcedureError("refused", "{0} must be a span such as 12h, 30d or 2w. Nothing was done.".format(name))
    return found


@contextlib.contextmanager
def _opened(directory, step):
    """The Confined of a directory, or None, with a warning where somebody asked for it by its path."""
    try:
        tree = Confined(directory.path)
    except OSError as error:
        if error.errno not in GONE or directory.asked:
            link = error.errno in (errno.ELOOP, errno.ENOTDIR)
            why = "a link leads there, or it is no directory; name the directory itself" if link else error.strerror
            step.warn("{0} was left alone: {1}".format(_shown(directory.path), why))
        yield None
        return
    try:
        yield tree
        for path, why in tree.left:
            step.warn("{0} was left alone: {1}".format(_shown(path), why))
    finally:
        tree.close()


def _clean(step, directory, tree):
    chosen = expendable(tree.files(step.tick), time.time(), directory.older_than_s, directory.keep_bytes)
    if not chosen:
        return 0
    shown, words = _shown(directory.path), "{0} files {1}".format(len(chosen), _why(directory))
    if step.check_mode:
        step.plan("remove", shown, frees_bytes(chosen), words)
        return 0
    with step.action("remove", shown, frees_bytes(chosen), words) as done:
        removed = tree.remove(chosen, directory.remove_empty, step.tick)
        held = {one.inode: one for one in deleted_files(open_files()) if one.inode in removed.inodes}
        done["size_bytes"] = removed.freed_bytes - sum(one.size_bytes for one in held.values())
        done["detail"] = "{0} of {1}".format(removed.names, words)
    if held:
        text_of_it = "{0}: {1} stay in use until {2} lets go of files that were removed"
        holders = ", ".join(sorted({holder(one.pid) for one in held.values()}))
        step.warn(text_of_it.format(shown, size(sum(one.size_bytes for one in held.values())), holders))
    return done["size_bytes"]


def _why(directory):
    reasons = []
    if directory.older_than_s is not None:
        reasons.append("unused for {0}".format(span(directory.older_than_s)))
    if directory.keep_bytes is not None:
        reasons.append("beyond {0}".format(size(directory.keep_bytes)))
    return " or ".join(reasons)


def _shown(path):
    return printable(text(path))
