# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files and directories as a source."""

from __future__ import annotations

import os

from .. import tree
from ..engines.base import BackupError
from ..engines.patterns import PatternError, compile_patterns, literal
from .base import Prepared, expectations
from .commands import Commands, command_faults
from .keys import Fault, members, path_faults, text_faults

MOST_RETRIES = 5
LOGS = (b"/var/log", b"log", b"logs")
_KERNEL = (b"/proc/*", b"/sys/*", b"/dev/*", b"/run/*")


class FilesSource:
    """`paths` without `excludes`, and without log directories when `include_logs` is false.

    `check` is a command that looks at a restored copy, as `user`.
    """

    type = "files"
    KEYS = ("paths", "excludes", "include_logs", "one_file_system", "retries", "check", "user")
    SECRETS = ()
    SPOOLS = False

    def __init__(self, spec):
        self._id = spec.get("id")
        self._one_file_system = bool(spec.get("one_file_system"))
        self._check = spec.get("check")
        self._user = spec.get("user")
        self._paths = tree.outermost(tree.normal(path) for path in spec["paths"])
        self._excludes = [os.fsencode(p) for p in spec.get("excludes") or []]
        if not spec.get("include_logs", True):
            self._excludes += LOGS

    @classmethod
    def faults(cls, spec):
        found = [
            fault
            for path in members(spec, "paths", found_empty="must name at least one path")
            for fault in path_faults("paths", path)
        ]
        found += [fault for pattern in members(spec, "excludes") for fault in _pattern_faults(pattern)]
        found += [
            "{0} must be true or false, not {1!r}".format(key, spec[key])
            for key in ("include_logs", "one_file_system")
            if not isinstance(spec.get(key, True), bool)
        ]
        retries = spec.get("retries", 0)
        if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= MOST_RETRIES:
            found.append("retries must be a number from 0 to {0}, not {1!r}".format(MOST_RETRIES, retries))
        found += command_faults(spec, "check") + text_faults(spec, "user")
        return found or cls._excluded_paths(spec)

    @classmethod
    def _excluded_paths(cls, spec):
        """A declared path that the excludes remove would be a backup of nothing that looks fine."""
        source = cls(spec)
        excluded = compile_patterns(source._excludes)
        text = "paths: {0} is left out by excludes or include_logs, so that nothing of it would be saved"
        return [text.format(os.fsdecode(path)) for path in source._paths if excluded(path)]

    def prepare(self, effects):
        missing = [os.fsdecode(path) for path in self._paths if not os.path.lexists(path)]
        if missing:
            raise BackupError(
                "source_missing",
                "Not there: {0}. Nothing was saved. Mount or create it, or take it out of this source's paths.".format(
                    ", ".join(missing)
                ),
            )
        links = [path for path in self._paths if os.path.islink(path)]
        text = "{0} is a symbolic link: the link alone is saved; add {1} to paths to save what it leads to"
        return Prepared(
            paths=self._paths,
            excludes=self._excludes + self._own_excludes(effects),
            warnings=[text.format(os.fsdecode(path), os.fsdecode(os.path.realpath(path))) for path in links],
            # Nothing holds files still between a check and the backup, so that only the copy can be asked.
            expectations=expectations({"check": "passed"}) if self._check else None,
            one_file_system=self._one_file_system,
        )

    def _own_excludes(self, effects):
        own = [os.fsencode(effects.state.directory), *effects.always_excluded]
        own = sorted({path for entry in own for path in (entry, os.path.realpath(entry))})
        return [*map(literal, own), *(_KERNEL if b"/" in self._paths else ())]

    def saves(self, path):
        """Whether what is at `path` (bytes) is saved: True, why not in words, or None when it is none of its paths."""
        above = [root for root in self._paths if _below(path, root)]
        if not above:
            parts = [os.fsdecode(root) for root in self._paths if _below(root, path)]
            return "source {0} saves only {1} of it".format(self._id, ", ".join(parts)) if parts else None
        if compile_patterns(self._excludes)(path):
            return "source {0} leaves it out by excludes or include_logs".format(self._id)
        if self._one_file_system and _filesystem(path) != _filesystem(above[0]):
            return "source {0} stays on one filesystem, and this is another".format(self._id)
        return True

    def cleanup(self):
        """Nothing was made."""

    def prove(self, copy, values, effects):
        found = Commands(effects, self._user).check(self._check, copy, "proof_failed")
        return {name: found[name] for name in values}


def _below(inner, outer):
    return (inner.rstrip(b"/") + b"/").startswith(outer.rstrip(b"/") + b"/")


def _filesystem(path):
    try:
        return os.lstat(path).st_dev
    except OSError:
        return None


def _pattern_faults(pattern):
    if isinstance(pattern, Fault):
        return [str(pattern)]
    if not isinstance(pattern, str) or "\0" in pattern:
        return ["excludes: {0!r} is not a pattern".format(pattern)]
    try:
        compile_patterns([os.fsencode(pattern)])
    except PatternError as error:
        return ["excludes: {0!r} holds {1}".format(pattern, error)]
    return []
