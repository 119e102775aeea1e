# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages that apt and dnf have downloaded and installed long ago."""

from __future__ import annotations

import os
import shutil

from .programs import answer

APT = "/var/cache/apt"
DNF = ("/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum")


class Packages:
    def __init__(self, params):
        self._wanted = params["packages"]

    def clean(self, step):
        """Have apt and dnf forget what they downloaded; their lists of packages stay."""
        if not self._wanted:
            return 0
        archives = os.path.join(APT, "archives")
        freed_bytes = _clean(step, ["apt-get", "clean"], [APT], _files([archives], (".deb",)))
        program = next((one for one in ("dnf5", "dnf", "yum") if shutil.which(one)), None)
        if program:
            freed_bytes += _clean(step, [program, "-y", "clean", "packages"], DNF, _files(DNF, (".rpm",)))
        return freed_bytes


def _clean(step, argv, folders, found):
    # apt makes the index beside them anew each time: that alone is nothing to clean.
    if not found:
        return 0
    target, words = folders[0], "{0} downloaded packages".format(len(found))
    if step.check_mode:
        step.plan("clean", target, sum(map(_bytes, found)), words)
        return 0
    with step.action("clean", target, sum(map(_bytes, found)), words) as action:
        before = sum(map(_bytes, _files(folders)))
        answer(step, argv)
        action["size_bytes"] = before - sum(map(_bytes, _files(folders)))
    return action["size_bytes"]


def _files(folders, endings=("",)):
    """Paths of the files below, without links."""
    return [
        os.path.join(path, name)
        for folder in folders
        for path, _folders, names in os.walk(folder)
        for name in names
        if name.endswith(endings)
    ]


def _bytes(path):
    try:
        return os.lstat(path).st_blocks * 512
    except FileNotFoundError:
        return 0
