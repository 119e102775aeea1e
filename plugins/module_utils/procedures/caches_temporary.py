# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Temporary files that are older than the rules of tmpfiles.d(5) allow, removed by systemd itself."""

from __future__ import annotations

import collections
import os
import re
import shutil
import stat

from ..systemctl import booted
from .base import ProcedureError

TOPS = ("/tmp", "/var/tmp")  # noqa: S108  (named, not used)
CLEAN = ["systemd-tmpfiles", "--clean"]
UNFOLLOWED = 73  # its exit code when some rule could not be followed, as at many a boot
# Everything is read-only for it: it says what it would remove, and cannot. Versions before 256 know no --dry-run. Where
# systemd cannot shield it (some containers), it would go on without a word: so it is looked at once more.
SHIELDED = "for d in / {0} {1}; do test ! -w $d || exit 99; done; exec systemd-tmpfiles --clean".format(*TOPS)
APART = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--property=ReadOnlyPaths=/"]
TALKING = {"SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_TARGET": "console", "SYSTEMD_LOG_COLOR": "0"}
# A name that holds a newline is not understood here, so its size is not known; systemd removes it all the same.
_REMOVING = re.compile(r'^(?:Removing|Would remove) "(/.*)"\.?$', re.MULTILINE)


class Temporary:
    def __init__(self, params):
        self._wanted = params["temporary"]

    def clean(self, step):
        """Have systemd-tmpfiles remove what is too old."""
        if not self._wanted or not booted() or not shutil.which(CLEAN[0]):
            return 0
        found = _sizes(_doomed(step))
        freed_bytes = 0
        by_folder = collections.defaultdict(list)
        for path in found:
            by_folder[_top(path)].append(path)
        if step.check_mode:
            for folder, paths in sorted(by_folder.items()):
                step.plan("clean", folder, sum(found[path] for path in paths), _words(paths))
            return 0
        if not found:
            return 0
        target = ", ".join(sorted(by_folder))
        with step.action("clean", target, sum(found.values()), _words(found)) as action:
            done = step.run(CLEAN)
            gone = [path for path in found if not os.path.lexists(path)]
            freed_bytes = action["size_bytes"] = sum(found[path] for path in gone)
            if done.rc not in (0, UNFOLLOWED):
                raise ProcedureError("procedure_failed", "systemd-tmpfiles --clean: {0}".format(done.err.strip()))
        return freed_bytes


def doomed(said):
    """Paths of the files that `systemd-tmpfiles --clean` says it removes."""
    return _REMOVING.findall(said)


def _doomed(step):
    variables = ["--setenv={0}={1}".format(*pair) for pair in sorted(TALKING.items())]
    done = step.run([*APART, *variables, "sh", "-c", SHIELDED])
    if done.rc not in (0, UNFOLLOWED):
        step.warn("temporary files were left alone: systemd cannot tell here which are too old without removing them")
        return []
    return doomed(done.err + done.out)


def _sizes(paths):
    """path -> bytes that its removal frees, of files that are there."""
    found = {}
    for path in paths:
        try:
            info = os.lstat(path)
        except OSError:
            continue
        if not stat.S_ISDIR(info.st_mode):
            found[path] = info.st_blocks * 512 if info.st_nlink == 1 else 0
    return found


def _top(path):
    return next((top for top in TOPS if path.startswith(top + "/")), os.path.dirname(path))


def _words(paths):
    return "{0} files by the rules of tmpfiles.d".format(len(paths))
