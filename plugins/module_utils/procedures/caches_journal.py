# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archived files of systemd's journal, by size and age. Those that are written to stay, as journalctl itself has it."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import namedtuple

from ..family import size, span
from ..sources.plan import seconds
from ..thresholds import size_bytes
from .base import ProcedureError

ROOTS = ("/var/log/journal", "/run/log/journal")
# NAME@SEQUENCE-NUMBER-TIME.journal, and what was closed badly: NAME@TIME-RANDOM.journal~. Numbers are hexadecimal.
_ARCHIVED = re.compile(
    r".+@(?:[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{16})\.journal|([0-9a-f]{16})-[0-9a-f]{16}\.journal~)"
)

Archived = namedtuple("Archived", "began_us size_bytes")


class Journal:
    def __init__(self, params):
        self._words = {key: params["journal_" + key] for key in ("size", "age")}
        self._max_bytes, self._age_s = size_bytes(self._words["size"]), seconds(self._words["age"])
        for key, value in (("size", self._max_bytes), ("age", self._age_s)):
            if self._words[key] is not None and value is None:
                text = "journal_{0} must be such as {1}, not {2}. Nothing was done."
                example = "1GiB" if key == "size" else "30d"
                raise ProcedureError("refused", text.format(key, example, self._words[key]))

    def clean(self, step):
        """Have journalctl remove the oldest archived journals of this host."""
        if (self._max_bytes is None and self._age_s is None) or not shutil.which("journalctl"):
            return 0
        before = _all_archived()
        before_us = None if self._age_s is None else int((time.time() - self._age_s) * 1e6)
        doomed = [one for group in before for one in vacuumed(group, self._max_bytes, before_us)]
        if not step.check_mode:
            step.record["before"]["journal_archived_bytes"] = _sum(before)
        if not doomed:
            return 0
        planned = sum(one.size_bytes for one in doomed)
        words = "{0} archived journals {1}".format(len(doomed), self._why())
        if step.check_mode:
            step.plan("vacuum", "journal", planned, words)
            return 0
        with step.action("vacuum", "journal", planned, words) as action:
            done = step.run(self._argv())
            left = _all_archived()
            action["size_bytes"] = max(0, _sum(before) - _sum(left))
            step.record["after"]["journal_archived_bytes"] = _sum(left)
            if done.rc != 0:
                raise ProcedureError("procedure_failed", "journalctl could not vacuum: {0}".format(done.err.strip()))
        return action["size_bytes"]

    def _argv(self):
        limits = [] if self._max_bytes is None else ["--vacuum-size={0}".format(self._max_bytes)]
        return ["journalctl", *limits, *([] if self._age_s is None else ["--vacuum-time={0}s".format(self._age_s)])]

    def _why(self):
        words = [] if self._age_s is None else ["older than {0}".format(span(self._age_s))]
        return " or ".join(words + ([] if self._max_bytes is None else ["beyond {0}".format(size(self._max_bytes))]))


def vacuumed(archived, max_bytes, before_us):
    """Those Archived of one directory that `journalctl --vacuum-*` removes: the oldest, until both limits are kept."""
    total, doomed = sum(one.size_bytes for one in archived), []
    for one in sorted(archived):
        too_much = max_bytes is not None and total > max_bytes
        too_old = before_us is not None and one.began_us < before_us
        if not (too_much or too_old):
            break
        doomed.append(one)
        total -= one.size_bytes
    return doomed


def _all_archived():
    """A list of Archived for each directory of this host's own journals: others are not journalctl's to vacuum."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            machine = file.read().strip()
    except OSError:
        return []
    return [_archived(os.path.join(root, machine)) for root in ROOTS if machine]


def _archived(folder):
    found = []
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        match = _ARCHIVED.fullmatch(name)
        try:
            used = os.lstat(os.path.join(folder, name)).st_blocks * 512
        except FileNotFoundError:
            continue
        if match:
            found.append(Archived(int(match.group(1) or match.group(2), 16), used))
    return found


def _sum(groups):
    return sum(one.size_bytes for group in groups for one in group)
