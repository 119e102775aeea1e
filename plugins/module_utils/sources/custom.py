# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a command can dump as a source, proven by another command."""

from __future__ import annotations

import os

from .. import tree
from ..engines.base import BackupError
from ..state import remove_tree, require_room
from ..thresholds import size_bytes
from .base import Prepared, expectations
from .commands import Commands, canary_of, command_faults
from .keys import text_faults


class CustomSource:
    """`dump` writes to $ROUNDSMAN_SPOOL, or to stdout and so to the file `into`; `check` looks at $ROUNDSMAN_COPY."""

    type = "custom"
    KEYS = ("dump", "into", "size", "check", "restore", "user", "environment")
    SECRETS = ("environment",)
    SPOOLS = True

    def __init__(self, spec):
        self._spec = spec
        self._spool = None
        self.by_hand = None if spec.get("restore") else _NO_RESTORE

    @classmethod
    def faults(cls, spec):
        found = command_faults(spec, "dump", "check", "restore") + text_faults(spec, "into", "user")
        if spec.get("dump") is None:
            found.append("dump must be given: the command that writes what is to be saved")
        into = spec.get("into")
        if isinstance(into, str) and (into in (".", "..") or "/" in into or "\0" in into):
            found.append("into must be the name of a file without a directory, not {0!r}".format(into))
        environment = spec.get("environment") or {}
        if not isinstance(environment, dict) or not all(isinstance(v, (str, int, float)) for v in environment.values()):
            found.append("environment must be a dictionary of names and texts")
        if _size_bytes(spec.get("size")) is None:
            found.append("size must be text such as 500M or 10GiB, not {0!r}".format(spec["size"]))
        return found

    def prepare(self, effects):
        spec = self._spec
        commands = Commands(effects, spec.get("user"))
        self._spool = effects.spool(spec["id"], _size_bytes(spec.get("size")), spec.get("user"))
        self._dump(commands)
        # A command may have taken no notice of a full disk.
        require_room(self._spool, 0, _FULL)
        if not _holds_data(self._spool):
            raise BackupError("source_missing", _NOTHING.format(spec["id"]))
        expected = None
        if spec.get("check"):
            values = commands.check(spec["check"], self._spool, "dump_failed")
            expected = expectations(values, canary_of(values))
        return Prepared([os.fsencode(self._spool)], [], [], expected)

    def _dump(self, commands):
        failure = ("dump_failed", "The dump of {0}".format(self._spec["id"]))
        into = self._spec.get("into")
        # The directory may be another user's, who must not lead us to a file elsewhere.
        fd = os.open(os.path.join(self._spool, into), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600) if into else None
        try:
            environment = _texts(self._spec.get("environment"))
            commands.run(self._spec["dump"], "ROUNDSMAN_SPOOL", self._spool, failure, environment, stdout=fd)
        finally:
            if into:
                os.close(fd)

    def cleanup(self):
        if self._spool:
            remove_tree(self._spool)

    def prove(self, copy, _values, effects):
        return Commands(effects, self._spec.get("user")).check(self._spec["check"], copy, "proof_failed")

    def put_back(self, copy, _values, effects):
        """By the definition's own `restore` command, which alone knows what lives where."""
        spec = self._spec
        failure = ("engine_failed", "The restore command of {0}".format(spec["id"]))
        environment = _texts(spec.get("environment"))
        Commands(effects, spec.get("user")).run(spec["restore"], "ROUNDSMAN_COPY", copy, failure, environment)
        return ["the restore command of {0} ended well".format(spec["id"])]


def _texts(environment):
    return {name: str(value) for name, value in (environment or {}).items()}


def _size_bytes(size):
    """Bytes of a size such as 500M or 10GiB (0 when it is None), or None when it is none."""
    return 0 if size is None else size_bytes(size)


def _holds_data(directory):
    found = tree.walk([os.fsencode(directory)], b"", lambda _path: False)
    return any(one.info and tree.type_of(one.info.st_mode) == "file" and one.info.st_size for one in found)


_FULL = (
    "{0} has only {1} MiB left after the dump, less than {2} MiB, so that the dump may be cut off. Nothing was saved. "
    "Free space there, or set spool_dir (roundsman_backup_spool_dir) to a directory on a larger filesystem"
)
_NOTHING = (
    "The dump of {0} ended well but left no data. Nothing was saved. Let it write to $ROUNDSMAN_SPOOL, or name with "
    "`into` the file for its standard output."
)
_NO_RESTORE = (
    "{0} names no restore command. Nothing was done. Restore it into a directory (--to) and put it in place by hand, "
    "or give this source a restore command."
)
